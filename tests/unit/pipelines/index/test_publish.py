"""Pages at stable addresses: complete, linked both ways, and honest about a run that has gone only part of the way."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest

from data_contracts.errors import ConfigurationRefused, GateFailed, PassportError, QuarantineLimitExceeded
from pipelines.index.index_page import INDEX_FILES
from pipelines.index.publish import write_pages
from pipelines.index.refresh import refreshed_pages
from pipelines.reports.rendering import LANGUAGES
from pipelines.runs.stages import Place
from tests.factories.pages import faults_of, read_page
from tests.factories.published_run import ALL_STAGES, publish_run, synthetic_profile
from tests.factories.run_documents import changed, registration, validation

PROFILE = synthetic_profile()
IDENTIFIER = re.compile(r'\bid="([^"]+)"')


def pages_under(root: Path) -> list[Path]:
    return [*root.glob("*.html"), *(root / "reports").glob("*.html"), *(root / "passports").glob("*.html")]


def dead_links(root: Path) -> list[str]:
    """Return the links of a profile folder's pages that lead nowhere inside it."""
    dead = []
    for page in pages_under(root):
        text = page.read_text(encoding="utf-8")
        for tag, attributes in read_page(text).tags:
            if tag != "a" or attributes.get("href") is None:
                continue
            address, _, fragment = str(attributes["href"]).partition("#")
            target = (page.parent / unquote(address)) if address else page
            is_inside = target.resolve().is_relative_to(root.resolve())
            if not (is_inside and target.is_file() and (address or fragment in IDENTIFIER.findall(text))):
                dead.append(f"{page.name}: {attributes['href']}")
    return dead


def text_of(root: Path, language: str = "en") -> str:
    return read_page((root / INDEX_FILES[language]).read_text(encoding="utf-8")).text


