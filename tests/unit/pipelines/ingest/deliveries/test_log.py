from __future__ import annotations

import dataclasses
import json
import logging
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import IntegrityRefused
from models.registry.mlflow_client import DATABASE
from pipelines.ingest import stage as ingest
from pipelines.ingest.deliveries.log import EVIDENCE_CHANGED
from pipelines.runs.publish import read_json
from pipelines.runs.stages import Place
from tests.factories.raw_files import RawFile, ingest_settings, vat_file, vat_row, write_raw_folder
from tests.unit.pipelines.ingest.deliveries.test_archives import zipped

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.runs.stages import StageOutcome

SALE = RawFile("v/1.csv", "vat_invoices", vat_file("sale", [vat_row("1")]), "S000001")
RESTATED = dataclasses.replace(SALE, data=vat_file("sale", [vat_row("1", amounts="900.0,117.0,1017.0")]))
NEXT = RawFile("v/2.csv", "vat_invoices", vat_file("sale", [vat_row("2")]), "S000001")


@pytest.fixture(autouse=True)
def _keys_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))


def ingested(tmp_path: Path, *files: RawFile) -> StageOutcome:
    shutil.rmtree(tmp_path / "raw", ignore_errors=True)
    raw = write_raw_folder(tmp_path / "raw", files)
    settings = ingest_settings(raw_dir=raw)
    profile = SimpleNamespace(name="test", is_demonstration=True, ingest=settings)
    return ingest.run(profile, Place("test", tmp_path / "out"))  # type: ignore[arg-type]


def log_of(tmp_path: Path) -> Path:
    return tmp_path / "out" / "test" / "ledger" / "deliveries.jsonl"


def entries(tmp_path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log_of(tmp_path).read_text().splitlines()[:-1]]


def notes(outcome: StageOutcome) -> dict[str, list[str]]:
    return {file["file"]: file["notes"] for file in read_json(outcome.run_dir / "row_counts.json")["files"]}


def test_each_run_logs_the_list_and_what_is_new_of_the_files(tmp_path: Path) -> None:
    first, second = ingested(tmp_path, SALE), ingested(tmp_path, SALE, NEXT)
    one, two = entries(tmp_path)
    assert [one["run_id"], two["run_id"]] == [first.run_dir.name, second.run_dir.name]
    assert list(one["files"]) == ["v/1.csv"]  # type: ignore[call-overload]
    assert list(two["files"]) == ["v/2.csv"]  # type: ignore[call-overload]
    assert one["list_sha256"] != two["list_sha256"]
    assert two["changed"] == []


def test_a_rerun_adds_nothing(tmp_path: Path) -> None:
    ingested(tmp_path, SALE)
    before = log_of(tmp_path).read_bytes()
    assert ingested(tmp_path, SALE).was_current
    assert log_of(tmp_path).read_bytes() == before


def test_a_file_that_changed_since_it_was_logged_is_named_in_output_log_and_accounts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ingested(tmp_path, SALE, NEXT)
    with caplog.at_level(logging.WARNING):
        changed = ingested(tmp_path, RESTATED, NEXT)
    assert "evidence changed: v/1.csv" in caplog.text
    assert entries(tmp_path)[-1]["changed"] == ["v/1.csv"]
    assert notes(changed) == {"v/1.csv": [EVIDENCE_CHANGED], "v/2.csv": []}
    assert changed.record.notes["files_changed_since_logged"] == 1
    again = ingested(tmp_path, RESTATED, NEXT)
    assert again.was_current
    assert len(entries(tmp_path)) == 2


def test_many_changed_files_are_counted_on_screen_and_named_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    many = [dataclasses.replace(SALE, name=f"v/{number:02}.csv") for number in range(12)]
    ingested(tmp_path, *many)
    with caplog.at_level(logging.WARNING):
        ingested(tmp_path, *(dataclasses.replace(file, data=RESTATED.data) for file in many))
    warnings = [message for message in caplog.messages if message.startswith("evidence changed")]
    assert len(warnings) == 11
    assert "v/09.csv" in warnings[9]
    assert "2 more files" in warnings[10]
    assert entries(tmp_path)[-1]["changed"] == [file.name for file in many]


