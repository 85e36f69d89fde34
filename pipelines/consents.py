"""Which files may be read: those of sellers who consent, by source and purpose, on the day of recording.

Consents come as rows of the table ``consent`` in the same delivery. What a file holds is not looked at before it is
known that it may be: it is not opened, and covers nothing, so that what it would have said is missing and never zero.
Files that no single seller delivered (a lender's books, a register) need no seller's consent.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from data_contracts.sources.mapping import run_sql
from pipelines.accounting import CONSENT_WITHDRAWN, NO_CONSENT
from pipelines.deliveries import CONSENT_SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from pipelines.accounting import Withheld
    from pipelines.deliveries import DeliveredFile
    from pipelines.ingest_settings import IngestSettings

CONSENT_TABLE: Final = "consent"
EVERY_SOURCE: Final = "all"

# Of each consent the row known last holds; where one day gave and withdrew it, the withdrawal.
_IN_FORCE: Final = """
    SELECT seller_id, consented_source,
        coalesce(withdrawn_on <= $day, false) AS is_withdrawn,
        valid_from <= $day AND coalesce(valid_to >= $day, true) AS is_current
    FROM (
        SELECT *, row_number() OVER (
            PARTITION BY seller_id, consent_reference ORDER BY known_at DESC, withdrawn_on IS NULL, event_date DESC
        ) AS age
        FROM consents WHERE purpose = $purpose AND known_at <= $moment AND event_date <= $day
    )
    WHERE age = 1
"""


def withheld_files(files: Iterable[DeliveredFile], consents: pa.Table, settings: IngestSettings) -> dict[str, Withheld]:
    """Give the names of the files that may not be read, each with the reason.

    Args:
        files: the files delivered.
        consents: the accepted rows of the canonical table ``consent``.
        settings: whether consent is needed, for what purpose, and on which day (that of recording).
    """
    if settings.consent == "not_required":
        return {}
    states = _states(consents, settings)
    judged = ((file.name, _judged(file, states, settings)) for file in files)
    return {name: reason for name, reason in judged if reason is not None}


def _states(consents: pa.Table, settings: IngestSettings) -> Mapping[tuple[str, str], set[str]]:
    """Give by seller and source what the consents say on the day: ``given``, ``withdrawn`` or ``over``."""
    day = settings.recorded_at.date()
    parameters = {"purpose": settings.consent_purpose, "moment": settings.recorded_at, "day": day}
    states: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for row in run_sql(_IN_FORCE, parameters, consents=consents).to_pylist():
        state = "withdrawn" if row["is_withdrawn"] else "given" if row["is_current"] else "over"
        states[row["seller_id"], row["consented_source"]].add(state)
    return states


def _judged(
    file: DeliveredFile, states: Mapping[tuple[str, str], set[str]], settings: IngestSettings
) -> Withheld | None:
    if file.seller is None or file.source == CONSENT_SOURCE:
        return None
    said = states.get((file.seller, file.source), set()) | states.get((file.seller, EVERY_SOURCE), set())
    if "given" in said or (not said and settings.consent == "where_listed"):
        return None
    return CONSENT_WITHDRAWN if "withdrawn" in said else NO_CONSENT
