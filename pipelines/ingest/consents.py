"""Consents in force on the day of recording: which sellers' files may be read, by source and purpose.

Consents are rows of the table ``consent`` in the same delivery. A file without consent is not opened and counts as not
delivered, so its figures are missing and never zero. Files with rows of several sellers are opened, and each row is
read or withheld by its seller's consent (``batches.row_consents``). A lender's own books need no seller's consent.

A consent statement that was set aside may have been a withdrawal. Until it is corrected, nothing of its seller is read;
if its seller cannot be read either, nothing at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from data_contracts.errors import InputRefused
from data_contracts.mapping.consent_states import EVERY_SOURCE, consent_states
from pipelines.ingest.deliveries.manifest import CONSENT_SOURCE
from pipelines.runs.file_counts import CONSENT_NOT_READABLE, CONSENT_WITHDRAWN, NO_CONSENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    import pyarrow as pa

    from data_contracts.mapping.consent_states import State
    from pipelines.ingest.deliveries.manifest import DeliveredFile
    from pipelines.profiles.ingest_settings import IngestSettings
    from pipelines.runs.file_counts import Withheld

CONSENT_TABLE: Final = "consent"


@dataclass(frozen=True)
class SetAsideConsent:
    """A consent statement that was set aside: its seller if legible, its place, and the rule it breaks."""

    seller: str | None
    file: str
    row: int
    column: str | None
    rule_id: str


@dataclass(frozen=True)
class SourceConsents:
    """The consents for one source.

    Attributes:
        by_seller: why nothing of a seller may be read, or None if it may; only where it differs from ``otherwise``.
        otherwise: the same for all other sellers.
        parties: the same for references of parties that are sellers, known from other files.
    """

    by_seller: Mapping[str, Withheld | None] = field(default_factory=dict)
    otherwise: Withheld | None = None
    parties: Mapping[str, Withheld] = field(default_factory=dict)

    def reason(self, seller: str) -> Withheld | None:
        """Return why nothing of the seller may be read, or None if it may."""
        return self.by_seller.get(seller, self.otherwise)

    @property
    def withholds_any(self) -> bool:
        """Whether rows of any seller are withheld."""
        return self.otherwise is not None or any(reason is not None for reason in self.by_seller.values())


ALL_MAY_BE_READ: Final = SourceConsents()


@dataclass(frozen=True)
class Consents:
    """The consents of a delivery on the day of recording.

    Attributes:
        states: by seller and source, ``given``, ``withdrawn`` or ``over``.
        in_doubt: sellers with a consent statement that was set aside.
        unless_listed: why nothing may be read of a seller and source without consents, or None if it may.
    """

    states: Mapping[tuple[str, str], frozenset[State]]
    in_doubt: Set[str]
    unless_listed: Withheld | None

    def of_source(self, source: str, seller_of: Mapping[str, str] = MappingProxyType({})) -> SourceConsents:
        """Return the consents for a source; ``seller_of`` maps references of parties to sellers."""
        sellers = {seller for seller, said_of in self.states if said_of in {source, EVERY_SOURCE}} | self.in_doubt
        reasons = {seller: self._reason(seller, source) for seller in sorted(sellers)}
        apart = {seller: reason for seller, reason in reasons.items() if reason != self.unless_listed}
        judged = ((party, reasons.get(seller, self.unless_listed)) for party, seller in sorted(seller_of.items()))
        parties = {party: reason for party, reason in judged if reason is not None}
        return SourceConsents(apart, self.unless_listed, parties)

    def _reason(self, seller: str, source: str) -> Withheld | None:
        if seller in self.in_doubt:
            return CONSENT_NOT_READABLE
        given: frozenset[State] = frozenset()
        said = self.states.get((seller, source), given) | self.states.get((seller, EVERY_SOURCE), given)
        if not said:
            return self.unless_listed
        if "given" in said:
            return None
        return CONSENT_WITHDRAWN if "withdrawn" in said else NO_CONSENT


NOBODY_IS_ASKED: Final = Consents({}, frozenset(), None)


def consents_in_force(accepted: pa.Table, set_aside: Iterable[SetAsideConsent], settings: IngestSettings) -> Consents:
    """Return the consents in force on the day of recording, for the purpose in the settings.

    Args:
        accepted: the accepted rows of the canonical table ``consent``.
        set_aside: the consent statements that were set aside.
        settings: whether consent is required, for what purpose, and the day of recording.

    Raises:
        InputRefused: a statement that was set aside does not show its seller.
    """
    return Consents(
        states=consent_states(accepted, settings.consent_purpose, settings.recorded_at),
        in_doubt=frozenset(_named(statement) for statement in set_aside),
        unless_listed=NO_CONSENT if settings.consent == "required" else None,
    )


def _named(statement: SetAsideConsent) -> str:
    if statement.seller is None:
        raise InputRefused(
            file=statement.file,
            row=statement.row,
            column=statement.column,
            rule=f"rule {statement.rule_id} is broken, and the seller of the consent cannot be read",
            remedy="correct the row: it may withdraw a consent, so nothing is read until its seller is legible",
        )
    return statement.seller


def withheld_files(files: Iterable[DeliveredFile], consents: Consents) -> dict[str, Withheld]:
    """Return the names of the files that may not be read, each with the reason."""
    of_source: dict[str, SourceConsents] = {}
    reasons: dict[str, Withheld] = {}
    for file in files:
        if file.seller is None or file.source == CONSENT_SOURCE:
            continue
        if file.source not in of_source:
            of_source[file.source] = consents.of_source(file.source)
        reason = of_source[file.source].reason(file.seller)
        if reason is not None:
            reasons[file.name] = reason
    return reasons
