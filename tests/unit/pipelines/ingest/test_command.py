from __future__ import annotations

import gzip
import re
import sys
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import ConfigurationRefused, InputRefused, QuarantineLimitExceeded
from pipelines import cli
from pipelines.ingest.command import Reader, file_lines, ingest_paths
from pipelines.ingest.deliveries.unlisted import Terms
from pipelines.ingest.set_aside_rows import set_aside_lines
from pipelines.ingest.stage import ingest_folder
from pipelines.profiles.ingest_settings import IngestSettings
from pipelines.runs.publish import locked, read_json, read_parquet
from pipelines.signing.keys import KeyRing
from tests.factories.raw_files import (
    HMAC_KEY,
    LOANS_HEADER,
    RawFile,
    amazon_amount,
    amazon_file,
    amazon_total,
    csv_file,
    ingest_settings,
    shopify_file,
    shopify_order,
    vat_file,
    vat_row,
    write_raw_folder,
)
from tests.factories.scoring import KEYS
from tests.unit.pipelines.ingest.deliveries.test_archives import zipped

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.runs.stages import StageOutcome

TERMS = Terms(
    seller="S000001",
    account="shop-1",
    period_from=date(2023, 1, 1),
    period_to=date(2023, 12, 31),
    delivered_at=datetime(2024, 1, 5, tzinfo=UTC),
)
INVOICES = vat_file("sale", [vat_row("1"), vat_row("2")])
SETTLEMENT = amazon_file([amazon_total("111", "10.00"), amazon_amount("111", "10.00")])
LOANS = csv_file(LOANS_HEADER, ["L1,S1,N,2023-01-01,2024-01-01,100,CNY,1,1"])


def ingested(out: Path, *paths: Path, terms: Terms = TERMS) -> StageOutcome:
    keys = KeyRing(KEYS.signing_key, HMAC_KEY, is_demonstration=True)
    return ingest_paths(paths, terms, Reader(ingest_settings(), keys), out)


