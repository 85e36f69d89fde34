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


def is_withheld(account: FileCounts) -> bool:
    """Return whether a file was not opened for lack of consent."""
    return account.status not in {"read", "unlisted"}


def rows_kept_out(quarantined: Mapping[str, int]) -> int:
    """Count the rows set aside for their age or for lack of consent, which are nobody's mistake."""
    return sum(rows for rule_id, rows in quarantined.items() if rule_id.startswith(_KEPT_OUT))


def require_balance(account: FileCounts) -> None:
    """Check that no row of a file was lost or added.

    Raises:
        InternalFault: rows in are not accepted + quarantined + duplicates.
    """
    if account.rows_in != account.accepted + account.set_aside:
        raise InternalFault(
            f"rows of {account.file} do not add up: {account.rows_in} in, {account.accepted} accepted, "
            f"{sum(account.quarantined.values())} quarantined, {sum(account.duplicates.values())} duplicates"
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


def totals_by_source(accounts: Iterable[FileCounts]) -> list[SourceTotal]:
    """Return one total per source, in alphabetical order; files that were not opened are left out."""
    by_source: dict[str, list[FileCounts]] = {}
    for account in accounts:
        if account.status == "read":
            by_source.setdefault(account.source, []).append(account)
    return [_total(source, by_source[source]) for source in sorted(by_source)]


def _total(source: str, accounts: list[FileCounts]) -> SourceTotal:
    return SourceTotal(
        source=source,
        files=len(accounts),
        rows_in=sum(account.rows_in for account in accounts),
        accepted=sum(account.accepted for account in accounts),
        quarantined=_summed(account.quarantined for account in accounts),
        duplicates=_summed(account.duplicates for account in accounts),
        warnings=_summed(account.warnings for account in accounts),
        notes=dict(sorted(Counter(note for account in accounts for note in account.notes).items())),
    )


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))


def row_counts_document(accounts: Iterable[FileCounts]) -> dict[str, Any]:
    """Return the row counts as published: totals by source, files not opened, and every file read."""
    accounts = list(accounts)
    return {
        "sources": [asdict(total) for total in totals_by_source(accounts)],
        "unlisted_files": [account.file for account in accounts if account.status == "unlisted"],
        "withheld_files": [
            {"file": account.file, "source": account.source, "sha256": account.sha256, "status": account.status}
            for account in accounts
            if is_withheld(account)
        ],
        "files": [asdict(account) for account in accounts if account.status == "read"],
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
