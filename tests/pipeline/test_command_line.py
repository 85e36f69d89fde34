"""The command line as a user types it: every bad input is reported in one line with its remedy, and no row is lost."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipelines.runs.publish import read_parquet
from pipelines.runs.stages import Place, current_run
from pipelines.signing.keys import KeyRing, trust_file_for
from tests.factories import published
from tests.factories.invoice_world import AS_OF, SELLERS, invoice_matrix, publish_tables, write_invoice_bundle
from tests.factories.raw_files import RawFile, vat_file, vat_row, write_raw_folder
from tests.factories.scoring import KEYS
from tests.factories.small_run import PROFILE, FinishedRun, environment

if TYPE_CHECKING:
    from collections.abc import Callable

PASSPORT = Path(sys.executable).with_name("passport")
INVOICES = vat_file("sale", [vat_row("1"), vat_row("2")])
SALE = RawFile("vat_invoices/S000001/sale.csv", "vat_invoices", INVOICES, "S000001")
RECORDED_AT = "recorded_at = 2025-01-15T00:00:00Z"


@dataclass(frozen=True)
class Desk:
    """A folder to type commands in, and its keys."""

    folder: Path
    keys: Path

    def type(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(PASSPORT), *map(str, arguments)]
        found = environment(self.keys, MLFLOW_DISABLE_TELEMETRY="true")
        done = subprocess.run(command, cwd=self.folder, env=found, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def refusal(self, *arguments: object, code: int = 2) -> str:
        """Run a command that must be refused, and return its one line."""
        done = self.type(*arguments)
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert line.startswith("passport: ")
        return line


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, tmp_path / "keys")


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
        ({"champion": 'champion = "best"'}, ["training.champion"]),
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
    assert f"remedy: run: make {missing} PROFILE={PROFILE} OUT=out" in line
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
    """What a command prints, results and progress together, where both go to a pseudo-terminal."""
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


# ---- applicants -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lender(Desk):
    """A desk with a bundle, the issuers of bundles, and the tables of forty sellers."""

    def score(self, file: object, *more: object) -> tuple[object, ...]:
        options = ("--bundle", "bundle", "--trust", "trust.json", "--artifacts", "artifacts", "--out", "out")
        return ("score", file, *options, "--issued-on", "2024-07-15", *more)

    def rows(self) -> list[dict[str, object]]:
        return read_parquet(self.folder / "out" / "passports.parquet").to_pylist()


@pytest.fixture
def lender(tmp_path: Path) -> Lender:
    write_invoice_bundle(tmp_path / "bundle")
    (tmp_path / "trust.json").write_bytes(trust_file_for(KEYS, "test", date(2024, 1, 1)))
    publish_tables(Place("demo", tmp_path / "artifacts"))
    return Lender(tmp_path, tmp_path / "keys")


def matrix_without(*names: str) -> pa.Table:
    return invoice_matrix().drop_columns(list(names))


def write_matrix(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path) if path.suffix == ".parquet" else table.to_pandas().to_csv(path, index=False)


def as_text(table: pa.Table, name: str) -> pa.Table:
    words = pa.array(["many"] * table.num_rows)
    return table.set_column(table.column_names.index(name), name, words)


FIRST = invoice_matrix().column_names[2]


@pytest.mark.parametrize(
    ("name", "prepare", "told"),
    [
        ("gone.csv", Path.exists, ["there is no such file"]),
        ("a.csv", lambda path: path.write_bytes(b""), ["empty"]),
        ("a.csv", lambda path: path.write_bytes(b"firm,as_of\nS000001,2024-06-30\n"), ["'seller_id'"]),
        ("a.csv", lambda path: path.write_bytes("seller_id\n企业\n".encode("gb18030")), ["row 2", "utf-8"]),
        ("a.parquet", lambda path: write_matrix(path, matrix_without(FIRST)), [f"'{FIRST}'", "1 of the model's"]),
        ("a.parquet", lambda path: write_matrix(path, as_text(invoice_matrix(), FIRST)), [f"'{FIRST}'", "not numbers"]),
    ],
    ids=["gone", "empty", "missing column", "wrong encoding", "missing feature", "wrong type"],
)
def test_an_unusable_applicant_file_is_reported_in_one_line(
    lender: Lender, name: str, prepare: Callable[[Path], object], told: list[str]
) -> None:
    prepare(lender.folder / name)
    line = lender.refusal(*lender.score(name))
    assert all(word in line for word in (f"file {name}", "remedy", *told))
    assert not (lender.folder / "out").exists()


def test_rows_that_cannot_be_scored_keep_their_place_and_get_a_code(lender: Lender) -> None:
    lines = [f"{seller},{AS_OF}" for seller in SELLERS[:3]]
    odd = [f"{SELLERS[2]},{AS_OF}", f"S404404,{AS_OF}", "S000004,30.06.2024", "S000005", f",{AS_OF}"]
    (lender.folder / "a.csv").write_text("\n".join(["seller_id,as_of", *lines, *odd, ""]), encoding="utf-8")
    done = lender.type(*lender.score("a.csv"))
    assert done.returncode == 0
    assert done.stderr == ""
    assert "8 rows (refused: 6, scored" in done.stdout
    rows = lender.rows()
    assert [row["source_row"] for row in rows] == list(range(2, 10))
    assert [row["codes"] for row in rows if row["status"] == "refused"] == [
        *("duplicate_applicant", "duplicate_applicant", "unknown_seller"),
        *("unreadable_value:as_of", "unreadable_row", "missing_seller_id"),
    ]
    assert all(row["score"] is None for row in rows if row["status"] == "refused")


def test_a_cell_that_is_not_a_number_refuses_only_its_row(lender: Lender) -> None:
    frame = invoice_matrix().to_pandas().astype({FIRST: object})
    frame.loc[3, FIRST] = "n.a."
    frame.to_csv(lender.folder / "a.csv", index=False)
    assert lender.type(*lender.score("a.csv")).returncode == 0
    refused = [row for row in lender.rows() if row["status"] == "refused"]
    assert [(row["seller_id"], row["codes"]) for row in refused] == [(SELLERS[3], f"unreadable_value:{FIRST}")]
    assert len(lender.rows()) == len(SELLERS)


def test_if_every_row_is_refused_the_exit_code_is_1_and_the_codes_are_shown(lender: Lender) -> None:
    (lender.folder / "a.csv").write_text(f"seller_id,as_of\nS404404,{AS_OF}\nS000001,\n", encoding="utf-8")
    done = lender.type(*lender.score("a.csv"))
    assert done.returncode == 1
    assert "codes: missing_as_of: 1, unknown_seller: 1;" in done.stdout
    assert len(lender.rows()) == 2


# ---- bundles --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["components/0.txt", "manifest.sig"])
def test_a_tampered_bundle_is_refused_before_anyone_is_scored(lender: Lender, name: str) -> None:
    write_matrix(lender.folder / "a.parquet", invoice_matrix())
    path = lender.folder / "bundle" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    line = lender.refusal(*lender.score("a.parquet"))
    assert "bundle" in line
    assert not (lender.folder / "out").exists()


def test_a_bundle_of_a_stranger_is_refused(lender: Lender) -> None:
    write_matrix(lender.folder / "a.parquet", invoice_matrix())
    (lender.folder / "trust.json").write_bytes(trust_file_for(stranger(), "a stranger", date(2024, 1, 1)))
    assert "unknown key" in lender.refusal(*lender.score("a.parquet"))


def stranger() -> KeyRing:
    return KeyRing(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))), bytes(32), is_demonstration=True)


# ---- what the small run issued --------------------------------------------------------------------------------------


@pytest.fixture
def holder(small_run: FinishedRun, tmp_path: Path) -> Desk:
    """Return a desk with one issued passport, ``passport.json``, and the trust file of its issuer."""
    file = min((small_run.at("score") / "passports").glob("*.json"))
    (tmp_path / "passport.json").write_bytes(file.read_bytes())
    (tmp_path / "trust.json").write_bytes(small_run.trust.read_bytes())
    return Desk(tmp_path, small_run.keys)


def answer(desk: Desk, *more: object) -> tuple[int, str]:
    """Run ``passport verify``; return its exit code and its code."""
    done = desk.type("verify", "passport.json", *more)
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    return done.returncode, line.split(": ")[1]


def test_a_passport_is_accepted_while_it_is_in_force_and_its_issuer_trusted(holder: Desk) -> None:
    trusted = ("--trust", "trust.json")
    assert answer(holder, *trusted, "--on", "2025-02-01") == (0, "ok")
    assert answer(holder, *trusted, "--on", "2025-01-14") == (2, "not_yet_valid")
    assert answer(holder, *trusted, "--on", "2026-01-01") == (2, "expired")
    assert answer(holder, "--on", "2025-02-01") == (2, "unknown_issuer")
    (holder.folder / "other.json").write_bytes(trust_file_for(stranger(), "a stranger", date(2024, 1, 1)))
    assert answer(holder, "--trust", "other.json", "--on", "2025-02-01") == (2, "unknown_issuer")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: data.replace(b'"grade":"', b'"grade":"A', 1), "changed"),
        (lambda data: data + b"\n", "not_canonical"),
        (lambda data: data[:-1], "malformed"),
        (lambda _: b"", "malformed"),
        (lambda data: data[: len(data) // 2] + b"\xff" + data[len(data) // 2 :], "malformed"),
    ],
    ids=["better grade", "one byte more", "one byte less", "empty", "no text"],
)
def test_a_tampered_passport_is_refused(holder: Desk, change: Callable[[bytes], bytes], code: str) -> None:
    path = holder.folder / "passport.json"
    changed = change(path.read_bytes())
    assert changed != path.read_bytes()
    path.write_bytes(changed)
    assert answer(holder, "--trust", "trust.json", "--on", "2025-02-01") == (2, code)


def test_one_refused_passport_does_not_keep_the_others_from_an_answer(holder: Desk) -> None:
    done = holder.type("verify", "gone.json", "passport.json", "--trust", "trust.json", "--on", "2025-02-01")
    assert done.returncode == 2
    assert [line.split(": ")[:2] for line in done.stdout.splitlines()] == [
        ["gone.json", "malformed"],
        ["passport.json", "ok"],
    ]


def test_an_invalid_trust_file_is_refused(holder: Desk) -> None:
    (holder.folder / "trust.json").write_text("{}")
    assert "trust.json" in holder.refusal("verify", "passport.json", "--trust", "trust.json")


def test_the_registered_champion_scores_named_sellers_and_shows_them(small_run: FinishedRun, tmp_path: Path) -> None:
    desk = Desk(tmp_path, small_run.keys)
    known = read_parquet(small_run.at("score") / "passports.parquet").to_pylist()[:3]
    sellers = [str(row["seller_id"]) for row in known]
    listed = [*sellers, sellers[0], "S404404"]
    (tmp_path / "a.csv").write_text("\n".join(["seller_id", *listed, ""]), encoding="utf-8")
    options = ("--profile", PROFILE, "--artifacts", small_run.place.out, "--out", "out", "--passports", "2")
    model = ("--model", "models:/seller-default@champion", "--as-of", "2024-12-31", "--issued-on", "2025-01-15")
    done = desk.type("score", "a.csv", *options, *model)
    assert done.returncode == 0, done.stderr
    rows = read_parquet(tmp_path / "out" / "passports.parquet").to_pylist()
    assert [row["seller_id"] for row in rows] == listed
    codes = Counter(str(row["codes"]) for row in rows if row["status"] == "refused")
    assert codes == {"duplicate_applicant": 2, "unknown_seller": 1}
    assert [row["score"] for row in rows[1:3]] == [row["score"] for row in known[1:]]
    files = sorted((tmp_path / "out" / "passports").glob("*.json"))
    assert desk.type("verify", *files, "--trust", small_run.trust, "--on", "2025-02-01").returncode == 0
    shown = desk.type("show", sellers[1], "--profile", PROFILE, "--out", small_run.place.out).stdout
    assert f"score {known[1]['score']}" in shown
    assert "S404404" in desk.refusal("show", "S404404", "--profile", PROFILE, "--out", small_run.place.out)
