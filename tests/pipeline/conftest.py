"""Fixtures of the tests that need a finished run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories.small_run import FinishedRun, finished_run, of_the_session
from tests.pipeline.desk import Desk


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Return the finished run of the small world, made once per test session, not once per test process."""
    return finished_run(of_the_session(tmp_path_factory) / "small_run")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a desk with its own keys."""
    return Desk(tmp_path, tmp_path / "keys")
