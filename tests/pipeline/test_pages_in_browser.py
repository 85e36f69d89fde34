"""Pages in headless Chromium, offline: no script runs, no network request is made, text stays text."""

from __future__ import annotations

import copy
import functools
import http.server
import os
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from models.explanation.explain import explain_model
from models.explanation.explanation import ExplainSettings
from pipelines.commands.seller_delivery import delivery_document, overview_document
from pipelines.reports.delivery_page import render_deliveries_page, render_delivery_page
from pipelines.reports.explanation_page import ExplanationSubject, render_explanation_page
from pipelines.reports.model_page import render_model_page
from pipelines.reports.passport_page import render_passport_page
from pipelines.reports.rendering import LANGUAGES, Language
from tests.factories.deliveries import SELLER, received
from tests.factories.model_reports import identity, out_of_time_report, small_sample_report
from tests.factories.models import small_credit_model, small_world
from tests.factories.pages import HOSTILE
from tests.factories.passports import passport_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SUBJECT = ExplanationSubject("seller-default", "1", "synthetic world", is_synthetic=True, points_to_double_odds=40.0)
DEADLINE_SECONDS = 120


@pytest.fixture(scope="module")
def chromium() -> str:
    """Return a Chromium (``CHROMIUM``, else from the path), or skip."""
    found = os.environ.get("CHROMIUM") or next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        pytest.skip("no Chromium on this machine; install one, or name it in CHROMIUM, to open pages in a browser")
    return found


class Recorder(http.server.SimpleHTTPRequestHandler):
    """Server of a folder that records all requests."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name its base gives it
        """Stay silent."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """Return the address of a server of ``tmp_path``, and the list of requested paths."""
    recorder = type("FolderRecorder", (Recorder,), {"asked": []})
    handler = functools.partial(recorder, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", recorder.asked
        server.shutdown()
        thread.join()


def dump(chromium: str, address: str, folder: Path, *options: str) -> str:
    """Return the page's document after everything has loaded and run."""
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    command += [f"--user-data-dir={folder / 'chromium'}", "--virtual-time-budget=2000", *options, "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=True)
    return done.stdout


def title_of(document: str) -> str:
    found = re.search(r"<title>(.*?)</title>", document, re.DOTALL)
    assert found is not None
    return found.group(1)


@functools.cache
def explanation_text(hostile: str | None, language: Language) -> str:
    sample = small_world().dataset
    days = list(sample.as_of[:200].astype(object))
    explained = explain_model(
        small_credit_model(), sample.X[:200], list(sample.seller_id[:200]), days, ExplainSettings(tested_rows=20)
    ).to_dict()
    if hostile is not None:
        for feature in explained["features"]:
            feature |= {"title_en": hostile, "title_zh": hostile}
        for local in explained["local"]:
            local["seller_id"] = hostile
    return render_explanation_page(explained, SUBJECT, language)


def model_text(hostile: str | None, language: Language) -> str:
    document = out_of_time_report()
    if hostile is not None:
        document["population"] = {**document["population"], "dropped": {hostile: 9041}}
    return render_model_page(document, identity(), language)


def passport_text(hostile: str | None, language: Language) -> str:
    passport = passport_json()
    if hostile is not None:
        subject = passport["credentialSubject"]
        for reason in (*subject["points"]["for"], *subject["points"]["against"]):
            reason |= {"en": hostile, "zh": hostile}
        subject["warnings"][0] |= {"en": hostile, "zh": hostile}
        passport["issuer"]["name"] = hostile
    return render_passport_page(passport, language)


@functools.cache
def delivery_documents() -> tuple[dict[str, Any], dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        deliveries = received(Path(folder))
        return delivery_document(deliveries, SELLER, 3), overview_document(deliveries)


def delivery_text(hostile: str | None, language: Language) -> str:
    document = copy.deepcopy(delivery_documents()[0])
    if hostile is not None:
        document["files"][0] |= {"file": hostile, "notes": [hostile]}
        for source in document["sources"]:
            for shown in source["examples"].values():
                shown[0] |= {"file": hostile, "value": hostile}
    return render_delivery_page(document, language)


def deliveries_text(hostile: str | None, language: Language) -> str:
    document = copy.deepcopy(delivery_documents()[1])
    if hostile is not None:
        document["about"]["title"] = document["worst"][0]["seller_id"] = hostile
    return render_deliveries_page(document, language)


PAGES: dict[str, Callable[[str | None, Language], str]] = {
    "model": model_text,
    "explanation": explanation_text,
    "passport": passport_text,
    "delivery": delivery_text,
    "deliveries": deliveries_text,
}


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
