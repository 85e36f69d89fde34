"""Table cells that name their column, so that a narrow screen can show a table as a list of terms."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

TAG = re.compile(r"<(?P<end>/?)(?P<name>table|thead|tr|th|td)\b(?P<attributes>[^>]*)>")
MARKUP = re.compile(r"<[^>]*>")
COLUMNS_SPANNED = re.compile(r"\bcolspan=\"(\d+)\"")


@dataclass
class _Table:
    """Position of the reader in a table: the heads seen so far and the column of the next cell."""

    is_stack: bool
    in_head: bool = False
    heads: list[str] = field(default_factory=list)
    column: int = 0

    def label(self) -> str:
        """Return the head of the column of the next cell."""
        return self.heads[self.column] if self.column < len(self.heads) else ""


def with_cell_labels(page: str) -> str:
    """Return a page in which each ``td`` of a ``table`` of class ``stack`` carries its column's head as ``data-l``.

    The style sheet prints that label on a narrow screen. It is taken from the table's own head, so that a template
    cannot name a column twice in different words. ``page`` is markup made by this package: names and values in it are
    escaped, so that every tag found is one that a template wrote.
    """
    pieces: list[str] = []
    table = _Table(is_stack=False)
    copied = head_from = 0
    for tag in TAG.finditer(page):
        name, is_end, attributes = tag["name"], bool(tag["end"]), tag["attributes"]
        if name == "table":
            table = _Table(is_stack=not is_end and "stack" in attributes)
        elif name == "thead":
            table.in_head = not is_end
        elif name == "tr":
            table.column = 0
        elif table.in_head and name == "th" and is_end:
            table.heads.append(_words(page[head_from : tag.start()]))
        elif table.in_head and name == "th":
            head_from = tag.end()
        elif not is_end:
            if table.is_stack and name == "td":
                pieces += [page[copied : tag.end() - 1], f' data-l="{table.label()}">']
                copied = tag.end()
            spanned = COLUMNS_SPANNED.search(attributes)
            table.column += int(spanned[1]) if spanned else 1
    return "".join((*pieces, page[copied:]))


def _words(markup: str) -> str:
    """Return the words of a head as the value of an attribute."""
    return html.escape(html.unescape(" ".join(MARKUP.sub(" ", markup).split())))
