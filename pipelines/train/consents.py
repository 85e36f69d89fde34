"""Sellers whose data may train a model: those who consented to that purpose, where the profile requires consent.

A seller consents by source. It is left out unless a consent to training is in force, on the day of recording, for every
source that it delivered. What the lender wrote itself and what public registers hold needs no seller's consent, as at
ingest. A seller that delivered nothing has consented to nothing. The setting is the one for reading files: with
``where_listed``, sellers without any statement on consent are not asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.compiler import table_contract
from data_contracts.mapping.consent_states import EVERY_SOURCE, TABLES_WITHOUT_CONSENT, consent_states
from pipelines.runs.publish import read_parquet

if TYPE_CHECKING:
    from pathlib import Path

    from data_contracts.arrow import Values
    from pipelines.profiles.ingest_settings import IngestSettings

TRAINING: Final = "model_training"
NO_TRAINING_CONSENT: Final = "no_training_consent"


def may_train(
    observed: pa.Table, consents: Path, coverage: Path, settings: IngestSettings
) -> pa.Array[pa.BooleanScalar]:
    """Return, for each observation, whether its seller's data may be used to train a model.

    Args:
        observed: observations with a column ``seller_id``.
        consents: file of the canonical table ``consent``; it may be absent.
        coverage: file of the canonical table ``source_coverage``.
        settings: whether consent is required, and the day of recording.
    """
    if settings.consent == "not_required":
        return pa.array([True] * observed.num_rows, pa.bool_())
    stated = read_parquet(consents) if consents.is_file() else table_contract("consent").arrow_schema.empty_table()
    sources = delivered_sources(read_parquet(coverage, ["seller_id", "covered_table", "delivered_source"]))
    states = consent_states(stated, TRAINING, settings.recorded_at)
    given = {key for key, found in states.items() if "given" in found}
    listed = set(stated["seller_id"].to_pylist())
    unlisted_may = settings.consent == "where_listed"

    def may(seller: str) -> bool:
        if unlisted_may and seller not in listed:
            return True
        theirs = sources.get(seller, frozenset())
        return bool(theirs) and ((seller, EVERY_SOURCE) in given or all((seller, source) in given for source in theirs))

    sellers = list(map(str, observed["seller_id"].to_pylist()))
    answers = {seller: may(seller) for seller in set(sellers)}
    return pa.array([answers[seller] for seller in sellers], pa.bool_())


def delivered_sources(coverage: pa.Table) -> dict[str, frozenset[str]]:
    """Return the sources that each seller delivered, or others about it with its consent."""
    asked: Values = pc.invert(
        pc.is_in(pc.cast(coverage["covered_table"], pa.string()), pa.array(sorted(TABLES_WITHOUT_CONSENT)))
    )
    pairs = coverage.filter(asked).group_by(["seller_id", "delivered_source"]).aggregate([]).to_pylist()
    found: dict[str, set[str]] = {}
    for row in pairs:
        found.setdefault(str(row["seller_id"]), set()).add(str(row["delivered_source"]))
    return {seller: frozenset(sources) for seller, sources in found.items()}
