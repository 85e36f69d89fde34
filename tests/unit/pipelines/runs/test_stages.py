"""A stage runs once for the same content, publishes whole folders, and never loses a row."""

from __future__ import annotations

from pathlib import Path

import pytest

import pipelines.runs.stages
from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from pipelines.runs.publish import locked
from pipelines.runs.stages import (
    Place,
    StageInputs,
    StageOutcome,
    StageRecord,
    current_output,
    current_run,
    library_versions,
    outdated_inputs,
    run_stage,
)
from pipelines.runs.storage_faults import StorageFailed


class Kitchen:
    """A stage that copies its input in capitals and counts its runs."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "source.txt"
        self.source.write_text("a\nb\n")
        self.place = Place("demo", folder / "out")
        self.times_worked = 0

    def run(self, *, recipe: str = "upper") -> StageOutcome:
        def work(draft: Path) -> StageRecord:
            self.times_worked += 1
            (draft / "result.txt").write_text(self.source.read_text().upper())
            return StageRecord(rows_in=2, rows_kept=2)

        inputs = StageInputs({"source": self.source}, {"recipe": recipe}, ("data_contracts",))
        return run_stage("cook", self.place, inputs, work)

    @property
    def pointer(self) -> Path:
        return self.place.stage_dir("cook") / "CURRENT"


@pytest.fixture
def kitchen(tmp_path: Path) -> Kitchen:
    return Kitchen(tmp_path)


def test_a_stage_publishes_what_it_wrote_and_points_to_it(kitchen: Kitchen) -> None:
    outcome = kitchen.run()
    assert not outcome.was_current
    assert current_run(kitchen.place, "cook") == outcome.run_dir
    assert (outcome.run_dir / "result.txt").read_text() == "A\nB\n"


def test_a_touched_but_equal_source_is_hashed_and_nothing_is_rewritten(kitchen: Kitchen) -> None:
    kitchen.run()
    before = kitchen.pointer.stat().st_mtime_ns
    kitchen.source.touch()
    assert kitchen.run().was_current
    assert kitchen.times_worked == 1
    assert kitchen.pointer.stat().st_mtime_ns == before


def test_a_changed_source_makes_a_new_run_and_keeps_the_old_one(kitchen: Kitchen) -> None:
    first = kitchen.run()
    kitchen.source.write_text("c\nd\n")
    second = kitchen.run()
    assert second.run_dir != first.run_dir
    assert (first.run_dir / "result.txt").read_text() == "A\nB\n"
    assert current_run(kitchen.place, "cook") == second.run_dir


def test_a_changed_setting_with_equal_output_does_not_move_the_pointer(kitchen: Kitchen) -> None:
    first = kitchen.run()
    before = kitchen.pointer.stat().st_mtime_ns
    kitchen.run(recipe="another")
    assert kitchen.times_worked == 2
    assert current_run(kitchen.place, "cook") == first.run_dir
    assert kitchen.pointer.stat().st_mtime_ns == before
    assert kitchen.run(recipe="another").was_current


def test_a_source_that_goes_back_finds_its_old_run(kitchen: Kitchen) -> None:
    first = kitchen.run()
    kitchen.source.write_text("c\nd\n")
    kitchen.run()
    kitchen.source.write_text("a\nb\n")
    assert kitchen.run().was_current
    assert current_run(kitchen.place, "cook") == first.run_dir
    assert kitchen.times_worked == 2


@pytest.mark.parametrize("damage", ["flip", "delete", "add"])
def test_a_damaged_run_is_noticed_and_made_again(kitchen: Kitchen, damage: str) -> None:
    result = kitchen.run().run_dir / "result.txt"
    if damage == "flip":
        result.write_text("A\nC\n")
    elif damage == "delete":
        result.unlink()
    else:
        result.with_name("stray.txt").write_text("")
    assert not kitchen.run().was_current
    assert result.read_text() == "A\nB\n"
    assert [path.name for path in result.parent.iterdir() if path.name == "stray.txt"] == []


def test_a_failing_stage_leaves_the_published_run_and_no_draft(kitchen: Kitchen) -> None:
    published = kitchen.run().run_dir
    kitchen.source.write_text("c\n")

    def work(draft: Path) -> StageRecord:
        (draft / "half.txt").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageFailed, match=r"out/demo/cook stopped: No space left.*remedy: make room"):
        run_stage("cook", kitchen.place, StageInputs({"source": kitchen.source}, {}, ("data_contracts",)), work)
    assert current_run(kitchen.place, "cook") == published
    assert sorted(path.name for path in kitchen.place.stage_dir("cook").iterdir()) == sorted(
        ["CURRENT", published.name]
    )


def test_a_stage_that_is_at_work_is_not_started_again(kitchen: Kitchen) -> None:
    with locked(kitchen.place.stage_dir("cook")), pytest.raises(ConfigurationRefused, match="locked by another run"):
        kitchen.run()
    assert kitchen.times_worked == 0


def test_leftovers_of_a_killed_run_are_removed(kitchen: Kitchen) -> None:
    folder = kitchen.run().run_dir.parent
    (folder / ".run-abandoned" / "half").mkdir(parents=True)
    (folder / ".CURRENT.abandoned").touch()
    kitchen.run()
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("damage", ["flip", "delete", "add"])
def test_a_published_file_is_given_only_as_it_was_published(kitchen: Kitchen, damage: str) -> None:
    result = kitchen.run().run_dir / "result.txt"
    assert current_output(kitchen.place, "cook", "result.txt") == result
    if damage == "flip":
        result.write_text("A\nC\n")
    elif damage == "delete":
        result.unlink()
    else:
        result.with_name("stray.txt").touch()
    asked = {"flip": "result.txt", "delete": "result.txt", "add": ""}[damage]
    with pytest.raises(IntegrityRefused, match=r"by the manifest of its run; remedy: .*passport cook --profile demo"):
        current_output(kitchen.place, "cook", asked)


def test_a_stage_is_outdated_once_what_it_was_made_from_has_run_again_with_another_result(kitchen: Kitchen) -> None:
    def serve() -> None:
        place = kitchen.place
        files = {"dish": current_output(place, "cook", "result.txt"), "all": current_output(place, "cook")}
        run_stage("serve", place, StageInputs(files, {}, ("data_contracts",)), lambda _: StageRecord(0, 0))

    kitchen.run()
    serve()
    assert outdated_inputs(kitchen.place, "serve") == ()
    kitchen.run(recipe="another")  # with the same result
    assert outdated_inputs(kitchen.place, "serve") == ()
    kitchen.source.write_text("c\nd\n")
    kitchen.run()
    assert outdated_inputs(kitchen.place, "serve") == ("cook",)
    serve()
    assert outdated_inputs(kitchen.place, "serve") == ()


def test_other_versions_of_libraries_make_a_new_run(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"python", "lightgbm", "duckdb", "pyarrow"} <= set(library_versions())
    kitchen.run()
    monkeypatch.setattr(pipelines.runs.stages, "library_versions", lambda: {"lightgbm": "99"})
    assert not kitchen.run().was_current


def test_an_unpublished_part_is_a_path_to_nothing(kitchen: Kitchen) -> None:
    run_dir = kitchen.run().run_dir
    assert current_output(kitchen.place, "cook", "other.txt") == run_dir / "other.txt"


def test_a_manifest_inside_an_output_is_checked_like_any_file(kitchen: Kitchen) -> None:
    def work(draft: Path) -> StageRecord:
        (draft / "bundle").mkdir()
        (draft / "bundle" / "manifest.json").write_text("{}")
        return StageRecord(0, 0)

    inputs = StageInputs({"source": kitchen.source}, {}, ("data_contracts",))
    run_dir = run_stage("cook", kitchen.place, inputs, work).run_dir
    (run_dir / "bundle" / "manifest.json").write_text("[]")
    with pytest.raises(IntegrityRefused, match=r"bundle/manifest\.json is changed"):
        current_output(kitchen.place, "cook", "bundle")


def test_a_record_that_loses_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="rows are lost"):
        StageRecord(rows_in=10, rows_kept=8, set_aside={"not_null": 1})


def test_a_stage_that_has_not_run_is_named_with_its_command(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationRefused,
        match=r"'train' of profile 'demo' has not run .*remedy: .*passport train --profile demo --out ",
    ):
        current_run(Place("demo", tmp_path), "train")
