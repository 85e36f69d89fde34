"""Fixtures of the tests that need a finished run."""

from __future__ import annotations

import os

import pytest

from tests.factories.small_way import Way
from tests.factories.small_way import small_way as way_under


@pytest.fixture(scope="session")
def small_way(tmp_path_factory: pytest.TempPathFactory) -> Way:
    """The small synthetic world gone the whole way, once a test session and not once a test process."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return way_under(shared / "small_way")
