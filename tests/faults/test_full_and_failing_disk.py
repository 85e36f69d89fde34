"""A full or failing disk stops a stage with one line and exit code 3; the run before it stays, a rerun mends all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories.crashes import Scene, chosen
from tests.factories.disk_faults import DiskCall, failing_at, full_from


@pytest.mark.parametrize(
    ("disk", "told"),
    [(full_from, "No space left on device"), (failing_at, "Input/output error")],
    ids=["full", "failing"],
)
def test_ingest_stopped_by_the_disk_says_so_keeps_what_was_published_and_can_be_run_again(
    ingest_scene: Scene, tmp_path: Path, disk: Callable[[int], Callable[[DiskCall], None]], told: str
) -> None:
    whole = ingest_scene.copy(tmp_path / "whole")
    kinds = ingest_scene.end(whole).said.split()
    wanted = ingest_scene.stored(whole)
    stops = 0
    for number in chosen(kinds, 30):
        copy = ingest_scene.copy(tmp_path / "copy")
        ended = ingest_scene.typed(copy, disk(number))
        if ended.code == 0:  # making a folder that is there, or removing an empty one: nothing is lost by either
            assert kinds[number - 1] in {"mkdir", "rmdir"}
            continue
        stops += 1
        said = ended.said.splitlines()
        assert (ended.code, len(said)) == (3, 1), (number, kinds[number - 1], ended)
        assert all(
            word in said[0] for word in ("passport: ", str(copy / "out" / "test" / "ingest"), told, "remedy: ")
        ), said
        ingest_scene.require_nothing_half_made(copy)
        assert ingest_scene.end(copy).code == 0
        assert ingest_scene.stored(copy) == wanted
    assert stops >= 60
