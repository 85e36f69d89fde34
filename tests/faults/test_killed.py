"""A stage killed at any call to the disk leaves nothing half-made, and a rerun produces the same result as one run.

Stages with many calls are killed at an even selection of points; ``FAULT_POINTS=all`` tries all.
"""

from __future__ import annotations

from pathlib import Path

from tests.factories.faults.crashes import KILLED, Scene, chosen, every
from tests.factories.faults.disk_faults import dying_at


def require_recovery(scene: Scene, folder: Path, writes: int, step: int = 1) -> int:
    """Kill a stage at its disk calls, or at each ``step``-th, and run it again; return the number of kills."""
    whole = scene.copy(folder / "whole")
    kinds = scene.end(whole).said.split()
    wanted = scene.stored(whole)
    tried = 0
    for number in chosen(kinds, writes)[::step]:
        for half_written in (False, True) if kinds[number - 1] == "write" else (False,):
            copy = scene.copy(folder / "copy")
            assert scene.end(copy, dying_at(number, half_written=half_written)).code == KILLED
            scene.require_nothing_half_made(copy)
            again = scene.end(copy)
            assert again.code == 0, again.said
            assert scene.stored(copy) == wanted
            tried += 1
    return tried


def test_scoring_killed_at_some_points_and_run_again_leaves_the_same_bytes(score_scene: Scene, tmp_path: Path) -> None:
    assert require_recovery(score_scene, tmp_path, 6, every(8)) >= 15


def test_ingest_killed_at_many_points_and_run_again_leaves_the_same_bytes(ingest_scene: Scene, tmp_path: Path) -> None:
    assert require_recovery(ingest_scene, tmp_path, 80, every(3)) >= (200 if every(3) == 1 else 65)


def test_ingest_in_partitions_killed_at_some_points_and_run_again_leaves_the_same_bytes(
    partitioned_in_process: Scene, tmp_path: Path
) -> None:
    assert require_recovery(partitioned_in_process, tmp_path, 80, every(24)) >= (150 if every(24) == 1 else 6)


def test_validation_killed_at_some_points_and_run_again_leaves_the_same_bytes(
    validate_scene: Scene, tmp_path: Path
) -> None:
    assert require_recovery(validate_scene, tmp_path, 80, every(12)) >= (200 if every(12) == 1 else 15)


def test_registration_killed_anywhere_and_run_again_decides_once_and_leaves_the_same_bytes(
    register_scene: Scene, tmp_path: Path
) -> None:
    assert require_recovery(register_scene, tmp_path, 80, every(6)) >= (50 if every(6) == 1 else 8)
