"""``passport score --out`` replaces its own results, and never touches a file that somebody else wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import ConfigurationRefused
from pipelines.runs.publish import locked
from pipelines.score.results_folder import list_files, refuse_foreign_files, replace_folder, work_folder

if TYPE_CHECKING:
    from collections.abc import Callable


def results(folder: Path, scores: str = "1") -> Path:
    (folder / "passports").mkdir(parents=True)
    for name in ("summary.json", "scores.csv", "passports/1.json"):
        (folder / name).write_text(scores)
    list_files(folder)
    return folder


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_results_of_an_earlier_run_are_replaced_whole(tmp_path: Path) -> None:
    out = results(tmp_path / "out")
    replace_folder(results(work_folder(out) / "draft", "2"), out)
    assert content(out)["scores.csv"] == "2"
    refuse_foreign_files(out)


def test_an_empty_folder_and_a_missing_one_are_fine(tmp_path: Path) -> None:
    refuse_foreign_files(tmp_path)
    refuse_foreign_files(tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda out: (out / "notes.txt").write_text("ours"), "notes.txt"),
        (lambda out: (out / "passports" / "letter.docx").write_text("ours"), "letter.docx"),
        (lambda out: (out / "scores.csv").write_text("edited"), "scores.csv"),
        (lambda out: (out / "empty").mkdir(), "empty"),
        (lambda out: (out / "files.json").unlink(), "did not write"),
        (lambda out: (out / "files.json").write_text("[]"), "did not write"),
        (lambda out: (out / "summary.json").unlink() or (out / "summary.json").symlink_to("scores.csv"), "summary"),
    ],
    ids=["a file", "a file below", "an edited file", "a folder", "no list", "another list", "a link"],
)
def test_what_the_program_did_not_write_is_named_and_kept(
    tmp_path: Path, change: Callable[[Path], object], named: str
) -> None:
    out = results(tmp_path / "out")
    change(out)
    before = content(out)
    with pytest.raises(ConfigurationRefused, match=named):
        replace_folder(results(work_folder(out) / "draft", "2"), out)
    assert content(out) == before


def test_a_folder_that_holds_only_a_file_called_summary_is_kept(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("{}")
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigurationRefused):
        refuse_foreign_files(tmp_path)


def test_a_folder_with_the_name_of_work_in_progress_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".out.scoring").mkdir()
    (tmp_path / ".out.scoring" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigurationRefused, match="no folder of passport score"):
        work_folder(tmp_path / "out")


def test_only_the_owner_may_open_work_in_progress(tmp_path: Path) -> None:
    assert work_folder(tmp_path / "out").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("out", [".", "..", "", "sub/..", "/"])
def test_a_folder_that_one_stands_in_is_not_replaced(tmp_path: Path, out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(ConfigurationRefused, match="the folder you are in") as refused:
        refuse_foreign_files(Path(out))
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("out", ["file/results", "x" * 300])
def test_a_folder_that_cannot_be_is_refused_by_name(tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("a file")
    for use in (refuse_foreign_files, lambda folder: locked(folder).__enter__()):
        with pytest.raises(ConfigurationRefused, match="cannot be used"):
            use(tmp_path / out)
