from __future__ import annotations

from data_contracts.progress import SILENT, counted
from tests.factories.progress import Recorder


def test_an_item_counts_as_done_when_the_next_one_is_requested() -> None:
    recorder = Recorder()
    items = counted(["a", "b"], "letters read", 2, recorder)
    assert next(items) == "a"
    assert recorder.phases == [("letters read", 2)]
    assert recorder.reported == [0]
    assert list(items) == ["b"]
    assert recorder.is_complete


def test_items_are_unchanged_without_progress_output() -> None:
    assert list(counted(range(3), "numbers", 3, SILENT)) == [0, 1, 2]
