"""Row counts of every raw file: rows in = accepted + quarantined + duplicates, or the program is at fault."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from data_contracts.errors import InternalFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


Withheld = Literal["no consent", "consent withdrawn", "consent not readable"]
NO_CONSENT: Final[Withheld] = "no consent"
CONSENT_WITHDRAWN: Final[Withheld] = "consent withdrawn"
CONSENT_NOT_READABLE: Final[Withheld] = "consent not readable"
_KEPT_OUT = ("retention:", "consent:")


@dataclass(frozen=True)
class FileCounts:
    """Where the rows of one file went.

    Attributes:
        source: source contract as ``id@version``; empty for an unlisted file.
        file: path below the raw folder.
        sha256: digest of its bytes; for a file that is not opened the listed digest, or empty.
        status: ``read``; ``unlisted`` for a file that no manifest lists; ``no consent``, ``consent withdrawn`` or
            ``consent not readable`` for a file that may not be opened, so its rows are unknown.
        rows_in: rows (lines, records or items) found.
        accepted: rows that became part of the canonical tables.
        quarantined: rows set aside, by the rule they break.
        duplicates: rows set aside because they repeat something, by reason.
        warnings: accepted rows with a remark, by remark.
        notes: remarks about the file as a whole.
        rejected_by: critical rules about the whole file that it breaks; if any, no row is accepted.
    """

    source: str
    file: str
    sha256: str
    status: Literal["read", "unlisted"] | Withheld = "read"
    rows_in: int = 0
    accepted: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)
    duplicates: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    rejected_by: tuple[str, ...] = ()

    @property
    def set_aside(self) -> int:
        """Number of rows quarantined or repeated."""
        return sum(self.quarantined.values()) + sum(self.duplicates.values())


def is_withheld(counts: FileCounts) -> bool:
    """Return whether a file was not opened for lack of consent."""
    return counts.status not in {"read", "unlisted"}


def rows_kept_out(quarantined: Mapping[str, int]) -> int:
    """Count the rows set aside for their age or for lack of consent, which are nobody's mistake."""
    return sum(rows for rule_id, rows in quarantined.items() if rule_id.startswith(_KEPT_OUT))


def require_balance(counts: FileCounts) -> None:
    """Check that no row of a file was lost or added.

    Raises:
        InternalFault: rows in are not accepted + quarantined + duplicates.
    """
    if counts.rows_in != counts.accepted + counts.set_aside:
        raise InternalFault(
            f"rows of {counts.file} do not add up: {counts.rows_in} in, {counts.accepted} accepted, "
            f"{sum(counts.quarantined.values())} quarantined, {sum(counts.duplicates.values())} duplicates"
        )


@dataclass(frozen=True)
class SourceTotal:
    """Sum of the row counts of one source."""

    source: str
    files: int
    rows_in: int
    accepted: int
    quarantined: Mapping[str, int]
    duplicates: Mapping[str, int]
    warnings: Mapping[str, int]
    notes: Mapping[str, int]


def totals_by_source(all_counts: Iterable[FileCounts]) -> list[SourceTotal]:
    """Return one total per source, in alphabetical order; files that were not opened are left out."""
    by_source: dict[str, list[FileCounts]] = {}
    for counts in all_counts:
        if counts.status == "read":
            by_source.setdefault(counts.source, []).append(counts)
    return [_total(source, by_source[source]) for source in sorted(by_source)]


def _total(source: str, all_counts: list[FileCounts]) -> SourceTotal:
    return SourceTotal(
        source=source,
        files=len(all_counts),
        rows_in=sum(counts.rows_in for counts in all_counts),
        accepted=sum(counts.accepted for counts in all_counts),
        quarantined=_summed(counts.quarantined for counts in all_counts),
        duplicates=_summed(counts.duplicates for counts in all_counts),
        warnings=_summed(counts.warnings for counts in all_counts),
        notes=dict(sorted(Counter(note for counts in all_counts for note in counts.notes).items())),
    )


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))


def row_counts_document(all_counts: Iterable[FileCounts]) -> dict[str, Any]:
    """Return the row counts as published: totals by source, files not opened, and every file read."""
    all_counts = list(all_counts)
    return {
        "sources": [asdict(total) for total in totals_by_source(all_counts)],
        "unlisted_files": [counts.file for counts in all_counts if counts.status == "unlisted"],
        "withheld_files": [
            {"file": counts.file, "source": counts.source, "sha256": counts.sha256, "status": counts.status}
            for counts in all_counts
            if is_withheld(counts)
        ],
        "files": [asdict(counts) for counts in all_counts if counts.status == "read"],
    }


def counts_of_document(document: Mapping[str, Any]) -> list[FileCounts]:
    """Return the row counts that ``row_counts_document`` published."""
    unlisted = [FileCounts("", file, "", status="unlisted") for file in document["unlisted_files"]]
    withheld = [FileCounts(**entry) for entry in document["withheld_files"]]
    read = [
        FileCounts(**{**entry, **{name: tuple(entry[name]) for name in ("notes", "rejected_by")}})
        for entry in document["files"]
    ]
    return [*read, *withheld, *unlisted]