def test_evidence_that_changes_back_has_changed_as_well(tmp_path: Path) -> None:
    first = ingested(tmp_path, SALE)
    ingested(tmp_path, RESTATED)
    back = ingested(tmp_path, SALE)
    assert back.run_dir != first.run_dir
    assert notes(back) == {"v/1.csv": [EVIDENCE_CHANGED]}
    assert [entry["changed"] for entry in entries(tmp_path)] == [[], ["v/1.csv"], ["v/1.csv"]]


def test_a_run_that_is_in_force_again_is_logged_again(tmp_path: Path) -> None:
    first = ingested(tmp_path, SALE)
    ingested(tmp_path, SALE, NEXT)
    again = ingested(tmp_path, SALE)
    assert again.was_current
    assert [entry["run_id"] for entry in entries(tmp_path)][::2] == [first.run_dir.name] * 2


def test_a_changed_archive_is_noted_on_the_files_in_it(tmp_path: Path) -> None:
    ingested(tmp_path, RawFile("v.zip", "vat_invoices", zipped({"1.csv": SALE.data}), "S000001"))
    changed = ingested(tmp_path, RawFile("v.zip", "vat_invoices", zipped({"1.csv": NEXT.data}), "S000001"))
    assert notes(changed) == {"v.zip/1.csv": [EVIDENCE_CHANGED]}


def edited(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b'"changed":[]', b'"changed":["x"]'), *lines[1:]]


@pytest.mark.parametrize(
    "spoil",
    [
        edited,
        lambda lines: lines[1:],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: lines[:-2] + lines[-1:],
        lambda lines: lines[:-1],
        lambda lines: [*lines[:-1], lines[-2], lines[-1]],
    ],
    ids=["edited", "first deleted", "reordered", "last deleted", "head cut off", "repeated"],
)
def test_a_log_that_was_tampered_with_is_refused(spoil: Callable[[list[bytes]], list[bytes]], tmp_path: Path) -> None:
    ingested(tmp_path, SALE)
    ingested(tmp_path, SALE, NEXT)
    path = log_of(tmp_path)
    path.write_bytes(b"".join(line + b"\n" for line in spoil(path.read_bytes().splitlines())))
    with pytest.raises(IntegrityRefused, match=r"deliveries\.jsonl"):
        ingested(tmp_path, SALE, NEXT)


def test_a_log_put_back_to_an_older_state_or_removed_is_refused(tmp_path: Path) -> None:
    ingested(tmp_path, SALE)
    older = log_of(tmp_path).read_bytes()
    ingested(tmp_path, SALE, NEXT)
    log_of(tmp_path).write_bytes(older)
    with pytest.raises(IntegrityRefused, match=r"delivery log was set back: it has 1 entries, .* knows of 2"):
        ingested(tmp_path, SALE, NEXT)
    shutil.rmtree(tmp_path / "keys" / "test" / "heads")
    with pytest.raises(IntegrityRefused, match="the run in force"):
        ingested(tmp_path, SALE, NEXT)
    log_of(tmp_path).unlink()
    with pytest.raises(IntegrityRefused, match="the run in force"):
        ingested(tmp_path, SALE)


def test_a_log_removed_with_all_outputs_starts_anew_and_one_removed_beside_a_registry_is_refused(
    tmp_path: Path,
) -> None:
    ingested(tmp_path, SALE)
    shutil.rmtree(tmp_path / "out")
    ingested(tmp_path, SALE)
    assert len(entries(tmp_path)) == 1
    (tmp_path / "out" / "test" / DATABASE).touch()
    shutil.rmtree(tmp_path / "out" / "test" / "ledger")
    with pytest.raises(IntegrityRefused, match=r"it has 0 entries, .*; if it was removed on purpose, remove ") as said:
        ingested(tmp_path, SALE)
    assert Path(str(said.value).rpartition("remove ")[2].removesuffix(" too")).is_file()


def test_keys_lost_while_outputs_stay_are_refused_in_a_line_whose_remedies_both_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingested(tmp_path, SALE)
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "other keys"))
    root = tmp_path / "out" / "test"
    with pytest.raises(IntegrityRefused, match="not signed with the current key") as refusal:
        ingested(tmp_path, SALE)
    assert f"; remedy: put back the keys that {root} was made with (KEYS_DIR or " in str(refusal.value)
    assert f"move {root} away and make it again" in str(refusal.value)
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    assert ingested(tmp_path, SALE).was_current
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "other keys"))
    root.rename(tmp_path / "away")
    assert not ingested(tmp_path, SALE).was_current