def lights_of(root: Path) -> dict[str, str]:
    page = (root / "index.html").read_text(encoding="utf-8")
    return dict(re.findall(r'data-light="(\w+)" data-state="(\w+)"', page))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the folder of a profile with a complete run and its pages."""
    place = publish_run(tmp_path)
    write_pages(PROFILE, place)
    return place.root


def test_every_link_of_every_page_leads_somewhere_inside_the_folder(root: Path) -> None:
    assert len(pages_under(root)) == 2 + 7 * len(LANGUAGES) + 2
    assert dead_links(root) == []


def test_a_link_that_leads_nowhere_would_be_noticed(root: Path) -> None:
    (root / "reports" / "health.en.html").unlink()
    assert any("health.en.html" in dead for dead in dead_links(root))


def test_the_folder_can_be_moved(root: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.move(root, moved)
    assert dead_links(moved) == []


def test_a_run_in_order_needs_nobody(root: Path) -> None:
    # One applicant could not be scored and one claim is contradicted: a person has to see the first, and the second
    # counts only where validation says so.
    assert set(lights_of(root).values()) == {"ok"}
    assert "Usable. One thing needs a person before passports go out." in text_of(root)
    assert "Sellers that could not be scored: 1" in text_of(root)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_over_the_run_are_self_contained(root: Path, language: str) -> None:
    for path in (root / INDEX_FILES[language], *(root / "reports").glob(f"[hp]*.{language}.html")):
        assert faults_of(path.read_text(encoding="utf-8")) == [], path.name


def test_the_pages_of_stages_lead_back_to_the_index_of_their_language(root: Path) -> None:
    for language in LANGUAGES:
        page = (root / "reports" / f"model.{language}.html").read_text(encoding="utf-8")
        assert f'<a href="../{INDEX_FILES[language]}">' in page


def test_nothing_is_written_anew_where_nothing_changed(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in pages_under(root)}
    write_pages(PROFILE, place_of(root))
    assert {path: path.stat().st_mtime_ns for path in pages_under(root)} == before


def place_of(root: Path) -> Place:
    return Place(PROFILE.name, root.parent)


@pytest.mark.parametrize("count", range(len(ALL_STAGES)))
def test_a_run_that_has_gone_part_of_the_way_names_what_is_missing(count: int, tmp_path: Path) -> None:
    place = publish_run(tmp_path, ALL_STAGES[:count])
    write_pages(PROFILE, place)
    text = text_of(place.root)
    assert f"Not complete: {', '.join(ALL_STAGES[count:])} has not run." in text
    assert text.count("has not run") == 1 + len(ALL_STAGES[count:])
    assert "none" in lights_of(place.root).values()
    assert dead_links(place.root) == []


def test_a_page_whose_stage_is_gone_is_taken_away(root: Path) -> None:
    for stage in ("explain", "score", "watch", "monitor"):
        shutil.rmtree(root / stage)
    write_pages(PROFILE, place_of(root))
    kept = {path.name for path in (root / "reports").glob("*.en.html")}
    assert kept == {"data.en.html", "promotion.en.html"}
    assert not (root / "passports").is_symlink()
    assert dead_links(root) == []


def test_files_that_are_not_as_they_were_written_stop_the_run(root: Path) -> None:
    (root / "monitor" / "run1" / "monitor.json").write_text("{}")
    write_pages(PROFILE, place_of(root))
    assert "Do not use this run" in text_of(root)
    assert "The files of stage monitor are not as they were written" in text_of(root)
    assert lights_of(root)["drift"] == "none"
    assert not (root / "reports" / "health.en.html").exists()


def test_a_newer_run_moves_the_folder_of_passports(root: Path) -> None:
    assert (root / "passports").readlink() == Path("score/run1/passports")
    shutil.copytree(root / "score" / "run1", root / "score" / "run2")
    (root / "score" / "CURRENT").write_text("run2\n")
    write_pages(PROFILE, place_of(root))
    assert (root / "passports").readlink() == Path("score/run2/passports")


def test_a_copy_that_made_a_folder_of_the_link_is_put_right(root: Path, tmp_path: Path) -> None:
    copied = Place(PROFILE.name, tmp_path / "copied")
    shutil.copytree(root, copied.root)
    assert not (copied.root / "passports").is_symlink()
    write_pages(PROFILE, copied)
    assert (copied.root / "passports").readlink() == Path("score/run1/passports")
    assert dead_links(copied.root) == []


def test_a_folder_of_somebody_else_is_left_alone(root: Path) -> None:
    (root / "passports").unlink()
    (root / "passports").mkdir()
    (root / "passports" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigurationRefused, match="other files than passports"):
        write_pages(PROFILE, place_of(root))
    assert (root / "passports" / "notes.txt").read_text() == "mine"


def test_refused_models_and_contradictions_come_first(tmp_path: Path) -> None:
    documents = {
        "register": registration(refused=True),
        "validate": changed(validation(), "reconciliation", "contradicted_sellers", to=5),
    }
    place = publish_run(tmp_path, documents=documents)
    write_pages(PROFILE, place)
    text = text_of(place.root)
    assert lights_of(place.root) == {"data": "watch", "model": "ok", "gates": "stop", "drift": "ok"}
    assert "Do not use this run: 1 of 3 findings are critical." in text
    ranked = text[text.index("What needs a person") :]
    assert ranked.index("1 of 8 gates failed") < ranked.index("Sellers whose sources contradict each other: 5")


@pytest.mark.parametrize("refusal", [GateFailed, QuarantineLimitExceeded])
def test_a_run_that_was_published_and_then_refused_has_its_pages(refusal: type[PassportError], tmp_path: Path) -> None:
    place = publish_run(tmp_path, ALL_STAGES[:3])
    with pytest.raises(refusal, match="over the limit"), refreshed_pages(PROFILE, place):
        raise refusal("over the limit")
    assert (place.root / "index.html").is_file()


@pytest.mark.parametrize("fault", [ConfigurationRefused("no", "none"), ZeroDivisionError()])
def test_work_that_published_nothing_leaves_the_pages_alone(fault: Exception, tmp_path: Path) -> None:
    place = publish_run(tmp_path, ALL_STAGES[:3])
    with pytest.raises(type(fault)), refreshed_pages(PROFILE, place):
        raise fault
    assert not (place.root / "index.html").exists()
