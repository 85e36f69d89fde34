"""Every scoring run compares a sample with LightGBM, and leaves all rows to LightGBM if they differ."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

import pipelines.score.results
import pipelines.score.scorer
from models.components.fast_trees import FastTrees
from models.components.oracle import by_lightgbm, uses_own_way
from pipelines.score.command import ScoreOptions, score_command
from pipelines.score.results import SUMMARY_FILE
from pipelines.score.results_folder import FILES_FILE
from pipelines.score.scorer import OwnWayRefused, refuse_unequal_sample, score_chunk
from tests.factories.scoring import applicants, context
from tests.unit.pipelines.score.test_stage import RESULTS

if TYPE_CHECKING:
    from pathlib import Path

RIGHT = FastTrees.contributions_of_few
OFF_BY_LITTLE = lambda self, rows: RIGHT(self, rows) + 2e-9  # noqa: E731 - takes the place of a method


def test_a_sample_that_agrees_is_scored_by_our_own_way() -> None:
    assert uses_own_way(context().bundle.model)
    refuse_unequal_sample(context(), applicants())


def test_a_sample_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FastTrees, "contributions_of_few", OFF_BY_LITTLE)
    with pytest.raises(OwnWayRefused, match="contributions differ from LightGBM's by up to 2e-09"):
        refuse_unequal_sample(context(), applicants())
    # Without reasons there are no contributions to compare, and few rows have their margins from LightGBM.
    refuse_unequal_sample(context(with_reasons=False), applicants())


def test_the_margins_of_a_large_chunk_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelines.score.scorer, "FEWEST_ROWS_OF_MARGINS", 40)
    monkeypatch.setattr(FastTrees, "margin", lambda *_: (_ for _ in ()).throw(AssertionError("compared")))
    with pytest.raises(AssertionError, match="compared"):
        refuse_unequal_sample(context(with_reasons=False), applicants(40))
    refuse_unequal_sample(context(with_reasons=False), applicants(39))


def test_a_model_left_to_lightgbm_is_not_compared_with_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FastTrees, "contributions_of_few", OFF_BY_LITTLE)
    whole = context()
    refuse_unequal_sample(
        replace(whole, bundle=whole.bundle._replace(model=by_lightgbm(whole.bundle.model))), applicants()
    )


def test_a_run_that_differs_late_is_scored_again_as_a_whole_and_says_so(
    options: ScoreOptions, matrix_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring = options.profile.scoring.model_copy(update={"chunk_rows": 15})
    small = replace(options, profile=options.profile.model_copy(update={"scoring": scoring}))
    score_command(matrix_file, replace(small, out=tmp_path / "right"))
    chunks = -(-pq.read_metadata(matrix_file).num_rows // 15)
    calls: list[bool] = []

    def faulty_at_last(*arguments: object) -> None:
        calls.append(True)
        if len(calls) == chunks:
            raise OwnWayRefused("margins differ")

    scored: list[bool] = []

    def counted(now: object, chunk: object) -> object:
        scored.append(uses_own_way(now.bundle.model))  # type: ignore[attr-defined]
        return score_chunk(now, chunk)  # type: ignore[arg-type]

    monkeypatch.setattr(pipelines.score.results, "refuse_unequal_sample", faulty_at_last)
    monkeypatch.setattr(pipelines.score.results, "score_chunk", counted)
    outcome = score_command(matrix_file, small)
    assert scored == [True] * (chunks - 1) + [False] * chunks
    note = "scored by LightGBM, without the fast way through the trees: margins differ"
    assert note in outcome.notes
    assert note in json.loads((small.out / SUMMARY_FILE).read_text())["notes"]
    for name in RESULTS:
        if name not in (SUMMARY_FILE, FILES_FILE):  # only these know of the note
            assert (small.out / name).read_bytes() == (tmp_path / "right" / name).read_bytes()
