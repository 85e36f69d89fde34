"""Quarantined rows are shown as they were delivered; sealed ones only with the key of the run."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import ConfigurationRefused, InputRefused, IntegrityRefused
from pipelines import cli
from pipelines.commands.quarantined_rows import quarantined_rows
from pipelines.ingest import stage as ingest
from pipelines.runs.stages import Place
from pipelines.signing.keys import load_keys
from tests.factories.deliveries import INVOICES, delivered_files
from tests.factories.raw_files import CANARY_EMAIL, ingest_settings, write_raw_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Ingest invoices without and orders with personal columns, each with rows that break a rule."""
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    raw_dir = write_raw_folder(tmp_path / "raw", delivered_files())
    settings = ingest_settings(raw_dir=raw_dir, quarantine_limit_share=1.0)
    place = Place("demo", tmp_path / "out")
    ingest.run(SimpleNamespace(name="demo", is_demonstration=True, ingest=settings), place)  # type: ignore[arg-type]
    return place


def environment(folder: Path) -> dict[str, str]:
    return {"KEYS_DIR": str(folder)}


def test_rows_are_shown_with_row_rule_and_original_text(place: Place) -> None:
    lines = list(quarantined_rows(place, "vat/2022.csv", {}))
    earlier = [row.replace("2023/3/5", "2022/3/5") for row in INVOICES]
    assert lines == [f"row 3: type:net: 2,{earlier[1]}", f"row 4: state:enum: 3,{earlier[2]}"]


def test_sealed_rows_open_with_the_keys_of_the_run(place: Place, tmp_path: Path) -> None:
    (line,) = quarantined_rows(place, "shop/1.csv", environment(tmp_path / "keys"))
    assert line.startswith(f"row 3: type:subtotal: #2,{CANARY_EMAIL},")


def test_sealed_rows_do_not_open_with_other_keys_and_no_key_is_created(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with pytest.raises(ConfigurationRefused):
        list(quarantined_rows(place, "shop/1.csv", environment(other)))
    assert not other.exists()
    load_keys("demo", is_demonstration=True, environment=environment(other))
    with pytest.raises(IntegrityRefused, match="another HMAC key; remedy: use the keys of the run"):
        list(quarantined_rows(place, "shop/1.csv", environment(other)))


def test_a_file_without_quarantined_rows_has_no_lines(place: Place) -> None:
    assert list(quarantined_rows(place, "vat/2024.csv", {})) == []


def test_a_file_that_was_not_ingested_is_refused_in_one_line(place: Place) -> None:
    with pytest.raises(InputRefused, match=r"no file 'vat/1999\.csv' was ingested; remedy: ") as refused:
        list(quarantined_rows(place, "vat/1999.csv", {}))
    assert "\n" not in str(refused.value)


def test_the_command_prints_one_line_a_row(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["passport", "quarantine", "vat/2022.csv", "--out", str(place.out)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert len(capsys.readouterr().out.splitlines()) == 2
