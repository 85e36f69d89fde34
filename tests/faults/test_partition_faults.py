"""A process that ingests a delivery in partitions fails on the way: the run reports it, and no row is lost or doubled.

Faults come at one or two of its thousands of disk calls; with ``FAULT_POINTS=all`` at forty.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from pipelines.ingest.batches import workers as batch_reading
from tests.factories.faults.crashes import KILLED, Scene, every
from tests.factories.faults.disk_faults import Ended, untroubled
from tests.faults.faulty_partitions import ingest_in_trouble

REFUSED, STOPPED = 2, 3
# Each takes a fresh interpreter or two.
_MANY_POINTS = 40


@dataclass(frozen=True)
class Trouble:
    """A scene whose reading process fails; ``wanted`` is the result without a fault, after ``calls`` disk calls."""

    scene: Scene
    folder: Path
    wanted: dict[str, bytes]
    calls: int

    def comes(self, kind: str, number: int) -> tuple[Path, Ended]:
        """Return a copy over which the ingest command ran, and how it ended."""
        copy = self.scene.copy(self.folder / "copy")
        with reading_in_trouble(self.folder / "notes", kind, number):
            return copy, self.scene.typed(copy, untroubled)

    def points(self, count: int = 1) -> range:
        """Return the calls at which the fault comes, evenly spread."""
        step = -(-self.calls // (_MANY_POINTS if every(count + 1) == 1 else count))
        return range((step + 1) // 2, self.calls + 1, step)

    def require_that_a_rerun_mends_all(self, copy: Path) -> None:
        """Check that the published output can be read, and that a rerun leaves the result without a fault."""
        self.scene.require_nothing_half_made(copy)
        again = self.scene.end(copy)
        assert again.code == 0, again.said
        assert self.scene.stored(copy) == self.wanted


@contextmanager
def reading_in_trouble(notes: Path, kind: str, number: int) -> Iterator[None]:
    """Let reading processes that start meanwhile fail, and record it."""
    notes.unlink(missing_ok=True)
    environment = {"SPILL_TROUBLE": f"{kind} {number}", "SPILL_NOTES": str(notes)}
    reader = mock.patch.object(batch_reading, "ingest_in_partitions", ingest_in_trouble)
    with mock.patch.dict("os.environ", environment), reader:
        yield


@pytest.fixture(scope="module")
def trouble(partitioned_scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Trouble:
    folder = tmp_path_factory.mktemp("trouble")
    whole = partitioned_scene.copy(folder / "whole")
    with reading_in_trouble(folder / "notes", "none", 0):
        ended = partitioned_scene.end(whole)
    assert ended.code == 0, ended.said
    return Trouble(partitioned_scene, folder, partitioned_scene.stored(whole), int((folder / "notes").read_text()))


@pytest.mark.parametrize(
    ("kind", "code", "told"),
    [
        ("killed", STOPPED, ("SIGKILL", "the machine has too little memory", "remedy: end other programs")),
        ("greedy", REFUSED, ("m/1.csv", "needed more than 6144 MiB of memory", "remedy: ")),
    ],
)
def test_a_reading_process_that_dies_in_a_partition_is_reported_with_its_file_if_that_is_to_blame(
    trouble: Trouble, kind: str, code: int, told: tuple[str, ...]
) -> None:
    for number in trouble.points():
        copy, ended = trouble.comes(kind, number)
        assert ended.code == code, (number, ended)
        (said,) = ended.said.splitlines()
        assert all(words in said for words in told), said
        assert ("m/1.csv" in said) is (code == REFUSED)
        assert len((trouble.folder / "notes").read_text().split()) == 2  # a fresh process tried it too
        trouble.require_that_a_rerun_mends_all(copy)


def test_a_reading_process_that_dies_once_in_a_partition_loses_nothing(trouble: Trouble) -> None:
    for number in trouble.points():
        copy, ended = trouble.comes("killed_once", number)
        assert ended.code == 0, (number, ended)
        assert trouble.scene.stored(copy) == trouble.wanted


@pytest.mark.parametrize(("kind", "told"), [("full", "No space left on device"), ("failing", "Input/output error")])
def test_a_disk_fault_in_a_partition_is_reported_in_one_line(trouble: Trouble, kind: str, told: str) -> None:
    for number in trouble.points():
        copy, ended = trouble.comes(kind, number)
        assert ended.code == STOPPED, (number, ended)
        (said,) = ended.said.splitlines()
        assert all(words in said for words in (str(trouble.scene.place(copy).stage_dir("ingest")), told, "remedy: "))
        trouble.require_that_a_rerun_mends_all(copy)


def test_a_run_killed_while_its_reading_process_is_at_work_can_be_run_again_at_once(trouble: Trouble) -> None:
    for number in trouble.points(2):
        copy = trouble.scene.copy(trouble.folder / "copy")
        with reading_in_trouble(trouble.folder / "notes", "caller_killed", number):
            assert trouble.scene.end(copy).code == KILLED
        trouble.require_that_a_rerun_mends_all(copy)
