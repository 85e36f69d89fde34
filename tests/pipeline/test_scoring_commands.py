"""``passport score``, ``verify`` and ``show`` as a user types them: no bad input scores anybody or loses a row."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipelines.runs.publish import read_parquet
from pipelines.runs.stages import Place
from pipelines.signing.keys import KeyRing, trust_file_for
from tests.factories.invoice_world import AS_OF, SELLERS, invoice_matrix, publish_tables, write_invoice_bundle
from tests.factories.scoring import KEYS
from tests.factories.small_run import PROFILE, FinishedRun

if TYPE_CHECKING:
    from collections.abc import Callable
from tests.pipeline.desk import Desk

# ---- applicants -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lender(Desk):
    """A desk with a bundle, the issuers of bundles, and the tables of forty sellers."""

    def score(self, file: object, *more: object) -> tuple[object, ...]:
        options = ("--bundle", "bundle", "--trust", "trust.json", "--artifacts", "artifacts", "--out", "out")
        return ("score", file, *options, "--issued-on", "2024-07-15", "--unpromoted", *more)

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
        ("a.csv", lambda path: path.write_bytes("seller_id,名前と注文番号\n".encode("cp932")), ["Shift-JIS"]),
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


def test_what_a_finished_run_suggests_can_be_typed(small_run: FinishedRun, tmp_path: Path) -> None:
    desk = Desk(tmp_path, small_run.keys)
    said = desk.type("summary", "--profile", PROFILE, "--out", small_run.place.out).stdout
    suggested = dict(re.findall(r"^  (\S+(?: \S+)*)  +(\S.*)$", said.partition("What to try next\n")[2], re.MULTILINE))
    assert [*suggested] == ["score a file of sellers", "verify a passport", "show a seller"]
    for command in suggested.values():
        done = desk.type(*shlex.split(command)[1:])
        assert done.returncode == 0, command + done.stdout + done.stderr
    assert len(list((tmp_path / "results" / "passports").glob("*.json"))) == 3


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
