"""Stage: build the feature matrix as of each observation date, and find related sellers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.checks.rows import check_rows
from data_contracts.definition.compiler import table_names
from data_contracts.errors import InternalFault
from data_contracts.progress import SILENT
from features.build import BuildSettings, FeatureMatrix, build_features, contract_of_matrix, graph_settings
from features.catalogue import load_feature_set
from features.graph.edges import GraphSettings
from features.graph.groups import related_components
from features.observations import open_loan_observations
from pipelines.runs.data_gate import validated_output
from pipelines.runs.publish import read_parquet, write_json, write_parquet
from pipelines.runs.stages import GROUND, Place, StageInputs, StageOutcome, StageRecord, run_stage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from data_contracts.progress import Progress
    from pipelines.profiles import ObservationSettings, Profile

CODE: Final = ("data_contracts", "features", "pipelines/features", *GROUND)
_OBSERVATION_FIELDS: list[pa.Field[Any]] = [pa.field("seller_id", pa.string()), pa.field("as_of", pa.date32())]
OBSERVATION_SCHEMA = pa.schema(_OBSERVATION_FIELDS)


def run(profile: Profile, place: Place, progress: Progress = SILENT) -> StageOutcome:
    """Build the features of every observation from the validated tables."""
    source = validated_output(place, "tables")
    settings = {
        "features": profile.features.model_dump(mode="json"),
        "observations": profile.observations.model_dump(mode="json"),
    }

    def work(folder: Path) -> StageRecord:
        tables = read_tables(source)
        observations = observe(tables, profile.observations)
        feature_set = load_feature_set(profile.features.feature_set)
        matrix = build_features(tables, observations, feature_set, settings=BuildSettings(progress=progress))
        require_contract(matrix)
        write_parquet(folder / "matrix.parquet", matrix.table)
        graph = graph_settings(feature_set, GraphSettings())
        write_parquet(folder / "components.parquet", components_of(tables, observations, graph))
        identity = {"name": feature_set.name, "version": feature_set.version, "digest": feature_set.digest}
        write_json(folder / "feature_set.json", {**identity, "features": list(feature_set.names)})
        return StageRecord(
            rows_in=observations.num_rows,
            rows_kept=matrix.table.num_rows,
            notes={"features": len(feature_set.names), "sellers": len(distinct_sellers(observations))},
        )

    return run_stage("features", place, StageInputs({"tables": source}, settings, CODE), work)


def require_contract(matrix: FeatureMatrix) -> None:
    """Check a matrix against its contract.

    Raises:
        InternalFault: a seller and date occurs twice, or a feature is infinite.
    """
    checked = check_rows(matrix.table, contract_of_matrix(matrix.feature_set))
    broken = [f"{rule_id} ({rows} rows)" for rule_id, rows in checked.counts_by_rule.items() if rows]
    if broken:
        raise InternalFault(f"the feature matrix breaks its contract: {', '.join(broken)}")


def read_tables(folder: Path) -> dict[str, pa.Table]:
    """Return the canonical tables in a folder of ``<table>.parquet`` files, by name."""
    return {name: read_parquet(folder / f"{name}.parquet") for name in table_names() if _has(folder, name)}


def _has(folder: Path, name: str) -> bool:
    return (folder / f"{name}.parquet").is_file()


def observe(tables: Mapping[str, pa.Table], settings: ObservationSettings) -> pa.Table:
    """Return the observations (seller_id, as_of) of a profile, sorted by date and seller."""
    if settings.kind == "open_loans":
        return open_loan_observations(tables["loan"], tables["repayment"], settings.as_of_dates())
    sellers = distinct_sellers(tables["credit_record"])
    return pa.concat_tables([_at(sellers, as_of) for as_of in settings.as_of_dates()])


def distinct_sellers(table: pa.Table) -> list[str]:
    """Return the sellers of a table, each once, in alphabetical order."""
    return sorted(str(seller) for seller in pc.unique(table["seller_id"]).to_pylist())


def _at(sellers: list[str], as_of: date) -> pa.Table:
    return pa.Table.from_pydict({"seller_id": sellers, "as_of": [as_of] * len(sellers)}, schema=OBSERVATION_SCHEMA)


def components_of(
    tables: Mapping[str, pa.Table], observations: pa.Table, graph: GraphSettings | None = None
) -> pa.Table:
    """Return the related-party component of each observed seller, over all recorded links and accepted matches.

    A split needs every link, even one that became known late: two sellers that turn out to be related must not be on
    both sides. No feature reads this table.
    """
    sellers = distinct_sellers(observations)
    if "party_link" not in tables:
        return pa.table({"seller_id": sellers, "component_id": sellers})
    return related_components(tables, sellers, settings=graph)
