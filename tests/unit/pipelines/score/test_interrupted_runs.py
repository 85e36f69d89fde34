"""Interrupted runs of ``passport score``: resumed with the same bytes, and never with settings that have changed."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import pipelines.score.command
import pipelines.score.results
from pipelines.score.command import ScoreOptions, score_command
from pipelines.score.results import ScoreJob
from pipelines.score.scorer import score_chunk
from tests.factories.invoice_world import AS_OF, SELLERS, raw_files, write_raw_invoices
from tests.factories.raw_files import RawFile, amazon_amount, amazon_file, amazon_total, write_raw_folder
from tests.factories.scoring import KEYS
from tests.unit.pipelines.ingest.test_consents import consent, consents
from tests.unit.pipelines.score.test_stage import RESULTS, figures


def test_an_interrupted_run_continues_with_the_same_bytes(
    options: ScoreOptions, matrix_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring = options.profile.scoring.model_copy(update={"chunk_rows": 7})
    small = replace(options, profile=options.profile.model_copy(update={"scoring": scoring}))
    score_command(matrix_file, replace(small, out=tmp_path / "whole"))
    calls: list[int] = []

    def interrupted(*arguments: Any) -> pa.Table:  # noqa: ANN401 - passed on as they are
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return score_chunk(*arguments)

    monkeypatch.setattr(pipelines.score.results, "score_chunk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        score_command(matrix_file, small)
    assert not small.out.exists()
    score_command(matrix_file, small)
    assert len(calls) == 4 + 3  # six chunks; three of them were kept
    for name in RESULTS:
        assert (small.out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (small.out.parent / ".out.scoring").exists()


def of_folder(options: ScoreOptions, **ingest: Any) -> ScoreOptions:  # noqa: ANN401 - settings of any kind
    """Return options to score a folder of raw exports with other settings of ingest."""
    settings = options.profile.ingest.model_copy(update=ingest)
    return replace(options, profile=options.profile.model_copy(update={"ingest": settings}), as_of=AS_OF)


def test_a_run_stopped_before_it_published_is_not_taken_up_where_consent_is_now_required(
    options: ScoreOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both sellers stay applicants; only the second one's invoices may not be read.
    given = consents(
        consent(seller_id=SELLERS[0]),
        consent("C2", seller_id=SELLERS[1], consented_source="amazon_settlement_v2"),
    )
    settlement = amazon_file([amazon_total("1", "10.00"), amazon_amount("1", "10.00")])
    settled = RawFile("a/1.txt", "amazon_settlement_v2", settlement, SELLERS[1], "STORE", covered_to="2024-06-30")
    folder = write_raw_folder(tmp_path / "raw", [given, settled, *raw_files(SELLERS[:2])])

    def stopped(*_: Any) -> None:  # noqa: ANN401 - takes whatever it is given
        raise KeyboardInterrupt

    with monkeypatch.context() as before_publishing:
        before_publishing.setattr(pipelines.score.command, "replace_folder", stopped)
        with pytest.raises(KeyboardInterrupt):
            score_command(folder, of_folder(options, consent="not_required"))
    assert list(options.out.parent.glob(".out.scoring/chunks-*"))
    found = figures(score_command(folder, of_folder(options, consent="required")))
    shutil.rmtree(options.out)
    afresh = figures(score_command(folder, of_folder(options, consent="required")))
    with_everything = figures(score_command(folder, of_folder(options, consent="not_required")))
    assert found == afresh
    assert found[SELLERS[1]] != with_everything[SELLERS[1]]


def test_settings_rates_and_keys_that_decide_how_raw_exports_are_read_are_in_the_key(
    options: ScoreOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_raw_invoices(tmp_path / "raw", SELLERS[:2])
    rates = tmp_path / "rates.csv"
    keys: list[str] = []

    def noted(job: ScoreJob, *_: Any) -> None:  # noqa: ANN401 - takes whatever it is given
        keys.append(job.key)
        raise KeyboardInterrupt

    def run_with(**ingest: Any) -> None:  # noqa: ANN401 - settings of any kind
        with pytest.raises(KeyboardInterrupt):
            score_command(folder, of_folder(options, **ingest))

    monkeypatch.setattr(pipelines.score.command, "_publish", noted)
    run_with()
    run_with(consent="not_required")
    run_with(match_companies=False)
    for rate in ("0.0325", "0.0326"):
        rates.write_text(f"Currency,Date,USD per unit\nTWD,2022-12-30,{rate}\n")
        run_with(exchange_rate_file=rates)
    monkeypatch.setattr(ScoreOptions, "keys", lambda _: replace(KEYS, hmac_key=bytes(32)))
    run_with()
    assert len(set(keys)) == 6
    run_with(worker_count=1, batch_bytes=1000)
    assert keys[6] == keys[5]
    terms = folder / "deliveries.csv"
    terms.write_text(terms.read_text().replace("2024-06-30", "2024-03-31"))
    run_with()
    assert keys[7] != keys[5]


@pytest.mark.slow
def test_a_run_killed_between_chunks_continues_with_the_same_bytes(
    options: ScoreOptions, matrix_file: Path, tmp_path: Path
) -> None:
    scoring = options.profile.scoring.model_copy(update={"chunk_rows": 9})
    small = replace(options, profile=options.profile.model_copy(update={"scoring": scoring}))
    score_command(matrix_file, replace(small, out=tmp_path / "whole"))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(matrix_file), str(small.bundle), str(small.out)],
        check=False,
        cwd=Path(__file__).resolve().parents[4],
    )
    assert killed.returncode == -signal.SIGKILL
    assert not small.out.exists()
    assert len(list(small.out.parent.glob(".out.scoring/chunks-*/chunk-*.parquet"))) == 2
    score_command(matrix_file, small)
    for name in RESULTS:
        assert (small.out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


KILLED = """
import os, signal, sys
from dataclasses import replace
from datetime import date
from pathlib import Path
import pipelines.score.chunk_files as chunk_files
from pipelines.profiles import load_profile
from pipelines.score.command import ScoreOptions, score_command
from pipelines.runs.stages import Place
from tests.factories.scoring import KEYS

written = []
real = chunk_files.atomic_write_bytes

def write(path, data):
    if len(written) == 2:
        path.with_name(".half").write_bytes(data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    written.append(path)
    real(path, data)

chunk_files.atomic_write_bytes = write
ScoreOptions.keys = lambda _: KEYS
profile = load_profile("demo")
profile = profile.model_copy(update={"scoring": profile.scoring.model_copy(update={"chunk_rows": 9})})
matrix, bundle, out = map(Path, sys.argv[1:])
place = Place("demo", out.parent / "artifacts")
options = ScoreOptions(out=out, profile=profile, place=place, issued_on=date(2024, 7, 15), bundle=bundle)
score_command(matrix, options)
"""
