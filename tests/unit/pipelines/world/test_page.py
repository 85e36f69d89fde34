"""The world page describes the simulator beside published figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.commands.documentation import pages
from pipelines.runs.publish import write_json
from pipelines.world.marginals import gini_of_amounts, marginals
from pipelines.world.page import published_figures, realism_page, shown_marginals, world_page
from simulator.economy.shocks import SHOCKS
from simulator.economy.simulation import simulate
from simulator.settings import WorldSettings

CHECKOUT = Path(__file__).resolve().parents[4]
BAND = {"name": "yearly default rate", "lower": 0.03, "upper": 0.06, "bound": "mean"}
MEASURED = {**BAND, "value": 0.05, "interval": [0.04, 0.06], "verdict": "met"}
CLEARED = {**MEASURED, "name": "gain from graph features", "lower": 0.0, "upper": None, "bound": "lower"}
RESULT = {
    "seeds": [1, 2],
    "sellers": 4_000,
    "measured_on": "2026-11-22",
    "machine": {"python": "3.11", "processors": 2, "processor": "x86_64"},
    "bands": [MEASURED, CLEARED, {**BAND, "value": None, "interval": None, "verdict": "not measured"}],
    "best_single_feature": "days_late_now",
    "figures": {
        "graph.uplift": {"mean": 0.012, "lower": None, "upper": None},
        "families.single_features.days_late_now": {"mean": 0.7, "lower": 0.6, "upper": 0.8},
    },
    "ranking_over_seeds": {"share_of_worlds_by_order": {"a > b": 1.0}, "kendall_tau_to_mean": {"mean": 1.0}},
    "ranking_under_changes": {},
    "changes": [],
}


def test_the_committed_page_is_the_one_that_the_simulator_writes() -> None:
    assert (CHECKOUT / "docs/world.md").read_text(encoding="utf-8") == world_page()


def test_the_page_calls_the_world_synthetic_and_names_every_shock_parameter_and_source() -> None:
    page = world_page()
    assert "**synthetic**" in page
    assert "## What is not simulated" in page
    assert all(shock.name in page for shock in SHOCKS)
    for section in ("economy", "credit", "network", "fraud", "observation"):
        assert all(f"`{section}.{name}`" in page for name in type(getattr(WorldSettings(), section)).model_fields)
    assert all(f"`{name}`" in page for name in published_figures()[1])


def test_every_figure_with_a_published_range_is_measured_and_every_measured_one_is_shown() -> None:
    assert {figure.name for figure in published_figures()[0]} <= set(shown_marginals())
    assert all(np.isfinite(value) for value in shown_marginals().values())


def test_a_published_range_names_its_source_or_is_called_a_target_of_this_project() -> None:
    for figure in published_figures()[0]:
        assert figure.source or "target of this project" in figure.published or not figure.published
        assert (figure.lower is None) == (figure.upper is None)


@pytest.mark.slow
def test_equal_settings_have_equal_figures_and_another_seed_has_others() -> None:
    small = WorldSettings(seller_count=300, district_sellers=300)
    assert marginals(simulate(small)) == marginals(simulate(small))
    assert marginals(simulate(small)) != marginals(simulate(small.model_copy(update={"seed": 8})))


@given(st.lists(st.floats(0.01, 1e6), min_size=2, max_size=30))
def test_a_gini_coefficient_is_half_the_relative_mean_difference(amounts: list[float]) -> None:
    values = np.array(amounts)
    pairs = np.abs(values[:, None] - values[None, :]).mean() / (2 * values.mean())
    assert gini_of_amounts(values) == pytest.approx(pairs, abs=1e-9)


def test_a_result_is_shown_with_seeds_date_interval_and_verdict() -> None:
    page = realism_page(RESULT)
    assert "| yearly default rate | 0.03 to 0.06 | 0.0500 | 0.0400 to 0.0600 | met |" in page
    assert "| gain from graph features | lower end at least 0 | 0.0500 | 0.0400 to 0.0600 | met |" in page
    assert "| yearly default rate | 0.03 to 0.06 |  |  | not measured |" in page
    assert "| `graph.uplift` | 0.0120 |  |" in page
    assert "single_features" not in page
    assert "2026-11-22" in page
    assert "seeds 1, 2" in page


def test_the_page_of_the_result_is_there_exactly_when_the_result_is(tmp_path: Path) -> None:
    assert "world_realism.md" not in pages(tmp_path, None)
    write_json(tmp_path / "world_realism.json", RESULT)
    assert pages(tmp_path, None)["world_realism.md"] == realism_page(RESULT)
