"""Which page is for whom: links grouped by reader. Only what is there is linked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pipelines.index.run_record import RunRecord
    from pipelines.reports.rendering import Language

PAGES_FOLDER = "reports"
ROWS_SECTION = "#rows"
"""Section of the index page that links the manifest of every stage."""
PAGES_OF_READERS: Mapping[str, tuple[str, ...]] = {
    "committee": ("model", "explanation", "promotion"),
    "lender": ("passports", "scores", "watch", "health"),
    "seller": ("deliveries",),
    "scientist": ("data", "model", "health"),
    "auditor": ("promotion", "ledger", "manifests"),
}
"""Pages and files by reader, in the order in which they are shown."""


@dataclass(frozen=True)
class Link:
    """A link of the index page: the key of its words, and its address relative to the profile's folder."""

    key: str
    address: str


def page_address(page: str, language: Language) -> str:
    """Return where a page is kept, relative to the profile's folder."""
    return f"{PAGES_FOLDER}/{page}.{language}.html"


def links_by_reader(run: RunRecord, pages: Iterable[str], language: Language) -> dict[str, tuple[Link, ...]]:
    """Return the links of each reader who has any.

    Args:
        run: the run.
        pages: names of the pages that have been written.
        language: of the index page.
    """
    there = set(pages)
    addresses = {page: page_address(page, language) for page in there} | _files(run, language)
    links = {
        reader: tuple(Link(f"link_{name}", addresses[name]) for name in names if name in addresses)
        for reader, names in PAGES_OF_READERS.items()
    }
    return {reader: found for reader, found in links.items() if found}


def _files(run: RunRecord, language: Language) -> dict[str, str]:
    """Return the files that are no pages of ours, where they are."""
    candidates: dict[str, Path] = {
        "deliveries": run.root / PAGES_FOLDER / "deliveries" / f"index.{language}.html",
        "ledger": run.root / "ledger" / "promotions.jsonl",
    }
    score = run.stage("score")
    if score is not None and score.folder is not None:
        candidates["scores"] = score.folder / "scores.csv"
    found = {name: path.relative_to(run.root).as_posix() for name, path in candidates.items() if path.is_file()}
    return {**found, "manifests": ROWS_SECTION} if any(stage.folder for stage in run.stages) else found
