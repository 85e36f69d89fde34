"""Fixtures of the tests that need a finished run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.factories.small_run import FinishedRun, finished_run
from tests.pipeline.desk import Desk


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Return the finished run of the small world, made once per test session, not once per test process."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return finished_run(shared / "small_run")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a desk with its own keys."""
    return Desk(tmp_path, tmp_path / "keys")
