from __future__ import annotations

import dataclasses
import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from data_contracts.errors import ConfigurationRefused, InputRefused, InternalFault
from data_contracts.privacy import open_sealed_original
from pipelines.ingest.stage import ingest_folder
from pipelines.profiles.ingest_settings import CoveragePeriod, IngestSettings
from pipelines.runs.file_counts import (
    FileCounts,
    counts_of_document,
    require_balance,
    row_counts_document,
    totals_by_source,
)
from tests.factories.progress import Recorder
from tests.factories.raw_files import (
    CANARY_EMAIL,
    CANARY_NAME,
    HMAC_KEY,
    LOANS_HEADER,
    RawFile,
    amazon_amount,
    amazon_file,
    amazon_total,
    cells,
    csv_file,
    declaration,
    declaration_item,
    declarations_file,
    entity,
    ingest_settings,
    ingested,
    ingested_and_written,
    links_file,
    only_account,
    shopify_file,
    shopify_line,
    shopify_order,
    vat_file,
    vat_row,
    write_raw_folder,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.ingest.stage import IngestResult

SALE = RawFile("vat_invoices/S000001/sale.csv", "vat_invoices", vat_file("sale", [vat_row("1")]), "S000001")


def small_world() -> list[RawFile]:
    """Return a few files of several sources and sellers, some of them with planted faults."""
    settlement = [amazon_total("111", "10.00"), amazon_amount("111", "10.00"), amazon_amount("111", "n/a")]
    orders = [shopify_order("#1", "1000", Email=CANARY_EMAIL), shopify_line("#1"), shopify_order("#2", "1", Total="x")]
    items = [declaration("222520230000000001", [declaration_item("1"), declaration_item("2", declTotal="-")])]
    files = [
        RawFile("company_links/links.jsonl", "company_links", links_file([entity("c", "Company", name=CANARY_NAME)])),
        RawFile("lender_loans/loans.csv", "lender_loans", csv_file(LOANS_HEADER, ["L1,S1,N,2023-01-01,x,1,CNY,1,1"])),
    ]
    for seller in ("S000001", "S000002", "S000003"):
        shop = f"shop-{seller.lower()}"
        invoices = [vat_row("1", seller), vat_row("1", seller), vat_row("2", seller, amounts="1,1,x")]
        files += [
            RawFile(f"a/{seller}.txt", "amazon_settlement_v2", amazon_file(settlement), seller, f"STORE{seller}"),
            RawFile(f"s/{seller}.csv", "shopify_orders", shopify_file(orders), seller, shop),
            RawFile(f"c/{seller}.json", "customs_declaration", declarations_file(items), seller),
            RawFile(f"v/{seller}.csv", "vat_invoices", vat_file("sale", invoices), seller),
        ]
    return files


def everything(result: IngestResult) -> dict[str, object]:
    """Return a result as plain values, for comparison."""
    tables = {name: table.to_pydict() for name, table in result.tables.items()}
    others = {"quarantine": result.quarantine.to_pydict(), "duplicates": result.duplicates.to_pydict()}
    return {**tables, **others, "row_counts": row_counts_document(result.file_counts)}


def test_rows_in_are_accepted_quarantined_or_duplicates_in_every_file(tmp_path: Path) -> None:
    result = ingested(tmp_path, small_world())
    for account in result.file_counts:
        assert account.rows_in == account.accepted + account.set_aside
    assert sum(sum(account.quarantined.values()) for account in result.file_counts) == result.quarantine.num_rows > 0
    assert sum(sum(account.duplicates.values()) for account in result.file_counts) == result.duplicates.num_rows > 0


def one_line(kind: str, number: str) -> str:
    if kind == "quote":
        return vat_row(number) + '"'
    return vat_row(number, firm="S9" if kind == "other firm" else "S000001")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(
        st.sampled_from(["good", "again", "other firm", "bad amount", "short", "quote", "blank", "header"]), max_size=25
    )
)
def test_no_mixture_of_good_and_bad_lines_loses_a_row(
    kinds: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    header = ",企业代号,发票号码,开票日期,购方单位代号,金额,税额,价税合计,发票状态"
    lines = {
        "again": f"7,{vat_row('7')}",
        "bad amount": f"1,{vat_row('2', amounts='1O,0,10')}",
        "short": "1,S000001,3",
        "blank": "",
        "header": header,
    }
    rows = [lines.get(kind, f"{number},{one_line(kind, str(100 + number))}") for number, kind in enumerate(kinds)]
    file = dataclasses.replace(SALE, data=("\n".join([header, *rows]) + "\n").encode())
    account = only_account(ingested(tmp_path_factory.mktemp("raw"), [file]))
    assert account.rows_in == sum(kind != "blank" for kind in kinds)
    assert account.accepted == kinds.count("good") + min(kinds.count("again"), 1)
    assert account.duplicates.get("repeated invoice", 0) == max(kinds.count("again") - 1, 0)


@pytest.mark.slow
def test_processes_and_batches_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_raw_folder(tmp_path / "raw", small_world())
    alone = ingested_and_written(folder, ingest_settings(worker_count=1), tmp_path / "alone")
    monkeypatch.setattr("pipelines.ingest.batches.workers.SMALL_DELIVERY_BYTES", 0)
    settings = ingest_settings(worker_count=2, batch_bytes=600)
    together = ingested_and_written(folder, settings, tmp_path / "together")
    assert everything(together) == everything(alone)
    assert written(tmp_path / "together") == written(tmp_path / "alone")


def written(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_the_order_of_the_list_changes_nothing(tmp_path: Path) -> None:
    files = small_world()
    first, second = ingested(tmp_path / "a", files), ingested(tmp_path / "b", files[::-1])
    for name in first.tables:
        if name != "source_coverage":
            assert first.tables[name].to_pydict() == second.tables[name].to_pydict()


def test_a_file_delivered_again_under_another_name_adds_no_row(tmp_path: Path) -> None:
    once = ingested(tmp_path / "once", small_world())
    again = [dataclasses.replace(file, name=f"again/{file.name}") for file in small_world()]
    twice = ingested(tmp_path / "twice", [*small_world(), *again])
    for name, table in once.tables.items():
        if name != "source_coverage":
            assert twice.tables[name].num_rows == table.num_rows, name


def test_a_canary_appears_nowhere_in_what_comes_out(tmp_path: Path) -> None:
    broken = [
        shopify_order("#1", "1000", Email=CANARY_EMAIL, Shipping_Name=CANARY_NAME, Notes=CANARY_NAME),
        shopify_order("#2", "1001", Email=CANARY_EMAIL, Total=CANARY_EMAIL, Shipping_Name=CANARY_NAME),
        shopify_line("#3", quantity=CANARY_EMAIL, Email=CANARY_EMAIL),
    ]
    too_wide = f"#9,{CANARY_EMAIL},{CANARY_NAME}\n".encode()
    person = entity("p", "Person", name=CANARY_NAME)
    bad_person = {**person, "properties": {"name": [{"full": CANARY_NAME}]}}
    files = [
        RawFile("s/1.csv", "shopify_orders", shopify_file(broken) + too_wide, "S000001", "shop-1"),
        RawFile("l/1.jsonl", "company_links", links_file([person, bad_person])),
        RawFile(
            "c/1.json",
            "customs_declaration",
            declarations_file(
                [declaration("222520230000000001", [declaration_item("1", declTotal="-")], consigneeEname=CANARY_NAME)]
            ),
            "S000001",
        ),
    ]
    result = ingested(tmp_path, files)
    assert result.quarantine.num_rows == 5
    out = str(everything(result)).lower()
    for canary in (CANARY_EMAIL, CANARY_NAME):
        for form in (canary.lower(), repr(canary.lower().encode())[2:-1]):
            assert form not in out


def test_sealed_originals_open_with_the_key(tmp_path: Path) -> None:
    rows = [shopify_order("#1", "1000", Email=CANARY_EMAIL, Total="x")]
    result = ingested(tmp_path, [RawFile("s/1.csv", "shopify_orders", shopify_file(rows), "S000001", "shop-1")])
    (sealed,) = cells(result.quarantine, "original")
    assert open_sealed_original(sealed, HMAC_KEY).decode().startswith(f"#1,{CANARY_EMAIL},paid")


def test_every_row_carries_its_lineage(tmp_path: Path) -> None:
    table = ingested(tmp_path, [SALE]).tables["trade_invoice"]
    assert cells(table, "source", "source_file", "source_row") == [("vat_invoices@2.1.0", SALE.name, 2)]
    assert cells(table, "recorded_at") == [datetime(2026, 1, 1, tzinfo=UTC)]


def test_coverage_names_seller_table_and_period(tmp_path: Path) -> None:
    coverage = ingested(tmp_path, [SALE]).tables["source_coverage"]
    found = [tuple(map(str, row)) for row in cells(coverage, "seller_id", "covered_table", "period_from", "period_to")]
    assert found == [("S000001", "trade_invoice", "2023-01-01", "2023-12-31")]


def test_an_empty_year_is_covered_and_an_unreadable_year_is_not(tmp_path: Path) -> None:
    empty = RawFile("v/1.csv", "vat_invoices", vat_file("sale", []), "S000001")
    spoilt = RawFile("v/2.csv", "vat_invoices", vat_file("sale", [vat_row("1", "S000002", amounts="?,?,?")]), "S000002")
    result = ingested(tmp_path, [empty, spoilt])
    assert cells(result.tables["source_coverage"], "seller_id") == ["S000001"]
    assert result.tables["trade_invoice"].num_rows == 0


def test_an_unlisted_file_is_set_aside_and_counted(tmp_path: Path) -> None:
    folder = write_raw_folder(tmp_path, [SALE], unlisted={"vat_invoices/S000001/sale (2).csv": SALE.data})
    result = ingest_folder(folder, ingest_settings(), HMAC_KEY)
    assert [account.file for account in result.file_counts if account.status == "unlisted"] == [
        "vat_invoices/S000001/sale (2).csv"
    ]
    assert result.tables["trade_invoice"].num_rows == 1


def test_only_the_requested_sources_are_read(tmp_path: Path) -> None:
    result = ingested(tmp_path, small_world(), sources=("vat_invoices",))
    assert set(result.tables) == {"trade_invoice", "source_coverage"}


def without(data: bytes, header: str) -> bytes:
    return data.replace(header.encode(), b"Something else", 1)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda _: b"", "the file is empty"),
        (lambda data: without(data, "金额"), "missing columns: '金额'"),
        (lambda data: data.decode("utf-8-sig").encode("gb18030"), "is not valid utf-8"),
        (lambda data: data.decode("utf-8-sig").encode("utf-16"), "byte-order mark"),
        (lambda data: b"\x00" + data, "NUL"),
    ],
    ids=["empty", "missing column", "wrong encoding", "utf-16", "nul"],
)
def test_a_hopeless_file_is_refused_in_one_clear_line(
    tmp_path: Path, spoil: Callable[[bytes], bytes], says: str
) -> None:
    with pytest.raises(InputRefused) as refusal:
        ingested(tmp_path, [dataclasses.replace(SALE, data=spoil(SALE.data))])
    message = str(refusal.value)
    assert refusal.value.exit_code == 2
    assert SALE.name in message
    assert says in message
    assert "remedy:" in message
    assert "\n" not in message


