"""Headless Chromium for tests: a page's document, its layout at several widths, and its sheets of paper."""

from __future__ import annotations

import functools
import html
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"),
)
DEADLINE_SECONDS = 240
# Opens each page in a frame of each width (a window cannot be narrower than 500 pixels) and reports what passes an
# edge. What is kept for screen readers far to the left is no fault.
HARNESS = """<!doctype html><title>layout</title><pre id="found"></pre><script>
const pages = PAGES, widths = WIDTHS, found = [];
let left = pages.length * widths.length;
function measured(frame, page, width) {
  const body = frame.contentDocument.body, root = frame.contentDocument.documentElement;
  const beyond = [...body.querySelectorAll("*")].filter(element => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.right > -1000 && (box.right > width + 0.6 || box.left < -0.6);
  }).map(element => element.tagName + "." + (element.getAttribute("class") || ""));
  found.push({page, width, scroll: root.scrollWidth, height: root.scrollHeight, beyond: beyond.slice(0, 5)});
  if (!--left) document.getElementById("found").textContent = JSON.stringify(found);
}
for (const page of pages) for (const width of widths) {
  const frame = document.createElement("iframe");
  frame.width = width; frame.height = 900; frame.style.border = "0"; frame.src = page;
  frame.onload = () => measured(frame, page, width);
  document.body.append(frame);
}
</script>"""


@dataclass(frozen=True)
class Layout:
    """A page at one width: the width it takes, its height, and the first elements that pass an edge."""

    page: str
    width: int
    scroll: int
    height: int
    beyond: tuple[str, ...]


def find_chromium() -> str | None:
    """Return the Chromium that ``CHROMIUM`` names, else one on the path."""
    return os.environ.get("CHROMIUM") or next((path for path in map(shutil.which, NAMES) if path), None)


class Recorder(http.server.SimpleHTTPRequestHandler):
    """Server of a folder that records all requests."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name its base gives it
        """Stay silent."""


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder; yield its address and the list of requested paths."""
    recorder = type("FolderRecorder", (Recorder,), {"asked": []})
    handler = functools.partial(recorder, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", recorder.asked
        server.shutdown()
        thread.join()


def dump(chromium: str, address: str, folder: Path, *options: str) -> str:
    """Return the page's document after everything has loaded and run."""
    command = [chromium, *OPTIONS, f"--user-data-dir={folder / 'chromium'}", "--virtual-time-budget=5000", *options]
    done = subprocess.run(
        [*command, "--dump-dom", address], capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=True
    )
    return done.stdout


def title_of(document: str) -> str:
    """Return the title of a document."""
    found = re.search(r"<title>(.*?)</title>", document, re.DOTALL)
    assert found is not None
    return found.group(1)


def layouts(chromium: str, pages: Mapping[str, str], widths: Sequence[int], folder: Path) -> list[Layout]:
    """Return the layout of each page (file name to text) at each width, in the order given."""
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    harness = HARNESS.replace("PAGES", json.dumps(list(pages))).replace("WIDTHS", json.dumps(list(widths)))
    (folder / "harness.html").write_text(harness, encoding="utf-8")
    with serving(folder) as (address, _):
        document = dump(chromium, f"{address}/harness.html", folder)
    found = re.search(r'<pre id="found">(.*?)</pre>', document, re.DOTALL)
    assert found is not None
    assert found.group(1), "the pages did not load in time"
    # The frames finish loading in any order.
    order = [(page, width) for page in pages for width in widths]
    rows = sorted(json.loads(html.unescape(found.group(1))), key=lambda row: order.index((row["page"], row["width"])))
    return [Layout(**{**row, "beyond": tuple(row["beyond"])}) for row in rows]


def sheets_of_paper(chromium: str, text: str, folder: Path) -> int:
    """Return the number of A4 sheets on which a page is printed."""
    page, pdf = folder / "page.html", folder / "page.pdf"
    page.write_text(text, encoding="utf-8")
    command = [chromium, *OPTIONS, f"--user-data-dir={folder / 'chromium'}", "--no-pdf-header-footer"]
    command += [f"--print-to-pdf={pdf}", page.as_uri()]
    subprocess.run(command, capture_output=True, timeout=DEADLINE_SECONDS, check=True)
    return len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))
