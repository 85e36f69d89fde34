"""A full or failing disk stops a stage with one line and exit code 3; the last run stays, and a rerun repairs all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories.faults.crashes import Scene, chosen, every
from tests.factories.faults.disk_faults import DiskCall, failing_at, full_from

STOPPED = 3
FAULTS = pytest.mark.parametrize(
    ("disk", "told"),
    [(full_from, "No space left on device"), (failing_at, "Input/output error")],
    ids=["full", "failing"],
)
Disk = Callable[[int], Callable[[DiskCall], None]]


def require_clean_stops(scene: Scene, folder: Path, disk: Disk, told: str, points: tuple[int, int] = (30, 1)) -> int:
    """Let the disk fail at some writes of a stage and at all (or each n-th) of its other calls; return the stops."""
    writes, step = points
    whole = scene.copy(folder / "whole")
    kinds = scene.end(whole).said.split()
    wanted = scene.stored(whole)
    stops = 0
    for number in chosen(kinds, writes)[::step]:
        copy = scene.copy(folder / "copy")
        ended = scene.typed(copy, disk(number))
        if ended.code != STOPPED:  # making a folder that is there, or removing an empty one: nothing is lost by either
            assert scene.stored(copy) == wanted, (number, kinds[number - 1], ended)
            continue
        stops += 1
        said = ended.said.splitlines()
        assert len(said) == 1, (number, kinds[number - 1], ended)
        assert all(
            word in said[0] for word in ("passport: ", str(scene.place(copy).stage_dir(scene.stage)), told, "remedy: ")
        ), said
        scene.require_nothing_half_made(copy)
        again = scene.end(copy)
        assert again.code == 0, again.said
        assert scene.stored(copy) == wanted
    return stops


@FAULTS
def test_ingest_stopped_by_the_disk_reports_it_keeps_the_published_run_and_can_be_repeated(
    ingest_scene: Scene, tmp_path: Path, disk: Disk, told: str
) -> None:
    assert require_clean_stops(ingest_scene, tmp_path, disk, told) >= 60


@FAULTS
def test_ingest_in_partitions_stopped_by_the_disk_reports_it_keeps_the_published_run_and_can_be_repeated(
    partitioned_in_process: Scene, tmp_path: Path, disk: Disk, told: str
) -> None:
    stops = require_clean_stops(partitioned_in_process, tmp_path, disk, told, (60, every(24)))
    assert stops >= (80 if every(24) == 1 else 3)


@FAULTS
def test_validation_stopped_by_the_disk_reports_it_keeps_the_published_run_and_can_be_repeated(
    validate_scene: Scene, tmp_path: Path, disk: Disk, told: str
) -> None:
    stops = require_clean_stops(validate_scene, tmp_path, disk, told, (30, every(10)))
    assert stops >= (80 if every(10) == 1 else 8)


@FAULTS
def test_registration_stopped_by_the_disk_reports_it_decides_once_and_can_be_repeated(
    register_scene: Scene, tmp_path: Path, disk: Disk, told: str
) -> None:
    stops = require_clean_stops(register_scene, tmp_path, disk, told, (30, every(6)))
    assert stops >= (35 if every(6) == 1 else 5)
