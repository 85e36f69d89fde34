from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data_contracts.digest import sha256_file
from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from pipelines.register.training_runs import compare_runs, describe_differences, describe_runs, training_runs
from pipelines.runs.publish import write_json, write_parquet
from pipelines.runs.stages import CURRENT, Place, write_manifest

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 400


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a place with two training runs on the same rows: ``aaaa``, and the better candidate ``bbbb``."""
    place = Place("small", tmp_path)
    published(place, "aaaa", noise=3.0)
    published(place, "bbbb", noise=0.5)
    return place


def bundle_digest(place: Place, run: str) -> str:
    return sha256_file(place.stage_dir("train") / run / "bundle" / "manifest.json")


def published(place: Place, name: str, noise: float, rows: int = ROWS) -> Path:
    """Publish a training run whose predictions follow the outcomes up to some noise."""
    folder = place.stage_dir("train") / name
    (folder / "bundle").mkdir(parents=True)
    (folder / "bundle" / "manifest.json").write_text(name)
    write_parquet(folder / "holdout.parquet", pa.Table.from_pandas(predicted(noise, rows), preserve_index=False))
    write_json(folder / "evaluation.json", {"evaluation": {"models": [{"measures": measures(noise)}]}})
    write_manifest(folder, {"record": {"notes": {"champion": "gbm"}}})
    (place.stage_dir("train") / CURRENT).write_text(f"{name}\n")
    return folder


def predicted(noise: float, rows: int) -> pd.DataFrame:
    random = np.random.default_rng(1)
    risk = random.normal(size=rows)
    label = (risk + random.normal(size=rows) > 1.2).astype(int)
    return pd.DataFrame(
        {
            "seller_id": [f"S{row}" for row in range(rows)],
            "as_of": pd.Timestamp("2023-03-31"),
            "label": label,
            "component_id": [f"C{row // 2}" for row in range(rows)],
            "pd_champion": 1 / (1 + np.exp(2 - risk - noise * random.normal(size=rows))),
        }
    )


def measures(noise: float) -> dict[str, Any]:
    auc = {"value": 0.9 - noise / 10, "lower": 0.5, "upper": 0.95}
    return {"auc": auc, "calibration_slope": {"value": 1.0, "lower": None, "upper": None}}


def test_every_run_is_listed_with_its_figures_and_its_role(place: Place) -> None:
    assert describe_runs(training_runs(place, bundle_digest(place, "aaaa"))) == [
        "aaaa: gbm: AUC 0.6000 (0.5000 to 0.9500), calibration slope undefined (champion)",
        "bbbb: gbm: AUC 0.8500 (0.5000 to 0.9500), calibration slope undefined (candidate)",
    ]


def test_a_better_candidate_is_significantly_better_than_the_run_before(place: Place) -> None:
    lines = describe_differences(compare_runs(place, "aa"))
    assert [line.split(":")[0] for line in lines] == ["AUC", "Brier score", "log-loss"]
    assert lines[0].startswith("AUC: significantly better: gain +0.")


def test_a_run_does_not_differ_from_itself(place: Place) -> None:
    assert {found.verdict for found in compare_runs(place, "bbbb")} == {"identical"}


def test_runs_on_other_rows_are_not_compared(place: Place) -> None:
    published(place, "cccc", noise=0.5, rows=ROWS - 1)
    with pytest.raises(ConfigurationRefused, match=r"tested on different rows \(399 and 400\)"):
        compare_runs(place, "bbbb")


@pytest.mark.parametrize("name", ["zz", "", "../register"])
def test_a_run_that_is_not_there_or_not_named_clearly_is_refused(place: Place, name: str) -> None:
    with pytest.raises(ConfigurationRefused, match="training run"):
        compare_runs(place, name)


def test_a_changed_file_is_refused(place: Place) -> None:
    path = place.stage_dir("train") / "aaaa" / "holdout.parquet"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(IntegrityRefused, match="missing or changed"):
        compare_runs(place, "aaaa")
