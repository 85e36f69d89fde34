"""Checks that apply to every page."""

from __future__ import annotations

import html.parser
import re

HOSTILE = (
    "</script><script>document.title='x'</script>",
    "<img src=x onerror=\"document.title='x'\">",
    "$x$ \\frac{1}{0} $",
    "{{7*7}} {% for %} {0} {name}",
    "=cmd|' /C calc'!A0",
    "\"' onmouseover=document.title='x' style=position:fixed",
    "]]></svg><svg onload=document.title='x'>",
)
"""Names that would run code, or break a page, if text were not escaped."""

ABOUT = {
    "profile": "test",
    "title": "A test",
    "is_synthetic": True,
    "evidence": "synthetic world",
    "recorded_at": "2026-01-01T00:00:00+00:00",
    "quarantine_limit_share": 0.01,
    "ingest_quarantine_limit_share": 0.01,
}
"""What a validation report states about its profile."""

VOID = {"meta", "link", "br", "hr", "img", "input", "col", "wbr"}
LOADING_ATTRIBUTES = {"src", "srcset", "poster", "data", "background", "formaction", "xlink:href"}


class PageReader(html.parser.HTMLParser):
    """Collector of a page's content: tags with attributes, visible text, and unclosed tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.mismatches: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.mismatches.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        """The page's text with runs of whitespace collapsed."""
        return re.sub(r"\s+", " ", " ".join(self.words))


def read_page(page: str) -> PageReader:
    """Parse a page."""
    reader = PageReader()
    reader.feed(page)
    reader.close()
    return reader


def faults_of(page: str) -> list[str]:
    """Return everything that a self-contained, script-free, well-formed page may not have."""
    reader = read_page(page)
    faults = [f"tag {tag} closed out of order" for tag in reader.mismatches] + [
        f"{tag} left open" for tag in reader.open
    ]
    for tag, attributes in reader.tags:
        if tag in {"script", "iframe", "object", "embed", "link", "base", "form"}:
            faults.append(f"<{tag}>")
        faults += [f"<{tag} {name}>" for name in attributes if name.startswith("on") or name in LOADING_ATTRIBUTES]
        target = attributes.get("href") or ""
        if ":" in target or target.startswith("//"):
            faults.append(f"<{tag} href={target}>")
        if tag == "svg" and not (attributes.get("role") == "img" or attributes.get("aria-hidden") == "true"):
            faults.append("svg without role")
        if tag == "th" and "scope" not in attributes:
            faults.append("th without scope")
    if re.search(r"@import|url\(", page):
        faults.append("style sheet loads something")
    if "None" in reader.text.split() or "nan" in reader.text.split():
        faults.append("an absent value is printed")
    return faults
