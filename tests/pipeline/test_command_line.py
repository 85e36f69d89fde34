"""The command line as a user types it: every bad input is reported in one line with its remedy, and no row is lost."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.runs.publish import read_parquet
from pipelines.runs.stages import Place, current_run
from tests.factories import published
from tests.factories.raw_files import RawFile, vat_file, vat_row, write_raw_folder
from tests.factories.small_run import PROFILE, environment

if TYPE_CHECKING:
    from collections.abc import Callable
from tests.pipeline.desk import PASSPORT, Desk

INVOICES = vat_file("sale", [vat_row("1"), vat_row("2")])
SALE = RawFile("vat_invoices/S000001/sale.csv", "vat_invoices", INVOICES, "S000001")
RECORDED_AT = "recorded_at = 2025-01-15T00:00:00Z"


def own_profile(folder: Path, raw: Path | None = None, **changes: str) -> Path:
    """Write the small profile as a TOML file that reads ``raw``; ``changes`` replace lines by their beginning."""
    text = load_text(PROFILE)
    world, ingest = text.index("[world]"), text.index("[ingest]")
    text = text[:world] + text[ingest:]
    lines = {"name": 'name = "own"', "is_synthetic": "is_synthetic = false", **changes}
    if raw is not None:
        lines["layout"] = f'layout = "deliveries"\nraw_dir = "{raw}"'
    for beginning, line in lines.items():
        (old,) = [one for one in text.splitlines() if one.startswith(f"{beginning} = ")][:1]
        text = text.replace(old, line, 1)
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return path


def load_text(name: str) -> str:
    from importlib import resources

    return (resources.files("pipelines.profiles") / f"{name}.toml").read_text(encoding="utf-8")


# ---- the command line and the profile -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], ["'nonsense'", "passport --help"]),
        (["score", "a.csv", "--wrong"], ["--wrong", "passport score --help"]),
        (["score", "a.csv", "--as-of", "31.12.2024"], ["--as-of", "31.12.2024", "%Y-%m-%d"]),
        (["verify"], ["Missing argument", "passport verify --help"]),
    ],
)
def test_a_mistyped_command_names_the_help(desk: Desk, arguments: list[str], told: list[str]) -> None:
    line = desk.refusal(*arguments)
    assert all(word in line for word in (*told, "remedy"))


def test_a_mistyped_level_of_logging_is_refused_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSPORT_LOG", "loud")
    assert all(word in desk.refusal("ingest") for word in ("PASSPORT_LOG", "loud", "remedy"))


def test_an_unknown_profile_names_those_there_are(desk: Desk) -> None:
    line = desk.refusal("ingest", "--profile", "nonsense")
    assert all(word in line for word in ("'nonsense'", "cumcm2020c, demo, small", "TOML file"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"recorded_at": f"{RECORDED_AT}\ncolour = 1"}, ["ingest.colour", "Extra inputs"]),
        ({"champion": 'champion = "luckiest"'}, ["training.champion"]),
        ({"test_share": "test_share = 5.0"}, ["split.test_share"]),
        ({"feature_set": 'feature_set = "seller_core'}, ["line"]),
    ],
    ids=["unknown setting", "unknown choice", "out of range", "no TOML"],
)
def test_a_setting_that_makes_no_sense_is_named(desk: Desk, changes: dict[str, str], told: list[str]) -> None:
    profile = own_profile(desk.folder, desk.folder / "raw", **changes)
    line = desk.refusal("ingest", "--profile", profile)
    assert all(word in line for word in (*told, str(profile), "remedy"))


@pytest.mark.parametrize(
    ("stage", "missing"), [("ingest", "world"), ("features", "validate"), ("register", "train"), ("summary", "train")]
)
def test_a_stage_that_has_not_run_is_named_with_the_command_that_runs_it(desk: Desk, stage: str, missing: str) -> None:
    line = desk.refusal(stage, "--profile", PROFILE, "--out", "out")
    assert f"'{missing}' of profile '{PROFILE}' has not run" in line
    assert f"remedy: run it first: passport {missing} --profile {PROFILE} --out out" in line
    assert not (desk.folder / "out").exists()


def test_an_unexpected_error_exits_with_3_in_one_line_and_names_the_way_to_see_more(desk: Desk) -> None:
    folder = desk.folder / "out" / PROFILE / "train"
    (folder / "run").mkdir(parents=True)
    (folder / "CURRENT").write_text("run\n")
    (folder / "run" / "evaluation.json").write_text("{")
    published.record(folder / "run")
    line = desk.refusal("summary", "--profile", PROFILE, "--out", "out", code=3)
    assert all(word in line for word in ("internal fault", "JSONDecodeError", "PASSPORT_TRACEBACK=1"))


def test_a_real_profile_without_keys_is_refused_and_creates_none(desk: Desk) -> None:
    raw = write_raw_folder(desk.folder / "raw", [SALE])
    profile = own_profile(desk.folder, raw, is_demonstration="is_demonstration = false")
    line = desk.refusal("ingest", "--profile", profile, "--out", "out")
    assert all(word in line for word in ("signing_key.pem", "PASSPORT_SIGNING_KEY_FILE", "remedy"))
    assert not desk.keys.exists()


# ---- raw files ------------------------------------------------------------------------------------------------------


def without(data: bytes, header: str) -> bytes:
    return data.replace(header.encode(), b"Something else", 1)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda _: b"", ["the file is empty"]),
        (lambda data: without(data, "金额"), ["missing columns: '金额'"]),
        (lambda data: data.decode("utf-8-sig").encode("gb18030"), ["row 1", "utf-8"]),
        (lambda data: b"\x00" + data, ["row 1", "NUL"]),
    ],
    ids=["empty", "missing column", "wrong encoding", "nul"],
)
def test_a_raw_file_that_cannot_be_read_is_named_and_nothing_is_published(
    desk: Desk, spoil: Callable[[bytes], bytes], told: list[str]
) -> None:
    raw = write_raw_folder(desk.folder / "raw", [replace(SALE, data=spoil(SALE.data))])
    line = desk.refusal("ingest", "--profile", own_profile(desk.folder, raw), "--out", "out")
    assert all(word in line for word in (SALE.name, "remedy", *told))
    files = [path.name for path in (desk.folder / "out").rglob("*") if path.is_file()]
    assert files == [".ingest.lock"]


def test_cells_of_a_wrong_type_are_set_aside_and_too_many_of_them_fail_the_stage(desk: Desk) -> None:
    rows = [vat_row(str(number)) for number in range(1, 20)]
    bad = vat_row("20").replace("100.0,", "hundred,")
    raw = write_raw_folder(desk.folder / "raw", [replace(SALE, data=vat_file("sale", [*rows, bad]))])
    line = desk.refusal("ingest", "--profile", own_profile(desk.folder, raw), "--out", "out", code=1)
    assert "5.00% of the rows were quarantined, more than the 1.00%" in line
    generous = own_profile(desk.folder, raw, recorded_at=f"{RECORDED_AT}\nquarantine_limit_share = 0.1")
    done = desk.type("ingest", "--profile", generous, "--out", "out")
    assert done.returncode == 0
    # The refused run has published the same rows.
    counts = "ingest: up to date, 20 rows in, 19 kept, 1 set aside"
    assert re.fullmatch(rf"{counts} \(1 reason\), [\d.]+ s\n", done.stdout)
    again = desk.type("--verbose", "ingest", "--profile", generous, "--out", "out").stdout
    assert "\n  quarantined by type:net: 1\n  output: out/own/ingest/" in again
    run = current_run(Place("own", desk.folder / "out"), "ingest")
    (row,) = read_parquet(run / "quarantine" / "vat_invoices.parquet").to_pylist()
    assert (row["source_file"], row["source_row"], row["column"]) == (SALE.name, 21, "net")


def test_a_refused_delivery_leaves_what_was_published_as_it_was(desk: Desk) -> None:
    raw = write_raw_folder(desk.folder / "raw", [SALE])
    stage = ("ingest", "--profile", own_profile(desk.folder, raw), "--out", "out")
    assert desk.type(*stage).returncode == 0
    before = {path: path.read_bytes() for path in (desk.folder / "out").rglob("*") if path.is_file()}
    (raw / SALE.name).write_bytes(SALE.data + b"9,S000001,3")
    line = desk.refusal(*stage)
    assert all(word in line for word in (SALE.name, "SHA-256", "row 2 of deliveries.csv", "remedy"))
    assert {path: path.read_bytes() for path in (desk.folder / "out").rglob("*") if path.is_file()} == before


# ---- what long work shows -------------------------------------------------------------------------------------------


def on_a_terminal(desk: Desk, *arguments: object, **more: str) -> str:
    """Run a command on a pseudo-terminal; return results and progress together."""
    ours, theirs = pty.openpty()
    found = environment(desk.keys, MLFLOW_DISABLE_TELEMETRY="true", **{"TERM": "xterm-256color", **more})
    command = [str(PASSPORT), *map(str, arguments)]
    with subprocess.Popen(command, cwd=desk.folder, env=found, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        said = b""
        # Linux ends reading with an error when the other side has closed a pseudo-terminal.
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 65_536):
                said += chunk
    os.close(ours)
    assert running.returncode == 0, said
    return said.decode()


@pytest.fixture
def stage(desk: Desk) -> tuple[object, ...]:
    raw = write_raw_folder(desk.folder / "raw", [SALE])
    return ("ingest", "--profile", own_profile(desk.folder, raw), "--out", "out")


def test_a_terminal_shows_a_bar_and_keeps_one_line(desk: Desk, stage: tuple[object, ...]) -> None:
    said = on_a_terminal(desk, *stage)
    size = len(INVOICES)
    assert f"{size:,} of {size:,} bytes read" in said
    assert "\x1b[" in said
    kept = said.rpartition("\x1b[2K")[2]
    assert re.fullmatch(r"ingest: 2 rows in, 2 kept, [\d.]+ s\r\n", kept), kept


def test_without_a_terminal_a_stage_is_one_line_without_control_characters(
    desk: Desk, stage: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    done = desk.type(*stage)
    assert re.fullmatch(r"ingest: 2 rows in, 2 kept, [\d.]+ s\n", done.stdout)
    assert done.stderr == ""


def test_quiet_prints_nothing_on_success(desk: Desk, stage: tuple[object, ...]) -> None:
    assert on_a_terminal(desk, "--quiet", *stage) == ""
    done = desk.type("-q", *stage)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_simple_terminal_gets_no_bar(desk: Desk, stage: tuple[object, ...]) -> None:
    assert "\x1b" not in on_a_terminal(desk, *stage, TERM="dumb")


def test_quiet_and_verbose_exclude_each_other(desk: Desk) -> None:
    assert "--quiet and --verbose" in desk.refusal("--quiet", "--verbose", "ingest")


def test_the_version_is_that_of_the_distribution(desk: Desk) -> None:
    assert desk.type("--version").stdout == f"passport {metadata.version('seller-credit-passport')}\n"
