"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import settings

# Every test in these folders runs whole stages, kills processes or reads the real data.
SLOW_FOLDERS = {"faults", "pipeline", "real"}

# Timings never decide a test: the machines that run them are shared.
settings.register_profile("shared_machine", deadline=None)
settings.load_profile("shared_machine")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark all tests of the slow folders; elsewhere a test that takes more than about two seconds says so itself."""
    for item in items:
        if SLOW_FOLDERS.intersection(item.path.relative_to(Path(__file__).parent).parts):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of the real data sets (``DATA_DIR``, else ``shared/data`` beside the checkout), or skip."""
    checkout = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("DATA_DIR") or checkout.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"real data not present at {folder}; set DATA_DIR to run this test")
    return folder
