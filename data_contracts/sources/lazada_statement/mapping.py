"""Map Lazada statements to ``money_event``: one row for each amount."""

from __future__ import annotations

from typing import Final

from data_contracts.mapping.lazada import LazadaReport

_RELEASED: Final = "lower(trim(release_state)) IN ('released', 'paid', 'settled', 'completed')"
_HELD: Final = "lower(trim(release_state)) IN ('unreleased', 'not released', 'pending', 'pending release', 'on hold')"
# An amount that is not released appears again once it is; until then it is no money that the shop can use.
_IS_FREE: Final = f"({_RELEASED} OR (NOT coalesce({_HELD}, false) AND coalesce(released_on IS NOT NULL, false)))"

_UNKNOWN_STATES: Final = f"""
SELECT row_order, CASE
    WHEN release_state IS NULL THEN 'neither release status nor release date, read as deferred'
    ELSE 'status of unknown meaning, read as ' || CASE WHEN released_on IS NULL THEN 'deferred' ELSE 'released' END
        || ': ' || release_state END AS reason
FROM raw
WHERE signed_amount IS NOT NULL AND CASE WHEN release_state IS NULL THEN released_on IS NULL
    ELSE NOT ({_RELEASED} OR {_HELD}) END
ORDER BY row_order
"""  # noqa: S608 - put together from constants of this module

MAPPING = LazadaReport(
    source="lazada_statement",
    days=("transacted_on", "released_on", "ordered_on"),
    changing=("release_state", "released_on"),
    is_final=f"coalesce({_IS_FREE}, false)",
    kind="'statement'",
    status=f"CASE WHEN part = 'estimate' THEN 'estimated' WHEN {_IS_FREE} THEN 'released' ELSE 'deferred' END",
    available_on="released_on",
    estimated="estimated_amount",
    remarked=_UNKNOWN_STATES,
).mapping()
