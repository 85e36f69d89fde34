"""Measures of the synthetic world are correct, and a finished world is not measured twice."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import world_realism
from hypothesis import given
from hypothesis import strategies as st
from realism.fits import with_values
from realism.learning import pillar_weights
from realism.rates import _difference, default_rates, dropping_the_future, missing_sources
from realism.relations import _dealt_out, _permuted, leaking_feature
from realism.sample import WorldSample, make_sample
from realism.summary import BANDS, FAMILIES, figure, figures, flatten, rankings, verdicts
from world_realism import ALL_MEASURES, PERTURBED, Change, Plan, expected_auc, measure_world, world_profile

from features.engine.as_of import AsOf
from features.graph.edges import GraphSettings, party_graph
from models.training.dataset import Dataset
from pipelines.profiles import Profile

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"
PAIRS = st.lists(st.tuples(st.sampled_from("ABCD"), st.sampled_from("vwxyz"), st.sampled_from("pq")), min_size=1)


def world(**values: float) -> dict[str, Any]:
    return {"families": {name: values.get(name, 0.7) for name in FAMILIES}, "rates": {"default_rate": 0.05}}


def plan_in(folder: Path, sellers: int = 300, measures: tuple[str, ...] = ("families", "rates")) -> Plan:
    return Plan(
        seeds=(1,), sellers=sellers, measures=measures, futures=1, oracle_districts=1, seeds_folder=folder,
        code_sha256="0" * 64,
    )  # fmt: skip


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=12))
def test_an_interval_holds_its_mean_and_one_world_has_none(values: list[float]) -> None:
    found = figure(values)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower <= found.mean <= found.upper
    assert figure(values[:1]).lower is None


def test_an_interval_is_that_of_student() -> None:
    found = figure([1.0, 2.0, 3.0])
    assert found.lower == pytest.approx(2 - 4.302653 / np.sqrt(3), abs=1e-5)


def test_figures_are_taken_over_the_worlds_that_have_them() -> None:
    found = figures([{"a": {"b": 1, "flag": True, "text": "x"}}, {"a": {"b": 3}, "c": 2.0}])
    assert set(found) == {"a.b", "c"}
    assert (found["a.b"].mean, found["a.b"].worlds) == (2.0, 2)
    assert found["c"].worlds == 1
    assert flatten({"a": {"b": 1}}) == {"a.b": 1.0}


@pytest.mark.parametrize(
    ("values", "verdict"), [((0.05, 0.05), "met"), ((0.09, 0.09), "missed"), ((0.02, 0.02), "missed")]
)
def test_a_mean_outside_its_band_is_missed(values: tuple[float, ...], verdict: str) -> None:
    found = figures([{"rates": {"default_rate": value}} for value in values])
    judged = {band["figure"]: band for band in verdicts(found, {})}
    assert judged["rates.default_rate"]["verdict"] == verdict
    assert judged["oracle.expected_auc"]["verdict"] == "not measured"


def test_out_of_time_may_beat_training_by_chance_only() -> None:
    def verdict(gaps: list[float]) -> str:
        found = figures([{"families": {"training_minus_out_of_time": gap}} for gap in gaps])
        return next(b["verdict"] for b in verdicts(found, {}) if b["name"] == "training AUC above out-of-time AUC")

    assert verdict([-0.02, 0.01, 0.0]) == "met"
    assert verdict([-0.02, -0.021, -0.019]) == "missed"


def test_shuffled_labels_must_lie_within_two_standard_errors_of_a_half() -> None:
    def verdict(aucs: list[float]) -> str:
        found = figures([{"shuffle": {"auc": value}} for value in aucs])
        return next(b["verdict"] for b in verdicts(found, {}) if b["figure"] == "shuffle.auc")

    assert verdict([0.49, 0.52, 0.5]) == "met"
    assert verdict([0.55, 0.56, 0.57]) == "missed"
    assert verdict([0.5]) == "not measured"


def test_the_order_of_families_is_judged_over_worlds_that_agree_or_not() -> None:
    agreeing = [world(lightgbm=0.8, scorecard=0.79, linear=0.78, best_single_variable=0.7)] * 3
    found = rankings(agreeing)
    assert found["share_of_worlds_by_order"] == {"lightgbm > scorecard > linear > best_single_variable": 1.0}
    assert found["smallest_kendall_tau"] == pytest.approx(1.0)
    opposite = [agreeing[0], world(lightgbm=0.6, scorecard=0.65, linear=0.7, best_single_variable=0.75)]
    order = next(b for b in verdicts({}, {"seeds": rankings(opposite)}) if b["figure"] == "kendall_tau_to_mean")
    assert order["verdict"] == "missed"
    assert rankings([]) == {}


def test_a_future_is_judged_by_the_other_futures_alone() -> None:
    certain = np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0]])
    assert expected_auc(certain) == 1.0
    # A share that counted the judged future itself would rank these equal risks far better than a half.
    equal_risks = np.random.default_rng(5).random((20, 4_000)) < 0.05
    assert expected_auc(equal_risks.astype(np.int64)) == pytest.approx(0.5, abs=0.02)
    with pytest.raises(ValueError, match="two"):
        expected_auc(certain[:1])


def test_the_kept_measurement_misses_no_band_that_stops_the_build() -> None:
    kept = json.loads((RESULTS / "world_realism.json").read_text(encoding="utf-8"))
    stopping = {band["name"]: band["verdict"] for band in kept["bands"] if band["stops_the_build"]}
    assert set(stopping) == {band.name for band in BANDS if band.stops_the_build}
    assert set(stopping.values()) == {"met"}


def test_every_band_is_about_a_measure_that_exists() -> None:
    measured = {*ALL_MEASURES, "best_single_feature"}
    assert {band.figure.split(".")[0] for band in BANDS} <= measured


@given(PAIRS, st.integers(0, 99))
def test_permuted_links_leave_either_end_its_number_of_links(rows: list[tuple[str, str, str]], seed: int) -> None:
    table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(("one", "other", "kind"))})
    dealt = _permuted(table, "other", ("kind",), np.random.default_rng(seed))
    assert dealt["one"] == table["one"]
    for column in ("one", "other"):
        assert degrees(dealt, column) == degrees(table, column)


def degrees(table: pa.Table, column: str) -> Counter[tuple[str, str]]:
    return Counter(zip(table[column].to_pylist(), table["kind"].to_pylist(), strict=True))


@given(PAIRS, st.integers(0, 99))
def test_dealt_out_partners_keep_their_number_of_sellers_and_rows_stay_together(
    rows: list[tuple[str, str, str]], seed: int
) -> None:
    named = [(seller, None if partner == "z" else partner, kind) for seller, partner, kind in rows]
    columns = ("seller_id", "partner", "kind")
    table = pa.table({name: pa.array([row[i] for row in named], pa.string()) for i, name in enumerate(columns)})
    dealt = _dealt_out(table, "partner", ("kind",), np.random.default_rng(seed))["partner"].to_pylist()
    before, after = Counter(), Counter()
    moved: dict[tuple[str, str, str], set[str]] = {}
    for (seller, partner, kind), new in zip(named, dealt, strict=True):
        assert (partner is None) == (new is None)
        if partner is not None:
            moved.setdefault((seller, partner, kind), set()).add(new)
    for (_, partner, kind), new in moved.items():
        assert len(new) == 1
        before[partner, kind] += 1
        after[next(iter(new)), kind] += 1
    assert before == after


def test_a_source_missing_only_for_bad_sellers_differs_and_one_missing_for_all_does_not() -> None:
    y = np.array([1] * 40 + [0] * 160, dtype=np.int8)
    names = np.array([f"c{number}" for number in range(200)])
    dataset = Dataset(np.empty((200, 0)), y, names, np.full(200, np.datetime64("2022-12-31")), names, ())
    found = _difference(np.where(y == 1, np.arange(200) % 2, 0).astype(np.float64), dataset)
    assert found["difference"] == pytest.approx(0.5)
    assert found["z"] > 5
    assert _difference(np.ones(200), dataset) == {"among_bad": 1.0, "among_good": 1.0, "difference": 0.0, "z": 0.0}


@pytest.mark.parametrize("parameter", PERTURBED)
def test_a_changed_parameter_changes_itself_alone(parameter: str) -> None:
    plain, changed = (world_profile(3, 400, change).world for change in (Change(), Change(parameter, 1.2)))
    assert plain is not None
    assert changed is not None
    section, name = parameter.split(".")
    value = getattr(getattr(plain, section), name)
    assert getattr(getattr(changed, section), name) == pytest.approx(1.2 * value)
    restored = getattr(changed, section).model_copy(update={name: value})
    assert changed.model_copy(update={section: restored}) == plain


def test_a_finished_world_is_read_again_and_measured_anew_when_code_or_settings_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def measured(_: Profile, __: Plan, names: list[str]) -> dict[str, Any]:
        asked.append(tuple(names))
        return {**{name: {"value": 1} for name in names}, "cost": {}}

    monkeypatch.setattr(world_realism, "_measured", measured)
    plan = plan_in(tmp_path)
    first = measure_world(plan, 1, Change())
    assert measure_world(plan, 1, Change()) == first
    assert asked == [("families", "rates")]
    measure_world(replace(plan, measures=("families", "rates", "as_of")), 1, Change())
    assert asked[1:] == [("as_of",)]
    measure_world(replace(plan, code_sha256="1" * 64), 1, Change())
    measure_world(replace(plan, sellers=400), 1, Change())
    assert asked[2:] == [("families", "rates")] * 2


@pytest.fixture(scope="module")
def small_sample(tmp_path_factory: pytest.TempPathFactory) -> WorldSample:
    """Return a world of 500 sellers observed at four dates, with half of its components in the test."""
    profile = world_profile(1, 500, Change())
    assert profile.split is not None
    dates = {"first_as_of": date(2021, 6, 30), "last_as_of": date(2022, 12, 31)}
    fewer = {
        "observations": profile.observations.model_copy(update=dates),
        "split": profile.split.model_copy(update={"test_share": 0.5}),
    }
    return make_sample(profile.model_copy(update=fewer), tmp_path_factory.mktemp("world"))


@pytest.mark.slow
def test_only_dates_of_training_and_test_get_features(small_sample: WorldSample) -> None:
    days = [str(day) for day in np.unique(small_sample.dataset.as_of)]
    assert days == ["2021-06-30", "2021-09-30", "2021-12-31", "2022-12-31"]
    assert small_sample.observations.num_rows > small_sample.matrix.num_rows


@pytest.mark.slow
def test_nothing_later_than_a_date_changes_its_features(small_sample: WorldSample) -> None:
    found = dropping_the_future(small_sample)
    assert found["cells_changed"] == 0
    assert found["later_records_dropped"] > 0


@pytest.mark.slow
def test_rates_and_missing_sources_are_those_of_the_labelled_observations(small_sample: WorldSample) -> None:
    labels = small_sample.labels.table["label"].to_pylist()
    assert default_rates(small_sample)["default_rate"] == pytest.approx(sum(labels) / len(labels))
    assert 0 < missing_sources(small_sample)["site_order"]["among_good"] < 1


@pytest.mark.slow
def test_a_pillar_whose_features_alone_vary_weighs_all_and_weights_add_up_to_one(small_sample: WorldSample) -> None:
    pillars = {record.name: str(record.pillar) for record in small_sample.feature_set.records}
    fixed = {name: np.zeros(1) for name, pillar in pillars.items() if pillar != "liquidity"}
    bare = replace(
        small_sample,
        split=small_sample.split._replace(
            train=with_values(small_sample.split.train, fixed), test=with_values(small_sample.split.test, fixed)
        ),
    )
    assert pillar_weights(bare)["share"]["liquidity"] == pytest.approx(1.0)
    found = pillar_weights(small_sample)
    assert set(found["share"]) == set(pillars.values())
    assert sum(found["share"].values()) == pytest.approx(1.0)
    assert 0 < found["sales_and_supply"] < 1
    assert found["share"]["liquidity"] <= found["heaviest"] < 1


@pytest.mark.slow
def test_the_leak_shows_a_default_at_any_time_and_only_to_related_sellers(small_sample: WorldSample) -> None:
    day = date(2022, 12, 31)
    graph = party_graph(small_sample.tables["party"], small_sample.tables["party_link"], AsOf(day), GraphSettings())
    related = graph.related.toarray()
    defaulted = int(related.sum(axis=1).argmax())
    known = pa.table({"seller_id": [graph.sellers[defaulted]]})
    leak = leaking_feature(replace(small_sample, defaults=known))
    told = {seller for seller in graph.sellers.tolist() if leak[seller, day] > 0}
    assert told == set(graph.sellers[related[defaulted] > 0].tolist())
    assert told
