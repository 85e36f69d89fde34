"""The documentation site is built strictly, loads nothing from elsewhere, and is searched in both languages offline."""
# ruff: noqa: E402 - nothing of these tools is imported where they are not installed

from __future__ import annotations

import http.server
import os
import re
import shutil
import subprocess
import threading
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

import pytest

for needed in ("mkdocs", "nbconvert"):
    pytest.importorskip(needed, reason="the documentation tools are not installed; make site installs them")

import jupytext
import nbformat

from tools.site.building import SiteRefused, build_site
from tools.site.notebooks import render_notebooks
from tools.site.pages import gather_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[2]
SETTINGS = CHECKOUT / "mkdocs.yml"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# A browser reports home whatever page is open; fonts are what a page would ask of the same company.
BROWSERS_OWN = re.compile(r"(?!fonts\.)([a-z0-9-]+\.)*(google|googleapis)\.com")
LOADED_BY_HREF = {
    "stylesheet",
    "icon",
    "preload",
    "preconnect",
    "modulepreload",
    "prefetch",
    "dns-prefetch",
    "manifest",
}


class Loading(HTMLParser):
    """What a page loads when it is opened, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if source := values.get("src") or values.get("data"):
            self.loaded.append(source)
        if target := values.get("href"):
            loads = tag == "link" and LOADED_BY_HREF & set(values.get("rel", "").split())
            (self.loaded if loads else self.links).append(target)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site of this checkout, built with notebooks that were not really executed."""
    folder = tmp_path_factory.mktemp("documentation")
    for source in (CHECKOUT / "notebooks").glob("*.py"):
        notebook = jupytext.read(source)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.update(execution_count=1, outputs=[])
        (folder / "executed").mkdir(exist_ok=True)
        nbformat.write(notebook, folder / "executed" / f"{source.stem}.ipynb")
    gather_pages(CHECKOUT, folder / "pages")
    render_notebooks(CHECKOUT / "notebooks", folder / "executed", folder / "pages" / "notebooks")
    build_site(SETTINGS, folder / "pages", folder / "site")
    return folder / "site"


def pages_of(site: Path) -> dict[Path, Loading]:
    """Return every page but the one for missing pages, which only a server shows."""
    return {path: Loading(path.read_text(encoding="utf-8")) for path in site.rglob("*.html") if path.name != "404.html"}


def foreign(addresses: list[str]) -> list[str]:
    return [address for address in addresses if urlsplit(address).netloc]


def test_no_page_and_no_style_sheet_loads_anything_from_elsewhere(site: Path) -> None:
    assert {path.name: foreign(page.loaded) for path, page in pages_of(site).items() if foreign(page.loaded)} == {}
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert foreign(re.findall(r"""(?:url\(|@import\s+)["']?([^"')\s]+)""", text)) == [], sheet


@pytest.mark.parametrize(
    "spoilt",
    [
        '<script src="https://unpkg.com/iframe-worker/shim"></script>',
        '<link rel="preconnect stylesheet" href="//fonts.example.org/a.css">',
        '<img src="https://example.org/badge.png">',
    ],
)
def test_something_loaded_from_elsewhere_would_be_noticed(spoilt: str) -> None:
    assert foreign(Loading(f"<p>{spoilt}</p>").loaded)


def test_every_file_that_a_page_names_is_there(site: Path) -> None:
    missing = {
        (path.relative_to(site).as_posix(), address)
        for path, page in pages_of(site).items()
        for address in (*page.loaded, *page.links)
        if not urlsplit(address).scheme
        and not urlsplit(address).netloc
        and urlsplit(address).path not in {"", "."}
        and not (path.parent / unquote(urlsplit(address).path)).is_file()
    }
    assert missing == set()


def test_every_document_and_notebook_is_a_page_in_both_languages(site: Path) -> None:
    expected = {
        "glossary.html",
        *(f"contracts/sources/{path.stem}.html" for path in (CHECKOUT / "docs/contracts/sources").glob("*.md")),
        *(f"notebooks/{path.stem}.html" for path in (CHECKOUT / "notebooks").glob("*.py")),
        *(f"{path.stem}.html" for path in (CHECKOUT / "docs").glob("*.md") if not path.name.endswith(".zh.md")),
    }
    for place in expected:
        assert (site / place).is_file(), place
        assert (site / "zh" / place).is_file(), place