def spoilt_list(folder: Path, old: str, new: str) -> Path:
    write_raw_folder(folder, [SALE])
    path = folder / "deliveries.csv"
    path.write_text(path.read_text().replace(old, new))
    return folder


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("vat_invoices/S000001/sale.csv", "vat_invoices/S000001/gone.csv", "is not in the folder"),
        ("vat_invoices/S000001/sale.csv", "../sale.csv", "file_name:pattern"),
        ("vat_invoices/S000001/sale.csv", "/etc/passwd", "file_name:pattern"),
        (",vat_invoices,", ",tax_returns,", "there is no source 'tax_returns'"),
        (",S000001,vat_invoices,", ",,shopify_orders,", "name their seller"),
        ("2023-12-31", "2022-12-31", "period_runs_forward"),
        ("2023-12-31", "31/12/2023", "type:covered_to"),
        ("Period end", "End of period", "missing columns: 'Period end'"),
    ],
)
def test_a_list_that_cannot_be_trusted_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    folder = spoilt_list(tmp_path / "raw", old, new)
    with pytest.raises(InputRefused) as refusal:
        ingest_folder(folder, ingest_settings(), HMAC_KEY)
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_changed_file_is_refused_by_its_digest(tmp_path: Path) -> None:
    folder = write_raw_folder(tmp_path, [SALE])
    (folder / SALE.name).write_bytes(SALE.data.replace(b"100.0", b"900.0"))
    with pytest.raises(InputRefused, match=r"SHA-256 differs from the one in row 2 of deliveries\.csv"):
        ingest_folder(folder, ingest_settings(), HMAC_KEY)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_bytes(SALE.data)
    folder = write_raw_folder(tmp_path / "raw", [SALE])
    (folder / SALE.name).unlink()
    (folder / SALE.name).symlink_to(outside)
    with pytest.raises(InputRefused, match="not in the folder"):
        ingest_folder(folder, ingest_settings(), HMAC_KEY)


