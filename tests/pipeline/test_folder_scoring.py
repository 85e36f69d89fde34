"""Raw exports scored directly: the same result as through the tables, and no gain from withholding anything."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.catalogue import load_feature_set
from features.graph.signals import signal_tables
from features.integrity.rules import integrity_rules
from features.reconciliation.plausibility import CONTRADICTION, NO_REFUNDS, OPEN_STATEMENTS, UNSEEN_PAYOUTS
from features.record import GraphFeature
from pipelines.runs.publish import read_json, read_parquet
from pipelines.runs.stages import Place
from pipelines.score.applicant_features import OWN_TABLES
from pipelines.score.command import ScoreOptions, score_command
from pipelines.score.inputs import Request, open_input
from pipelines.score.model import ModelChoice, load_model
from pipelines.signing.ledgers import promotion_ledger
from tests.factories.small_run import PROFILE, FinishedRun, environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OWN_SOURCES = ("amazon_settlement_v2", "shopify_orders", "shop_traffic", "customs_declaration", "vat_invoices")
LENDER_SOURCES = ("lender_loans", "lender_repayments", "lender_applications")
AS_OF = date(2024, 12, 31)
ISSUED_ON = date(2025, 1, 15)
FIGURES = ("status", "codes", "probability_of_default", "score", "grade", "base_points", "pillar_points", "reasons")

Row = dict[str, Any]
Delivery = dict[str, str]
NOTHING: Mapping[str, str] = MappingProxyType({})


@pytest.fixture
def options(small_run: FinishedRun, tmp_path: Path) -> ScoreOptions:
    """Return options with the champion of the small run, and its tables."""
    return ScoreOptions(
        out=tmp_path / "out",
        profile=small_run.profile,
        place=small_run.place,
        issued_on=ISSUED_ON,
        bundle=small_run.at("train") / "bundle",
        trust=small_run.trust,
        as_of=AS_OF,
        environment={"KEYS_DIR": str(small_run.keys)},
    )


@dataclass(frozen=True)
class World:
    """What was delivered in the small world, and the pipeline's results for its applicants.

    ``sellers``: some who delivered everything up to the date, followed by six who did not. None has withdrawn a
    consent, which is in files about all sellers.
    """

    run: FinishedRun
    deliveries: tuple[Delivery, ...]
    rows: dict[str, Row]
    sellers: tuple[str, ...]

    @property
    def whole(self) -> tuple[str, ...]:
        return self.sellers[:-6]

    def deliver(
        self, folder: Path, sellers: Sequence[str], without: Sequence[str] = (), held_back: Mapping[str, str] = NOTHING
    ) -> Path:
        """Copy the raw files of these sellers ("" for files about all) into a folder.

        Some sources are left out: those in ``without`` for everyone, and one for each seller in ``held_back``.
        """
        raw = self.run.at("world") / "raw"
        chosen = [
            line
            for line in self.deliveries
            if line["Seller ref"] in sellers
            and line["Source"] not in without
            and line["Source"] != held_back.get(line["Seller ref"])
        ]
        for line in chosen:
            (folder / line["File"]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(raw / line["File"], folder / line["File"])
        with (folder / "deliveries.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, chosen[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(chosen)
        return folder


@pytest.fixture(scope="module")
def world(small_run: FinishedRun) -> World:
    with (small_run.at("world") / "raw" / "deliveries.csv").open(encoding="utf-8", newline="") as file:
        deliveries = tuple(csv.DictReader(file))
    rows = by_seller(small_run.at("score"))
    withheld = {entry["file"] for entry in read_json(small_run.at("ingest") / "row_counts.json")["withheld_files"]}
    reticent = {line["Seller ref"] for line in deliveries if line["File"] in withheld}
    assert reticent
    given: dict[str, set[str]] = {seller: set() for seller in rows if seller not in reticent}
    for line in deliveries:
        if line["Period end"] >= (AS_OF - timedelta(days=30)).isoformat():
            given.get(line["Seller ref"], set()).add(line["Source"])
    whole = [seller for seller, sources in given.items() if sources == {*OWN_SOURCES}]
    part = [seller for seller, sources in given.items() if "amazon_settlement_v2" in sources < {*OWN_SOURCES}]
    assert len(whole) >= 15
    assert len(part) >= 6
    return World(small_run, deliveries, rows, (*whole[:36], *part[:6]))


def by_seller(folder: Path) -> dict[str, Row]:
    return {str(row["seller_id"]): row for row in read_parquet(folder / "passports.parquet").to_pylist()}


def scored(path: Path, options: ScoreOptions) -> dict[str, Row]:
    return by_seller(score_command(path, options).folder)


def figures(rows: dict[str, Row], sellers: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    return {seller: tuple(rows[seller][name] for name in FIGURES) for seller in sellers}


def only_tables_tell(row: Row) -> bool:
    """Return whether a row has a code about tables, which a ready matrix cannot show."""
    of_tables = {CONTRADICTION, OPEN_STATEMENTS, NO_REFUNDS, UNSEEN_PAYOUTS, *integrity_rules()}
    return bool({*row["codes"].split(";")} & of_tables)


def assert_never_better(less: Row, more: Row) -> None:
    """Check that a seller that shows less is refused or scores no better."""
    if less["status"] != "refused":
        assert less["score"] <= more["score"], (less["seller_id"], less["score"], more["score"])
        assert less["probability_of_default"] >= more["probability_of_default"]


# ---- raw exports ----------------------------------------------------------------------------------------------------


def test_one_sellers_raw_exports_score_as_the_pipeline_scored_them(world: World, tmp_path: Path) -> None:
    only = world.sellers[:1]
    command = [str(Path(sys.executable).with_name("passport")), "score", str(world.deliver(tmp_path / "raw", only))]
    place = ["--profile", PROFILE, "--artifacts", str(world.run.place.out), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, *place, "--as-of", AS_OF.isoformat(), "--issued-on", ISSUED_ON.isoformat()],
        env=environment(world.run.keys),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "score: 1 rows" in done.stdout
    assert figures(by_seller(tmp_path / "out"), only) == figures(world.rows, only)


def test_raw_exports_of_several_sellers_score_as_in_the_pipeline_with_every_reason(
    world: World, options: ScoreOptions, tmp_path: Path
) -> None:
    rows = scored(world.deliver(tmp_path / "raw", world.sellers), options)
    assert list(rows) == sorted(world.sellers)
    assert figures(rows, world.sellers) == figures(world.rows, world.sellers)
    for row in rows.values():
        assert_adds_up(row)


def test_a_seller_scored_alone_differs_only_in_comparisons(world: World, options: ScoreOptions, tmp_path: Path) -> None:
    """With the registry and the lenders' books beside them, sellers need no tables of others, but for comparisons."""
    alone = replace(options, place=Place(PROFILE, tmp_path / "nowhere"))
    found = features_of(world.deliver(tmp_path / "raw", (*world.sellers, "")), alone)
    assert found["seller_id"].to_pylist() == sorted(world.sellers)
    names = set(matrix_of(world.run).column_names[2:])
    expected = {row["seller_id"]: row for row in matrix_of(world.run).to_pylist()}
    different = {name for row in found.to_pylist() for name in names if row[name] != expected[row["seller_id"]][name]}
    comparing = {
        record.name
        for record in load_feature_set(world.run.profile.features.feature_set).records
        if isinstance(record, GraphFeature) and (record.neighbour_feature or {*signal_tables(record)} & {*OWN_TABLES})
    }
    assert different <= comparing
    assert len(comparing) < 10 < len(names)