def written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.slow
def test_files_folders_zips_and_gz_are_recognised_and_ingested_like_a_listed_folder(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    paths = [
        written(raw / "a.txt", SETTLEMENT),
        written(raw / "more" / "loans.csv", LOANS).parent,
        written(raw / "v.zip", zipped({"invoices.csv": INVOICES, ".DS_Store": b"\0"})),
        written(raw / "orders.csv.gz", gzip.compress(shopify_file([shopify_order("#1", "1000")]))),
    ]
    outcome = ingested(tmp_path / "out", *paths)
    assert [line.partition(";")[0] for line in file_lines(outcome.run_dir)] == [
        "a.txt: amazon_settlement_v2@2.2.0: rows in 2, accepted 2, set aside 0",
        "more/loans.csv: lender_loans@2.0.0: rows in 1, accepted 1, set aside 0",
        "orders.csv.gz/orders.csv: shopify_orders@1.2.0: rows in 1, accepted 1, set aside 0",
        "v.zip/invoices.csv: vat_invoices@2.1.0: rows in 2, accepted 2, set aside 0",
        "v.zip/.DS_Store: not read: unlisted",
    ]
    listed = write_raw_folder(
        tmp_path / "listed",
        [
            RawFile("a.txt", "amazon_settlement_v2", SETTLEMENT, "S000001", "shop-1"),
            RawFile("more/loans.csv", "lender_loans", LOANS),
        ],
    )
    again = ingested(tmp_path / "again", listed, terms=Terms())
    for table in ("money_event", "loan"):
        columns = read_parquet(again.run_dir / "tables" / f"{table}.parquet").column_names
        kept = [name for name in columns if name not in {"source_file", "recorded_at"}]
        first, second = (read_parquet(one.run_dir / "tables" / f"{table}.parquet", kept) for one in (outcome, again))
        assert first.to_pylist() == second.to_pylist()


def test_coverage_is_set_by_the_caller(tmp_path: Path) -> None:
    outcome = ingested(tmp_path / "out", written(tmp_path / "v.csv", INVOICES))
    (row,) = read_parquet(outcome.run_dir / "tables" / "source_coverage.parquet").to_pylist()
    assert (row["seller_id"], row["period_from"], row["period_to"]) == ("S000001", date(2023, 1, 1), date(2023, 12, 31))
    assert row["delivered_at"] == row["recorded_at"] == TERMS.delivered_at


def test_nothing_is_recorded_before_its_period_is_over(tmp_path: Path) -> None:
    terms = Terms(**{**vars(TERMS), "delivered_at": datetime(2023, 2, 1, tzinfo=UTC)})
    outcome = ingested(tmp_path / "out", written(tmp_path / "v.csv", INVOICES), terms=terms)
    (row,) = read_parquet(outcome.run_dir / "tables" / "source_coverage.parquet").to_pylist()
    assert row["recorded_at"] == datetime(2024, 1, 1, tzinfo=UTC)


def test_the_same_call_is_up_to_date_and_another_seller_is_another_run(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", SETTLEMENT)
    first, again = ingested(tmp_path / "out", path), ingested(tmp_path / "out", path)
    assert again.was_current
    assert again.run_dir == first.run_dir
    other = Terms(**{**vars(TERMS), "seller": "S000002"})
    assert ingested(tmp_path / "out", path, terms=other).run_dir != first.run_dir


@pytest.mark.parametrize(
    ("left_out", "says"),
    [
        ("seller", "no option states its seller; remedy: add --seller"),
        ("period_from", "no option states its first day; remedy: add --from"),
        ("period_to", "no option states its last day; remedy: add --to"),
        ("delivered_at", "no option states its time of delivery; remedy: add --delivered-at"),
    ],
)
def test_facts_missing_about_a_file_are_requested(left_out: str, says: str, tmp_path: Path) -> None:
    terms = Terms(**{**vars(TERMS), left_out: None})
    with pytest.raises(ConfigurationRefused, match=says):
        ingested(tmp_path / "out", written(tmp_path / "a.txt", SETTLEMENT), terms=terms)


def test_a_file_that_names_its_firms_needs_no_seller(tmp_path: Path) -> None:
    terms = Terms(**{**vars(TERMS), "seller": None})
    assert ingested(tmp_path / "out", written(tmp_path / "loans.csv", LOANS), terms=terms).record.rows_kept == 1


def test_a_file_that_meets_no_contract_is_refused_with_the_nearest_and_what_is_missing(tmp_path: Path) -> None:
    written(tmp_path / "raw" / "good.csv", INVOICES)
    written(tmp_path / "raw" / "v.csv", INVOICES.replace("金额".encode(), "总数".encode()))
    with pytest.raises(InputRefused) as refusal:
        ingested(tmp_path / "out", tmp_path / "raw")
    assert refusal.value.file.endswith("raw/v.csv")
    assert "nearest: vat_invoices@2.1.0" in refusal.value.rule
    assert "missing: '金额'" in refusal.value.rule
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"seller": "../S1"}, "--seller '../S1' is not a valid reference"),
        ({"account": ""}, "--account '' is not a valid reference"),
        ({"period_from": date(2024, 1, 1)}, "--to 2023-12-31 is before --from 2024-01-01"),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationRefused, match=says):
        Terms(**{**vars(TERMS), **terms})


def test_a_path_to_nowhere_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="no such file or folder"):
        ingested(tmp_path / "out", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputRefused, match="there are no files to ingest"):
        ingested(tmp_path / "out", tmp_path / "empty")


def test_too_much_quarantine_ends_with_exit_1_after_everything_is_written(tmp_path: Path) -> None:
    bad = written(tmp_path / "v.csv", vat_file("sale", [vat_row("1"), vat_row("2", amounts="x,1,1")]))
    with pytest.raises(QuarantineLimitExceeded, match=r"50.00% of the rows"):
        ingested(tmp_path / "out", bad)
    (run_dir,) = (path for path in (tmp_path / "out" / "adhoc" / "ingest").iterdir() if path.is_dir())
    assert read_json(run_dir / "row_counts.json")["files"][0]["quarantined"] == {"type:net": 1}