def test_a_file_listed_twice_is_refused(tmp_path: Path) -> None:
    folder = write_raw_folder(tmp_path, [SALE, SALE])
    with pytest.raises(InputRefused, match="file_name:unique"):
        ingest_folder(folder, ingest_settings(), HMAC_KEY)


def test_a_folder_without_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match=r"deliveries\.csv"):
        ingest_folder(tmp_path, ingest_settings(), HMAC_KEY)


def test_an_unknown_source_in_the_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationRefused, match="'amazon'"):
        ingested(tmp_path, [SALE], sources=("amazon",))


def test_a_short_key_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationRefused, match="HMAC key"):
        ingest_folder(tmp_path / "nowhere", ingest_settings(), b"secret")


def test_rates_the_central_bank_lacks_come_from_the_override_file(tmp_path: Path) -> None:
    loan = RawFile("l/1.csv", "lender_loans", csv_file(LOANS_HEADER, ["L1,S1,N,2023-01-01,2024-01-01,100,TWD,1,1"]))
    rates = tmp_path / "rates.csv"
    rates.write_text("Currency,Date,USD per unit\nTWD,2022-12-30,0.0325\n")
    assert cells(ingested(tmp_path / "a", [loan]).tables["loan"], "principal_usd") == [None]
    with_rates = ingested(tmp_path / "b", [loan], exchange_rate_file=rates)
    assert str(cells(with_rates.tables["loan"], "principal_usd")[0]) == "3.2500"