def test_missing_deliveries_are_unknown_and_not_good(world: World, options: ScoreOptions, tmp_path: Path) -> None:
    """Scored alone, without the lenders' books, the registry or a source of their own, nobody comes out better."""
    alone = replace(options, place=Place(PROFILE, tmp_path / "nowhere"))
    everything = (*world.sellers, "")
    whole = scored(world.deliver(tmp_path / "whole", everything), alone)
    for absent in (LENDER_SOURCES, ("company_links",)):
        less = scored(world.deliver(tmp_path / absent[0], everything, absent), alone)
        assert set(less) == set(whole)
        for seller, row in less.items():
            assert_never_better(row, whole[seller])
    part = scored(world.deliver(tmp_path / "part", everything, held_back=one_each(world)), alone)
    for seller, row in part.items():
        assert_never_better(row, whole[seller])
    assert sum(part[seller]["score"] != whole[seller]["score"] for seller in world.whole) >= len(world.whole) // 3


def test_a_source_delivered_earlier_and_held_back_now_changes_no_feature_and_is_named(
    world: World, options: ScoreOptions, tmp_path: Path
) -> None:
    found = features_of(world.deliver(tmp_path / "raw", world.whole, held_back=one_each(world)), options)
    told = matrix_of(world.run)
    expected = {row["seller_id"]: row for row in told.to_pylist()}
    assert found["seller_id"].to_pylist() == sorted(world.whole)
    assert set(found["refusals"].to_pylist()) == {""}
    for row in found.to_pylist():
        assert "source_withdrawn" in row["warnings"].split(";")
        assert {name: row[name] for name in told.column_names} == expected[row["seller_id"]]


def one_each(world: World) -> dict[str, str]:
    """Return one of their own sources for each seller who delivers all, every source for some."""
    return {seller: OWN_SOURCES[number % len(OWN_SOURCES)] for number, seller in enumerate(world.whole)}


