"""Pages in headless Chromium, offline: no script runs, no network request is made, text stays text, nothing is cut."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.reports.model_page import render_model_page
from pipelines.reports.rendering import LANGUAGES, Language
from tests.factories.browser import Layout, dump, find_chromium, layouts, serving, sheets_of_paper, title_of
from tests.factories.model_reports import identity, small_sample_report
from tests.factories.pages import HOSTILE
from tests.factories.rendered_pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTHS = (390, 820, 1280)
MOST_SHEETS = {"passport": 2, "index": 2, "promotion": 1, "health": 1, "passports": 1, "delivery": 2, "deliveries": 1}
"""Most sheets of A4 that a page may take; the reports are as long as what they report."""


@pytest.fixture(scope="module")
def chromium() -> str:
    """Return a Chromium (``CHROMIUM``, else from the path), or skip."""
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium on this machine; install one, or name it in CHROMIUM, to open pages in a browser")
    return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """Return the address of a server of ``tmp_path``, and the list of requested paths."""
    with serving(tmp_path) as found:
        yield found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_page_opens_complete_and_requests_nothing_else(
    page: str, language: Language, chromium: str, served: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, asked = served
    (tmp_path / "page.html").write_text(PAGES[page](None, language), encoding="utf-8")
    document = dump(chromium, f"{address}/page.html", tmp_path)
    assert "</main>" in document
    assert set(asked) - {"/favicon.ico"} == {"/page.html"}  # the browser itself looks for an icon of the site
    assert re.search(r"(?:src|href)=\"(?:https?:)?//", document) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_links_of_a_passport_stand_in_words_beside_their_picture(
    language: Language, chromium: str, tmp_path: Path
) -> None:
    # Measured by the browser: the picture and every text in it has a size, and the words are not hidden.
    probe = """<script>
