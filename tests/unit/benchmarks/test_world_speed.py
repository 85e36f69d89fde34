"""The cost of a world covers its writing process and all descendants, and limits are checked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from world_speed import resident_bytes, verdicts, watched

MEBIBYTE = 2**20


def test_resident_memory_is_that_of_a_living_process_and_nothing_of_one_that_is_gone() -> None:
    assert resident_bytes(os.getpid()) > 20 * MEBIBYTE
    assert resident_bytes(2**22 + 1) == 0


@pytest.mark.slow
def test_a_world_is_measured_row_by_row_and_removed(tmp_path: Path) -> None:
    found = watched(300, 1, tmp_path)
    assert found["rows"] == sum(found["rows_by_source"].values()) > 10_000
    assert found["raw_bytes"] == sum(found["bytes_by_source"].values())
    assert found["peak_mib"] > 100
    assert found["cpu_microseconds_a_row"] == pytest.approx(found["cpu_seconds"] / found["rows"] * 1e6, rel=0.01)
    assert list(tmp_path.iterdir()) == []


def test_limits_that_are_broken_are_named() -> None:
    def world(sellers: int, cost: float, seconds: float, peak: float) -> dict[str, float]:
        return {"sellers": sellers, "cpu_microseconds_a_row": cost, "seconds": seconds, "peak_mib": peak}

    assert verdicts([world(300, 9, 1, 1), world(1_000, 4, 1, 1), world(4_000, 5, 44, 1)]) == []
    broken = verdicts([world(1_000, 4, 1, 1), world(4_000, 7, 46, 1), world(100_000, 5, 1_000, 5_000)])
    assert len(broken) == 3
    assert "factor of 1.75" in broken[0]