def features_of(folder: Path, options: ScoreOptions) -> pa.Table:
    """Return the features from raw exports, before any model."""
    choice = ModelChoice(
        place=options.place,
        model_name=options.profile.model.name,
        ledger=promotion_ledger(options.place, options.environment),
        bundle=options.bundle,
        trusted=[options.keys().public_key],
    )
    bundle = load_model(choice).bundle
    request = Request(
        bundle.meta, bundle.model.feature_names, options.profile.scoring.limits, options.place, options.as_of
    )
    rows = open_input(folder, request, options.profile.ingest, lambda: options.keys().hmac_key)
    return pa.concat_tables(list(rows.chunks(rows.rows)))


# ---- a ready matrix -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def matrix(small_run: FinishedRun) -> pa.Table:
    return matrix_of(small_run)


def matrix_of(run: FinishedRun) -> pa.Table:
    """Return the latest applicants with their features."""
    table = read_parquet(run.at("features") / "matrix.parquet")
    return table.filter(pc.equal(table["as_of"], pa.scalar(AS_OF))).combine_chunks()


def write_matrix(path: Path, table: pa.Table) -> Path:
    pq.write_table(table, path)
    return path


def test_the_order_of_rows_and_the_size_of_chunks_change_nothing(
    world: World, options: ScoreOptions, tmp_path: Path, matrix: pa.Table
) -> None:
    everyone = matrix["seller_id"].to_pylist()
    order = np.random.default_rng(3).permutation(matrix.num_rows)
    shuffled = write_matrix(tmp_path / "shuffled.parquet", matrix.take(pa.array(order)))
    for size in (7, 100_000):
        scoring = options.profile.scoring.model_copy(update={"chunk_rows": size})
        rows = scored(shuffled, replace(options, profile=options.profile.model_copy(update={"scoring": scoring})))
        assert list(rows) == [everyone[place] for place in order]
        # Without tables beside it a matrix cannot tell what was delivered, so only the stage refuses for that.
        answered = [
            seller
            for seller in everyone
            if world.rows[seller]["status"] != "refused" and not only_tables_tell(world.rows[seller])
        ]
        assert len(answered) > 200
        assert figures(rows, answered) == figures(world.rows, answered)
        for row in rows.values():
            assert_adds_up(row)


def test_a_row_alone_scores_as_among_others(
    world: World, options: ScoreOptions, tmp_path: Path, matrix: pa.Table
) -> None:
    for seller in (one for one in world.sellers[::10] if not only_tables_tell(world.rows[one])):
        alone = matrix.filter(pc.equal(matrix["seller_id"], pa.scalar(seller)))
        rows = scored(write_matrix(tmp_path / "one.parquet", alone), options)
        assert figures(rows, [seller]) == figures(world.rows, [seller])


def test_a_blanked_feature_never_improves_a_score(options: ScoreOptions, tmp_path: Path, matrix: pa.Table) -> None:
    features = matrix.column_names[2:]
    told = matrix.slice(0, 200)
    assert told.num_rows == 200
    parts = [blanked(told, "")] + [blanked(told, name) for name in features]
    path = write_matrix(tmp_path / "blanked.parquet", pa.concat_tables(parts))
    outcome = score_command(path, replace(options, with_reasons=False))
    rows = {str(row["applicant_id"]): row for row in read_parquet(outcome.folder / "passports.parquet").to_pylist()}
    assert len(rows) == 200 * (len(features) + 1)
    changed = 0
    for seller in told["seller_id"].to_pylist():
        whole = rows[f"{seller}/"]
        for name in features if whole["status"] != "refused" else ():
            less = rows[f"{seller}/{name}"]
            assert_never_better(less, whole)
            changed += less["probability_of_default"] != whole["probability_of_default"]
    assert changed > 200


def blanked(table: pa.Table, name: str) -> pa.Table:
    """Return the rows as new applicants without the feature of that name."""
    applicants = pa.array([f"{seller}/{name}" for seller in table["seller_id"].to_pylist()])
    if name:
        nothing = pa.nulls(table.num_rows, pa.float64())
        table = table.set_column(table.column_names.index(name), name, nothing)
    return table.add_column(0, "applicant_id", applicants)


def assert_adds_up(row: Row) -> None:
    """Check that reasons and pillars of a row add up to its score, and that a refused row has none."""
    if row["status"] == "refused":
        assert row["score"] is None
        assert row["reasons"] is None
        return
    reasons = json.loads(row["reasons"])
    named = [entry["points"] for entry in (*reasons["for"], *reasons["against"])]
    assert row["base_points"] + sum(named) + reasons["all_others"] == row["score"]
    assert row["base_points"] + sum(json.loads(row["pillar_points"]).values()) == row["score"]
