"""Match companies that registers list under several spellings, at the end of ingest.

The names come from the sandbox processes in memory, are matched in another one, and are stored nowhere.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.entities.party_matches import PARTY_MATCH, party_matches
from data_contracts.entities.register_names import names_companies
from data_contracts.errors import InputRefused
from pipelines.profiles.ingest_settings import limits_of
from pipelines.runs.sandbox import Call, ChildEnded, run_in_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipelines.profiles.ingest_settings import IngestSettings

log = logging.getLogger(__name__)


def matched_companies(
    sources: Iterable[str], names: Sequence[pa.Table], settings: IngestSettings
) -> dict[str, pa.Table]:
    """Return the canonical table ``party_match`` if a source names companies and matching is switched on.

    Args:
        sources: the sources delivered.
        names: company names by batch (``data_contracts.entities.register_names``).
        settings: whether to match, and the maximum number of names; if there are more, none is matched, which is
            logged.

    Raises:
        InputRefused: the names cannot be matched within the limits of a sandbox process.
    """
    if not settings.match_companies or not any(names_companies(source) for source in sources):
        return {}
    together = pa.concat_tables(names)
    if together.num_rows > settings.most_matched_names:
        log.warning(
            "companies are not matched: %d names, more than most_matched_names = %d",
            together.num_rows,
            settings.most_matched_names,
        )
        return {}
    limits = limits_of(settings, together.nbytes)
    try:
        return {PARTY_MATCH: run_in_sandbox(Call(party_matches, (together, settings.recorded_at), limits))}
    except ChildEnded as ended:
        raise InputRefused(
            file="names of companies in registers",
            rule=f"they could not be matched: {ended.reason}",
            remedy="set match_companies = false, or raise worker_memory_mib or worker_seconds",
        ) from ended