@pytest.mark.parametrize("row", ["TWD,2022-12-30,-1", "TWD,tomorrow,1", "twd,2022-12-30,1", "TWD,2099-01-01,1"])
def test_a_bad_override_rate_is_refused(tmp_path: Path, row: str) -> None:
    rates = tmp_path / "rates.csv"
    rates.write_text(f"Currency,Date,USD per unit\n{row}\n")
    with pytest.raises(InputRefused, match=r"file rates\.csv, row 2"):
        ingested(tmp_path / "raw", [SALE], exchange_rate_file=rates)


def test_an_account_that_does_not_balance_is_a_fault_of_ours() -> None:
    with pytest.raises(InternalFault, match="do not add up"):
        require_balance(FileCounts("s@1.0.0", "f", "0", rows_in=3, accepted=1, quarantined={"r": 1}))


def test_accounts_survive_being_published(tmp_path: Path) -> None:
    accounts = ingested(tmp_path, small_world()).file_counts
    document = json.loads(json.dumps(row_counts_document(accounts)))
    assert counts_of_document(document) == list(accounts)
    assert sum(total.rows_in for total in totals_by_source(accounts)) == sum(account.rows_in for account in accounts)


def test_settings_want_utc_and_the_coverage_of_a_layout_without_list() -> None:
    with pytest.raises(ValidationError, match="UTC"):
        IngestSettings(recorded_at=datetime.fromisoformat("2026-01-01T00:00:00+08:00"))
    with pytest.raises(ValidationError, match="coverage"):
        ingest_settings(layout="cumcm2020c")
    with pytest.raises(ValidationError, match="period_to"):
        CoveragePeriod(
            period_from=date(2020, 1, 2), period_to=date(2020, 1, 1), delivered_at=datetime(2020, 1, 1, tzinfo=UTC)
        )


def test_tables_have_the_types_of_their_contracts(tmp_path: Path) -> None:
    from data_contracts.definition.compiler import table_contract

    for name, table in ingested(tmp_path, small_world()).tables.items():
        found = pa.schema([pa.field(entry.name, entry.type) for entry in table.schema])
        wanted = pa.schema([pa.field(entry.name, entry.type) for entry in table_contract(name).arrow_schema])
        assert found == wanted, name


def test_events_after_the_time_of_recording_are_quarantined(tmp_path: Path) -> None:
    rows = [vat_row("1"), vat_row("2").replace("2023/3/5", "2026/1/1"), vat_row("3").replace("2023/3/5", "2026/1/2")]
    account = only_account(ingested(tmp_path, [dataclasses.replace(SALE, data=vat_file("sale", rows))]))
    assert (account.accepted, account.quarantined) == (2, {"delivery:not_in_the_future": 1})


@pytest.mark.parametrize("identifier", ["../S1", "S\u200d1", "Ｓ１", "=1+1", "'S1", "S" * 65, "S 1", "\u202eS1"])
def test_an_identifier_that_is_not_plain_letters_and_digits_is_quarantined(tmp_path: Path, identifier: str) -> None:
    file = RawFile("v/1.csv", "vat_invoices", vat_file("sale", [vat_row("1"), vat_row("2", firm=identifier)]))
    assert only_account(ingested(tmp_path, [file])).quarantined == {"firm_code:pattern": 1}


def test_progress_counts_every_byte_of_the_files(tmp_path: Path) -> None:
    folder = write_raw_folder(tmp_path / "raw", small_world())
    recorder = Recorder()
    ingest_folder(folder, ingest_settings(batch_bytes=600), HMAC_KEY, recorder)
    listed = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.name != "deliveries.csv")
    assert recorder.phases == [("bytes read", listed)]
    assert recorder.is_complete