def test_the_command_prints_one_line_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "a.txt", SETTLEMENT)
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    period = ["--from", "2023-01-01", "--to", "2023-12-31", "--delivered-at", "2024-01-05T10:00:00Z"]
    command = ["passport", "ingest", str(path), "--out", str(tmp_path / "out"), "--seller", "S1", *period]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("a.txt: amazon_settlement_v2@2.2.0: rows in 2, accepted 2, set aside 0")
    assert re.match(r"ingest: 2 rows in, 2 kept, \d+(\.\d)? s -> ", second)


def test_rows_of_another_seller_are_set_aside_and_named_as_in_a_listed_folder(tmp_path: Path) -> None:
    data = vat_file("sale", [vat_row("1"), vat_row("2", "S000002"), vat_row("3", "S000002")])
    reader = Reader(
        ingest_settings(quarantine_limit_share=1.0), KeyRing(KEYS.signing_key, HMAC_KEY, is_demonstration=True)
    )
    outcome = ingest_paths([written(tmp_path / "v.csv", data)], TERMS, reader, tmp_path / "out")
    listed = write_raw_folder(tmp_path / "listed", [RawFile("v.csv", "vat_invoices", data, "S000001")])
    reason = "delivery:seller_matches: The row names another seller than the delivery"
    expected = [f"v.csv: 2 rows set aside by {reason}: rows 3, 4"]
    assert file_lines(outcome.run_dir)[1:] == expected
    assert set_aside_lines([ingest_folder(listed, ingest_settings(), HMAC_KEY).quarantine]) == expected


def test_the_command_names_the_rows_set_aside_also_if_they_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "v.csv", vat_file("sale", [vat_row("1"), vat_row("2", "S000002")]))
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    period = ["--from", "2023-01-01", "--to", "2023-12-31", "--delivered-at", "2024-01-05T10:00:00Z"]
    command = ["passport", "ingest", str(path), "--out", str(tmp_path / "out"), "--seller", "S000001", *period]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "v.csv: 1 row set aside by delivery:seller_matches: " in capsys.readouterr().out


def test_settings_of_a_profile_with_another_layout_do_for_files_too(tmp_path: Path) -> None:
    settings = IngestSettings(recorded_at=datetime(2020, 1, 1, tzinfo=UTC), sources=("vat_invoices",))
    keys = KeyRing(KEYS.signing_key, HMAC_KEY, is_demonstration=True)
    path = written(tmp_path / "a.txt", SETTLEMENT)
    assert ingest_paths([path], TERMS, Reader(settings, keys), tmp_path / "out").record.rows_kept == 2


def test_the_second_of_two_runs_into_one_folder_is_told_that_it_is_locked(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", SETTLEMENT)
    with locked(tmp_path / "out" / "adhoc" / "ingest"), pytest.raises(ConfigurationRefused) as refusal:
        ingested(tmp_path / "out", path)
    assert "is locked by another run; remedy: wait for it to end" in str(refusal.value)
    assert refusal.value.exit_code == 2
    assert ingested(tmp_path / "out", path).record.rows_kept == 2


def test_a_file_delivered_again_with_other_content_for_the_same_period_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "v.csv", INVOICES)
    ingested(tmp_path / "out", path)
    written(path, vat_file("sale", [vat_row("1"), vat_row("3")]))
    changed = ingested(tmp_path / "out", path)
    (line,) = file_lines(changed.run_dir)
    assert line.startswith("v.csv: vat_invoices@2.1.0: rows in 2, accepted 2, set aside 0; ")
    assert line.endswith("evidence changed: the file differs from the one last logged under this name")
    next_year = Terms(**{**vars(TERMS), "period_from": date(2024, 1, 1), "period_to": date(2024, 12, 31)})
    written(path, vat_file("sale", [vat_row("4").replace("2023/3/5", "2024/3/5")]))
    assert "evidence changed" not in file_lines(ingested(tmp_path / "out", path, terms=next_year).run_dir)[0]