def test_every_chinese_page_replaces_the_english_one(site: Path) -> None:
    for path in (CHECKOUT / "docs").rglob("*.zh.md"):
        place = path.relative_to(CHECKOUT / "docs").as_posix().removesuffix(".zh.md")
        title = path.read_text(encoding="utf-8").split("# ", 1)[1].split("\n", 1)[0]
        assert title in (site / "zh" / f"{place}.html").read_text(encoding="utf-8")


@pytest.fixture
def small_pages(tmp_path: Path) -> Path:
    """Return a folder of pages whose navigation is that of the real site cut to two pages, with its settings file."""
    settings = re.sub(
        r"^nav:.*", "nav: [index.md, guide.md]\n", SETTINGS.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    theme = f"custom_dir: {CHECKOUT}/tools/site/theme"
    (tmp_path / "mkdocs.yml").write_text(settings.replace("custom_dir: tools/site/theme", theme), encoding="utf-8")
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "index.md").write_text("# Start\n\n[Guide](guide.md#score)\n", encoding="utf-8")
    (pages / "guide.md").write_text("# Guide\n\n## Score\n", encoding="utf-8")
    return pages


def test_a_site_without_faults_is_built(small_pages: Path) -> None:
    build_site(small_pages.with_name("mkdocs.yml"), small_pages, small_pages.with_name("site"))
    assert (small_pages.with_name("site") / "zh" / "guide.html").is_file()


@pytest.mark.parametrize(
    ("page", "text", "fault"),
    [
        ("index.md", "# Start\n\n[Guide](guid.md)\n", "guid.md"),
        ("index.md", "# Start\n\n[Guide](guide.md#scores)\n", "#scores"),
        ("index.md", "# Start\n\n[Guide](/guide.md)\n", "/guide.md"),
        ("lost.md", "# Nobody gets here\n", "lost.md"),
    ],
)
def test_a_broken_link_or_an_unreachable_page_fails_the_build(
    page: str, text: str, fault: str, small_pages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (small_pages / page).write_text(text, encoding="utf-8")
    with pytest.raises(SiteRefused):
        build_site(small_pages.with_name("mkdocs.yml"), small_pages, small_pages.with_name("site"))
    assert fault in capsys.readouterr().err


class Proxy(http.server.BaseHTTPRequestHandler):
    """A proxy that records which hosts a browser asks for, and answers none of them."""

    hosts: list[str]

    def do_GET(self) -> None:
        self.hosts.append(urlsplit(self.path).hostname or "")
        self.send_error(502)

    def do_CONNECT(self) -> None:
        self.hosts.append(self.path.split(":", maxsplit=1)[0])
        self.send_error(502)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name its base gives it
        """Stay silent."""


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a proxy and the hosts asked of it."""
    recorder = type("Recorder", (Proxy,), {"hosts": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), recorder) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", recorder.hosts
        server.shutdown()
        thread.join()


def opened(address: str, folder: Path, proxy_address: str) -> str:
    """Return the document that Chromium holds after it has opened the address; skip if there is no Chromium."""
    browser = os.environ.get("CHROMIUM") or next((path for path in map(shutil.which, BROWSERS) if path), None)
    if browser is None:
        pytest.skip("no Chromium on this machine; install one, or name it in CHROMIUM, to open pages in a browser")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-sync",
    ]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-quic"]
    options += [f"--user-data-dir={folder / 'chromium'}", f"--proxy-server={proxy_address}"]
    command = [browser, *options, "--virtual-time-budget=8000", "--dump-dom", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=True).stdout


@pytest.mark.parametrize(
    ("question", "found"),
    [("index.html?q=settlement", "Temu"), (f"zh/index.html?q={quote('报关单')}", "Chinese export declaration")],
)
def test_the_search_answers_from_a_folder_without_a_server_or_a_network(
    question: str, found: str, site: Path, proxy: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, hosts = proxy
    document = opened(f"{site.as_uri()}/{question}", tmp_path, address)
    results = re.findall(r'<article class="md-search-result__article.*?</article>', document, re.DOTALL)
    assert any(found in re.sub(r"<[^>]+>", "", result) for result in results)
    assert [host for host in hosts if not BROWSERS_OWN.fullmatch(host)] == []


def test_a_page_that_loads_a_script_from_elsewhere_is_seen_by_the_proxy(
    proxy: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, hosts = proxy
    (tmp_path / "page.html").write_text('<script src="https://unpkg.com/shim"></script>', encoding="utf-8")
    opened((tmp_path / "page.html").as_uri(), tmp_path, address)
    assert [host for host in hosts if not BROWSERS_OWN.fullmatch(host)] == ["unpkg.com"]
