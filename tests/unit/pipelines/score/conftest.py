"""A bundle, options and an applicant file for the tests of ``passport score``."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.profiles import load_profile
from pipelines.runs.stages import Place
from pipelines.score.command import ScoreOptions
from tests.factories.invoice_world import invoice_matrix, write_invoice_bundle
from tests.factories.scoring import KEYS


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScoreOptions:
    """Return options with a bundle folder, the factory's keys and an empty place."""
    write_invoice_bundle(tmp_path / "bundle")
    monkeypatch.setattr(ScoreOptions, "keys", lambda _: KEYS)
    return ScoreOptions(
        out=tmp_path / "out",
        profile=load_profile("demo"),
        place=Place("demo", tmp_path / "artifacts"),
        issued_on=date(2024, 7, 15),
        bundle=tmp_path / "bundle",
        environment={"KEYS_DIR": str(tmp_path / "keys")},
        unpromoted=True,
    )


@pytest.fixture
def matrix_file(tmp_path: Path) -> Path:
    path = tmp_path / "applicants.parquet"
    pq.write_table(invoice_matrix(), path)
    return path
