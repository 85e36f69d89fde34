"""A folder to score is one more delivery: the same rows as if all files had been ingested together."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pipelines.score.known_history import KnownHistory, own_sources, with_known_history
from tests.factories.canonical_tables import canonical_tables
from tests.factories.files.delimited_samples import delimited_samples
from tests.factories.raw_files import (
    RawFile,
    amazon_amount,
    amazon_file,
    amazon_total,
    ingested,
    shopify_file,
    shopify_order,
    vat_file,
    vat_row,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

SELLER = "S000001"
LATER = {"delivered_at": "2023-06-01 00:00:00"}
# What tells in which file a row was found; two deliveries may use one name.
_PLACE = ("source_file", "source_row")


def settlement(name: str, number: str, *amounts: str, seller: str = SELLER, **facts: str) -> RawFile:
    total = f"{sum(map(float, amounts)):.2f}"
    rows = [amazon_total(number, total), *(amazon_amount(number, one) for one in amounts)]
    return RawFile(name, "amazon_settlement_v2", amazon_file(rows), seller, **facts)


SAMPLES = {sample.source: sample.as_csv() for sample in delimited_samples()}
MAY = settlement("a/may.txt", "1001", "70.00", "-20.00")
JUNE = settlement("a/june.txt", "1002", "55.00")
ORDERS = RawFile("s/orders.csv", "shopify_orders", shopify_file([shopify_order("#1001", "5001")]), SELLER)
INVOICES = RawFile("v/1.csv", "vat_invoices", vat_file("sale", [vat_row("1")]), SELLER)
OF_ANOTHER = settlement("b/may.txt", "1001", "33.00", seller="S000002")


def together(folder: Path, known: Sequence[RawFile], new: Sequence[RawFile], **readable: Any) -> KnownHistory:  # noqa: ANN401
    before, after = ingested(folder / "known", known).tables, ingested(folder / "new", new).tables
    return with_known_history(before, after, {SELLER}, readable.get("unread", set()))


def rows_of(table: pa.Table) -> Counter[tuple[Any, ...]]:
    names = [name for name in sorted(table.column_names) if name not in _PLACE]
    return Counter(tuple(row[name] for name in names) for row in table.to_pylist())


def test_files_left_out_of_the_folder_stay_in_force(tmp_path: Path) -> None:
    everything = (MAY, JUNE, ORDERS, INVOICES, OF_ANOTHER)
    expected = ingested(tmp_path / "all", everything).tables
    for number, given in enumerate(((MAY,), (ORDERS,), (JUNE, INVOICES), (MAY, JUNE, ORDERS, INVOICES))):
        found = together(tmp_path / str(number), everything, given)
        for name in ("money_event", "site_order", "trade_invoice", "source_coverage"):
            assert rows_of(found.tables[name]) == rows_of(expected[name]), (given, name)


def test_new_files_and_corrections_count_as_if_all_had_been_delivered_together(tmp_path: Path) -> None:
    corrected = settlement("a/again.txt", "1001", "70.00", "-45.00", **LATER)
    for number, new in enumerate(((JUNE,), (corrected,), (corrected, JUNE, ORDERS))):
        known = (MAY, INVOICES, OF_ANOTHER)
        expected = ingested(tmp_path / f"all-{number}", (*known, *new)).tables
        found = together(tmp_path / str(number), known, new).tables
        for name in ("money_event", "trade_invoice"):
            assert rows_of(found[name]) == rows_of(expected[name]), (new, name)
    versions = Counter(found["money_event"]["row_version"].to_pylist())
    assert versions[2] == 3


def test_money_that_the_folder_states_in_another_report_counts_once(tmp_path: Path) -> None:
    reports = [RawFile(f"{name}.csv", name, SAMPLES[name], SELLER) for name in ("paypal_statement", "paypal_activity")]
    expected = ingested(tmp_path / "all", reports).tables["money_event"]
    assert 0 < expected["counted_in"].null_count < expected.num_rows
    for number, (known, new) in enumerate((reports, reports[::-1])):
        found = together(tmp_path / str(number), (known,), (new,)).tables["money_event"]
        assert rows_of(found) == rows_of(expected)
    # A further file finds the marks of the known rows anew.
    found = together(tmp_path / "both", reports, (JUNE,)).tables["money_event"]
    assert rows_of(found) == rows_of(ingested(tmp_path / "three", (*reports, JUNE)).tables["money_event"])


def test_money_that_a_correction_states_otherwise_counts_beside_the_report_that_had_stated_it_too(
    tmp_path: Path,
) -> None:
    reports = [RawFile(f"{name}.csv", name, SAMPLES[name], SELLER) for name in ("paypal_statement", "paypal_activity")]
    head, *_, last = SAMPLES["paypal_statement"].splitlines(keepends=True)
    corrected = head + last.replace(b"10.00,-1.00,9.00,72.00", b"12.00,-1.00,11.00,74.00")
    assert corrected != head + last
    new = RawFile("corrected.csv", "paypal_statement", corrected, SELLER, **LATER)
    found = together(tmp_path / "known", reports, (new,)).tables["money_event"]
    assert rows_of(found) == rows_of(ingested(tmp_path / "all", (*reports, new)).tables["money_event"])


def test_of_a_file_that_is_known_already_only_events_that_it_did_not_have_are_added() -> None:
    place = {"source": "paypal_activity@1.3.0", "source_file": "a.csv", "source_sha256": "ab" * 32, "source_row": 2}
    sale = {**place, "seller_id": SELLER, "event_date": "2024-01-05", "event_id": "e1", "amount": 10}
    fee = {**sale, "event_id": "e2", "event_type": "fee", "amount": -1}
    under_another_name = {**sale, "event_id": "e3", "store_id": "another", "source_file": "b.csv"}
    known = canonical_tables(money_event=[sale])
    new = canonical_tables(money_event=[sale, fee, under_another_name])
    found = with_known_history(known, new, {SELLER}, set()).tables["money_event"]
    assert sorted(found["event_id"].to_pylist()) == ["e1", "e2"]


def test_a_day_of_a_shop_that_the_folder_states_in_another_source_counts_once() -> None:
    day = {"seller_id": SELLER, "site_id": "shop", "event_date": "2024-01-05", "session_count": 5, "visitor_count": 4}
    known = canonical_tables(site_day=[{**day, "source": "shop_traffic@1.0.0", "source_file": "t.csv"}])
    new = canonical_tables(
        site_day=[{**day, "purchase_count": 3, "source": "ga4_events@1.0.0", "source_file": "g", "source_row": 7}]
    )
    found = with_known_history(known, new, {SELLER}, set()).tables["site_day"]
    assert found["source"].to_pylist() == ["ga4_events@1.0.0", "shop_traffic@1.0.0"]
    assert found["superseded_at"].is_null().to_pylist() == [True, False]


def test_what_each_of_several_sellers_withholds_is_named_for_that_seller() -> None:
    delivered = [("S1", "paypal_activity"), ("S1", "etsy_statement"), ("S2", "temu_settlement"), ("S3", "payoneer")]
    known = canonical_tables(
        source_coverage=[
            {"seller_id": seller, "covered_table": "money_event", "delivered_source": source}
            for seller, source in delivered
        ]
    )
    found = with_known_history(known, canonical_tables(), {"S1", "S2"}, set())
    assert found.withdrawn == {"S1": ("etsy_statement", "paypal_activity"), "S2": ("temu_settlement",)}


def test_a_file_of_the_same_name_with_other_content_is_another_file(tmp_path: Path) -> None:
    found = together(tmp_path, (MAY,), (settlement(MAY.name, "1002", "55.00", **LATER),)).tables
    assert sorted(map(float, found["money_event"]["amount"].to_pylist())) == [-55, -50, -20, 55, 70]
    assert set(found["money_event"]["row_version"].to_pylist()) == {1}


def test_orders_delivered_again_under_another_shop_name_count_once(tmp_path: Path) -> None:
    again = RawFile("s/again.csv", "shopify_orders", ORDERS.data, SELLER, "shop-2", **LATER)
    # Other bytes: a further order stands before those that are known.
    more = [shopify_order("#2", "9002", "7.00"), shopify_order("#1001", "5001")]
    longer = RawFile("s/longer.csv", "shopify_orders", shopify_file(more), SELLER, "shop-3", **LATER)
    for name, file, totals in (("same", again, [20]), ("longer", longer, [7, 20])):
        orders = together(tmp_path / name, [ORDERS], [file]).tables["site_order"]
        assert sorted(orders["total_amount"].to_pylist()) == totals


def test_sources_delivered_earlier_and_not_in_the_folder_are_named(tmp_path: Path) -> None:
    assert together(tmp_path / "1", (MAY, ORDERS, INVOICES), (JUNE,)).withdrawn == {
        SELLER: ("shopify_orders", "vat_invoices")
    }
    assert together(tmp_path / "2", (MAY,), (JUNE, ORDERS)).withdrawn == {}


def test_what_may_not_be_read_any_more_does_not_count(tmp_path: Path) -> None:
    found = together(tmp_path, (MAY, INVOICES, OF_ANOTHER), (ORDERS,), unread={(SELLER, "amazon_settlement_v2")})
    assert set(found.tables["money_event"]["seller_id"].to_pylist()) == {"S000002"}
    assert (SELLER, "amazon_settlement_v2") not in own_sources(found.tables["source_coverage"])
    assert found.tables["trade_invoice"].num_rows == 1
    assert found.withdrawn == {SELLER: ("vat_invoices",)}


def test_a_new_record_of_a_party_replaces_the_known_one_and_leaves_the_others() -> None:
    known = canonical_tables(party=[{"party_id": one, "country": "CN"} for one in ("P1", "P2")])
    new = canonical_tables(party=[{"party_id": "P1", "country": "HK"}])
    found = with_known_history(known, new, {SELLER}, set()).tables["party"]
    assert sorted(zip(found["party_id"].to_pylist(), found["country"].to_pylist(), strict=True)) == [
        ("P1", "HK"),
        ("P2", "CN"),
    ]


def test_the_first_folder_of_all_is_taken_as_it_is(tmp_path: Path) -> None:
    tables = ingested(tmp_path, [MAY]).tables
    found = with_known_history({}, tables, {SELLER}, set())
    assert (found.withdrawn, rows_of(found.tables["money_event"])) == ({}, rows_of(tables["money_event"]))
    assert own_sources(None) == set()


def test_what_others_say_of_a_seller_is_read_although_the_sellers_own_source_may_not_be() -> None:
    known = canonical_tables(loan=[{"loan_id": "L1", "seller_id": SELLER, "source": "lender_loans@1.0.0"}])
    new = canonical_tables()
    found = with_known_history(known, {"source_coverage": new["source_coverage"]}, {SELLER}, {(SELLER, "lender_loans")})
    assert found.tables["loan"]["loan_id"].to_pylist() == ["L1"]
