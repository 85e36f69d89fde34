from __future__ import annotations

from pathlib import Path

import pytest

from data_contracts.progress import SILENT
from pipelines.command_line.progress_bar import count_text
from pipelines.command_line.terminal import Terminal, file_link, seconds_text, stage_lines
from pipelines.runs.stages import StageOutcome, StageRecord

RUN_DIR = Path("artifacts/demo/ingest/1a2b")


def outcome(set_aside: dict[str, int] | None = None, *, was_current: bool = False) -> StageOutcome:
    aside = set_aside or {}
    return StageOutcome(RUN_DIR, StageRecord(6_000_000, 6_000_000 - sum(aside.values()), aside), was_current)


def test_a_stage_is_one_line_of_counts_and_seconds() -> None:
    line, _ = stage_lines("ingest", outcome({"repeated row": 63_999, "quarantined by type:net": 1}), 62.4)
    assert line == "ingest: 6,000,000 rows in, 5,936,000 kept, 64,000 set aside (2 reasons), 62 s"
    assert stage_lines("ingest", outcome(), 3.14)[0] == "ingest: 6,000,000 rows in, 6,000,000 kept, 3.1 s"
    line, _ = stage_lines("ingest", outcome({"repeated row": 5}, was_current=True), 1)
    assert line == "ingest: up to date, 6,000,000 rows in, 5,999,995 kept, 5 set aside (1 reason), 1.0 s"


def test_gates_pass_and_applicants_are_scored() -> None:
    assert stage_lines("register", outcome({"failed auc": 1}), 1)[0].startswith(
        "register: 6,000,000 gates, 5,999,999 passed, 1 failed (1 reason)"
    )
    assert stage_lines("score", outcome(), 1)[0].startswith("score: 6,000,000 applicants, 6,000,000 scored")
    assert stage_lines("world", outcome(), 1)[0] == "world: 6,000,000 rows written, 1.0 s"


def test_reasons_and_the_folder_are_details() -> None:
    _, details = stage_lines("ingest", outcome({"repeated row": 63_999, "none of these": 0, "a rule": 1}), 1)
    assert details == ["  a rule: 1", "  repeated row: 63,999", f"  output: {RUN_DIR}"]


def test_features_that_a_training_set_aside_or_doubts_are_named_with_the_reason() -> None:
    notes: dict[str, str | int | float] = {
        "features_set_aside_because": "no declared direction: a, b, c, d, e, f; no known value: g",
        "features_to_look_at": "AUC 0.850 by itself, 0.690 by the second best: h",
        "features_waived": "given before the loan (Chen, until 2026-12-31): i",
    }
    record = StageRecord(10, 10, {}, notes=notes)
    line, _ = stage_lines("train", StageOutcome(RUN_DIR, record, was_current=False), 1)
    assert line.splitlines()[1:] == [
        "  6 features set aside, no declared direction: a, b, c, d and 2 more",
        "  1 feature set aside, no known value: g",
        "  1 feature worth a look, AUC 0.850 by itself, 0.690 by the second best: h",
        "  1 feature waived in the leak check, given before the loan (Chen, until 2026-12-31): i",
    ]
    nothing = StageRecord(10, 10, {}, notes={"features_set_aside_because": ""})
    assert "\n" not in stage_lines("train", StageOutcome(RUN_DIR, nothing, was_current=False), 1)[0]


@pytest.mark.parametrize(
    ("volume", "printed"), [("quiet", ""), ("normal", "result\n"), ("verbose", "result\ndetail\n")]
)
def test_volume_decides_what_is_printed(volume: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(volume)  # type: ignore[arg-type]
    terminal.say("result")
    terminal.detail("detail")
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("forced", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_without_a_terminal_nobody_is_told_of_progress(forced: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(forced, "1")
    with Terminal().progress("ingest") as progress:
        assert progress is SILENT


def test_without_a_terminal_a_link_is_the_path(capsys: pytest.CaptureFixture[str]) -> None:
    assert file_link(RUN_DIR) == str(RUN_DIR)
    assert capsys.readouterr().out == ""


def test_seconds_and_counts_are_short() -> None:
    assert [seconds_text(value) for value in (0.04, 9.94, 9.96, 1234.5)] == ["0.0 s", "9.9 s", "10 s", "1,234 s"]
    assert count_text(1_200, 40_000) == "1,200 of 40,000"
    assert count_text(3_160_000, 147_200_000) == "3.2 of 147.2 million"
