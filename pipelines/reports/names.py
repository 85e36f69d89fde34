"""Short names of sources in words, for pages that have no room for the titles of their contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pipelines.reports.rendering import Texts

TEMPLATE_PREFIX: Final = "template_"
"""Start of the name of a source that is a table's own template."""


def brief_source(name: str, texts: Texts) -> str:
    """Return the short name of a source, or for a template that of its table; the code itself if there are no words."""
    if not name.startswith(TEMPLATE_PREFIX):
        return texts.of_code("brief", name)
    return texts("brief_own_template", table=texts.of_code("table", name.removeprefix(TEMPLATE_PREFIX)))
