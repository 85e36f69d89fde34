"""The state of consents on a day, by seller, source and purpose, from the canonical table ``consent``."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, Literal

from data_contracts.mapping.source_mapping import run_sql

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

State = Literal["given", "withdrawn", "over"]

EVERY_SOURCE: Final = "all"
"""A consent to this source covers every source."""

TABLES_WITHOUT_CONSENT: Final = frozenset(
    {
        "application",
        "loan",
        "repayment",
        "credit_record",
        "party",
        "party_link",
        "party_match",
        "public_record",
        "consent",
    }
)
"""Tables of the lender's own books, of public registers and of consents, for which no seller is asked."""

# The last known row of each consent counts; if a consent was given and withdrawn on one day, the withdrawal counts. It
# applies to all sources that earlier rows of the consent named.
_IN_FORCE: Final = """
    WITH known AS (
        SELECT *, row_number() OVER (
            PARTITION BY seller_id, consent_reference ORDER BY known_at DESC, withdrawn_on IS NULL, event_date DESC
        ) AS age
        FROM consents WHERE purpose = $purpose AND known_at <= $moment AND event_date <= $day
    )
    SELECT DISTINCT known.seller_id, known.consented_source,
        coalesce(latest.withdrawn_on <= $day, false) AS is_withdrawn,
        latest.consented_source = known.consented_source
            AND latest.valid_from <= $day AND coalesce(latest.valid_to >= $day, true) AS is_current
    FROM known JOIN known AS latest USING (seller_id, consent_reference) WHERE latest.age = 1
"""


def consent_states(consents: pa.Table, purpose: str, moment: datetime) -> dict[tuple[str, str], frozenset[State]]:
    """Return the states of all consents for a purpose, by seller and source; a pair may have several consents.

    Args:
        consents: rows of the canonical table ``consent``.
        purpose: the purpose asked for.
        moment: what was known then counts, on that day.
    """
    parameters = {"purpose": purpose, "moment": moment, "day": moment.date()}
    states: defaultdict[tuple[str, str], set[State]] = defaultdict(set)
    for row in run_sql(_IN_FORCE, parameters, consents=consents).to_pylist():
        state: State = "withdrawn" if row["is_withdrawn"] else "given" if row["is_current"] else "over"
        states[row["seller_id"], row["consented_source"]].add(state)
    return {key: frozenset(found) for key, found in states.items()}