const picture = document.querySelector('svg.related-parties'), box = picture.getBoundingClientRect();
const texts = [...picture.querySelectorAll('text')].map(text => text.getBoundingClientRect());
const inside = texts.every(text => text.width > 0 && text.left >= box.left && text.right <= box.right);
const words = document.querySelector('.links li').getBoundingClientRect();
document.title = [inside, texts.length, box.width > 200, words.height > 10, words.right <= box.left].join(' ');
</script></body>"""
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", PAGES["passport"](None, language))
    (tmp_path / "page.html").write_text(page.replace("</body>", probe), encoding="utf-8")
    document = dump(chromium, (tmp_path / "page.html").as_uri(), tmp_path, "--window-size=1280,900")
    assert title_of(document) == "true 9 true true true"
    assert ("in default since 2024-12-14" if language == "en" else "自2024-12-14起违约") in document


@pytest.mark.parametrize("page", sorted(PAGES))
def test_hostile_names_change_no_title_and_make_no_element(page: str, chromium: str, tmp_path: Path) -> None:
    text = PAGES[page](" ".join(HOSTILE), "en")
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    document = dump(chromium, (tmp_path / "page.html").as_uri(), tmp_path)
    assert title_of(document) == title_of(PAGES[page](None, "en"))
    assert "onerror=" in document  # the names are there, as text
    assert not re.search(r"<(?:script|img|iframe|object|embed)[\s>]", document)
    assert not re.search(r"<[a-z]+[^<>]*\son\w+=[^<>]*>", re.sub(r'"[^"]*"', '""', document))


def test_the_browser_would_have_run_an_unescaped_script(chromium: str, tmp_path: Path) -> None:
    # Positive control: without escaping and policy the same payload does change the title.
    (tmp_path / "page.html").write_text(f"<title>before</title><p>{HOSTILE[0]}</p>", encoding="utf-8")
    assert title_of(dump(chromium, (tmp_path / "page.html").as_uri(), tmp_path)) == "x"


def test_the_policy_alone_stops_a_script_that_escaping_let_through(chromium: str, tmp_path: Path) -> None:
    page = PAGES["passport"](None, "en")
    spoilt = page.replace("</main>", f"{HOSTILE[0]}</main>")
    assert spoilt != page
    (tmp_path / "page.html").write_text(spoilt, encoding="utf-8")
    assert title_of(dump(chromium, (tmp_path / "page.html").as_uri(), tmp_path)) == title_of(page)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_of_the_small_sample_opens(language: Language, chromium: str, tmp_path: Path) -> None:
    page = render_model_page(small_sample_report(), identity("demonstration sample"), language)
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    document = dump(chromium, (tmp_path / "page.html").as_uri(), tmp_path)
    assert title_of(document) == title_of(page)
    assert document.count("<svg") == page.count("<svg") > 0


def width_on_paper(chromium: str, page: str, folder: Path) -> int:
    """Return the width of a page on A4 in CSS pixels, with its own margins, which leave about 695."""
    probe = "<script>document.title = document.documentElement.scrollWidth</script></body>"
    printed = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    printed = printed.replace("@media screen", "@media not all").replace("@media print", "@media all")
    (folder / "page.html").write_text(printed.replace("</body>", probe), encoding="utf-8")
    return int(title_of(dump(chromium, (folder / "page.html").as_uri(), folder, "--window-size=695,900")))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_printed_page_is_not_wider_than_the_paper(
    page: str, language: Language, chromium: str, tmp_path: Path
) -> None:
    assert width_on_paper(chromium, PAGES[page](None, language), tmp_path) <= 695


def test_a_table_wider_than_the_paper_would_be_noticed(chromium: str, tmp_path: Path) -> None:
    wide = PAGES["passport"](None, "en").replace("</main>", "<p style='width:900px'>wide</p></main>")
    assert width_on_paper(chromium, wide, tmp_path) > 695


@pytest.fixture(scope="module")
def found_layouts(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> list[Layout]:
    """Return the layout of every page in every language at every width, from one start of the browser."""
    pages = {f"{page}.{language}.html": PAGES[page](None, language) for page in PAGES for language in LANGUAGES}
    return layouts(chromium, pages, WIDTHS, tmp_path_factory.mktemp("layouts"))


def test_every_page_is_laid_out_at_every_width(found_layouts: list[Layout]) -> None:
    assert len(found_layouts) == len(PAGES) * len(LANGUAGES) * len(WIDTHS)
    assert all(layout.height > 300 for layout in found_layouts)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", sorted(PAGES))
def test_nothing_passes_the_edge_of_a_screen(page: str, width: int, found_layouts: list[Layout]) -> None:
    names = {f"{page}.{language}.html" for language in LANGUAGES}
    for layout in found_layouts:
        if layout.page in names and layout.width == width:
            assert layout.beyond == (), layout
            assert layout.scroll <= width, layout


def test_an_element_beyond_the_edge_would_be_noticed(chromium: str, tmp_path: Path) -> None:
    wide = PAGES["passport"](None, "en").replace("</main>", "<p style='width:600px' class='wide'>wide</p></main>")
    narrow, enough = layouts(chromium, {"wide.html": wide}, (390, 820), tmp_path)
    assert narrow.beyond == ("P.wide",)
    assert narrow.scroll > 390
    assert enough.beyond == ()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("page", sorted(MOST_SHEETS))
def test_a_page_takes_no_more_paper_than_it_should(
    page: str, language: Language, chromium: str, tmp_path: Path
) -> None:
    assert 1 <= sheets_of_paper(chromium, PAGES[page](None, language), tmp_path) <= MOST_SHEETS[page]


def test_a_page_that_is_too_long_would_be_noticed(chromium: str, tmp_path: Path) -> None:
    long = PAGES["promotion"](None, "en").replace("</main>", "<p style='height:300mm'>long</p></main>")
    assert sheets_of_paper(chromium, long, tmp_path) > MOST_SHEETS["promotion"]
