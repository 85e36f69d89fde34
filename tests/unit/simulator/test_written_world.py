"""Written worlds: deliveries, determinism, and the files of all sources."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.economy.simulation import simulate
from simulator.files.shopify import COLUMNS as SHOPIFY_COLUMNS
from simulator.observation.availability import observe
from simulator.writing import DELIVERY_HEADER, write_world
from tests.factories.progress import Recorder
from tests.unit.simulator.conftest import TINY, UNHARMED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.simulator.conftest import Written


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


@pytest.fixture(scope="module")
def deliveries(written: Written) -> list[dict[str, str]]:
    return table(written.raw / "deliveries.csv")


@pytest.mark.slow
def test_same_settings_write_the_same_bytes(written: Written, tmp_path: Path) -> None:
    write_world(TINY, tmp_path)
    assert content(tmp_path / "raw") == content(written.raw)
    assert content(tmp_path / "truth") == content(written.truth)


@pytest.mark.slow
def test_another_observation_changes_raw_files_and_leaves_the_truth(written: Written, tmp_path: Path) -> None:
    write_world(TINY.model_copy(update={"observation_seed": 99}), tmp_path)
    was, now = content(written.truth), content(tmp_path / "truth")
    changed = {name for name in now if now[name] != was[name]}
    assert set(now) == set(was)
    assert changed == {f"observation/{name}.csv" for name in ("defects", "links", "names", "unreported")}
    assert content(tmp_path / "raw") != content(written.raw)


def test_every_file_is_listed_once_with_its_digest(written: Written, deliveries: list[dict[str, str]]) -> None:
    listed = {row["File"]: row["SHA-256"] for row in deliveries}
    there = content(written.raw)
    there.pop("deliveries.csv")
    assert len(listed) == len(deliveries)
    assert listed == there
    assert (written.raw / "deliveries.csv").read_text(encoding="utf-8").startswith(DELIVERY_HEADER + "\n")


def test_deliveries_start_soon_and_never_reveal_a_closing(written: Written, deliveries: list[dict[str, str]]) -> None:
    last = date(2024, 12, 30)
    for row in deliveries:
        start, end = date.fromisoformat(row["Period start"]), date.fromisoformat(row["Period end"])
        delivered = datetime.fromisoformat(row["Delivered at (UTC)"]).date()
        assert start <= delivered <= start + timedelta(days=7)
        assert end == last or (end.month, end.day) == (12, 31)
    assert (written.world.closed_week < written.world.timeline.weeks).any()


@pytest.mark.slow
def test_some_sellers_lack_each_source_and_the_refusals_follow_quality(written: Written) -> None:
    crowd = simulate(written.world.settings.model_copy(update={"seller_count": 3_000}))
    observed = observe(crowd)
    never = crowd.timeline.weeks
    for source, first_week in observed.first_week.items():
        assert (first_week > never).any(), source
    refused = observed.first_week["vat_invoices"] > never
    assert crowd.firms.quality[refused].mean() < crowd.firms.quality[~refused].mean()


@pytest.mark.slow
def test_no_refusals_means_more_files(written: Written, tmp_path: Path) -> None:
    settings = TINY.model_copy(update={"observation": UNHARMED.model_copy(update={"refusal_share": 0.0})})
    record = write_world(settings, tmp_path)
    assert record.files["vat_invoices"] > written.record.files["vat_invoices"]


def test_no_raw_file_holds_the_truth(written: Written, deliveries: list[dict[str, str]]) -> None:
    assert not (written.raw / "truth").exists()
    sources = {row["Source"] for row in deliveries}
    assert sources == {path.name for path in written.raw.iterdir() if path.is_dir()}
    for word in ("quality", "honesty", "brusher", "default_date"):
        assert not any(word in path.name for path in written.raw.rglob("*"))


def shop_orders(raw: Path) -> dict[str, list[dict[str, str]]]:
    """Return first lines of orders by seller, without planted ones."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for path in sorted((raw / "shopify_orders").glob("*/*.csv")):
        found[path.parent.name] += [
            r for r in table(path) if r["Financial Status"] and r["Email"] != "broken@example.com"
        ]
    return found


def test_shop_exports_have_79_columns_and_blank_continuation_lines(written: Written) -> None:
    assert len(SHOPIFY_COLUMNS) == 79
    continued = 0
    for path in sorted((written.raw / "shopify_orders").glob("*/*.csv")):
        with path.open(encoding="utf-8", newline="") as source:
            rows = list(csv.reader(source))
        assert rows[0] == list(SHOPIFY_COLUMNS)
        assert {len(row) for row in rows} == {79}
        filled = {"Name", "Email", "Created at", "Vendor"} | {c for c in SHOPIFY_COLUMNS if c.startswith("Lineitem")}
        for row in rows[1:]:
            cells = dict(zip(SHOPIFY_COLUMNS, row, strict=True))
            if not cells["Financial Status"]:
                continued += 1
                assert not any(value for name, value in cells.items() if name not in filled)
    assert continued > 50


def test_shop_totals_are_subtotal_plus_shipping_and_refunds_never_exceed_them(written: Written) -> None:
    orders = [order for group in shop_orders(written.raw).values() for order in group]
    assert len(orders) > 500
    for order in orders:
        assert Decimal(order["Total"]) == Decimal(order["Subtotal"]) + Decimal(order["Shipping"]) + Decimal(
            order["Taxes"]
        )
        assert 0 <= Decimal(order["Refunded Amount"]) <= Decimal(order["Total"])
        assert order["Cancelled at"] == "" or order["Financial Status"] == "voided"


def test_orders_of_an_honest_shop_add_up_to_its_true_sales(written: Written) -> None:
    world, orders = written.world, shop_orders(written.raw)
    first = observe(world).first_week["shopify_orders"]
    checked = 0
    for seller in range(world.firms.count):
        is_whole = first[seller] <= max(world.firms.site_week[seller], world.firms.entry_week[seller])
        reference = f"S{seller + 1:06d}"
        if reference in orders and is_whole and not world.firms.is_brusher[seller]:
            total = float(sum(Decimal(order["Total"]) for order in orders[reference]))
            true = world.weekly["site_sales"][:, seller].sum()
            # A period's orders may fall before the shop's first week or after its last by up to a period.
            assert total == pytest.approx(true, rel=0.25, abs=400)
            checked += 1
    assert checked >= 10


def test_declarations_are_json_with_items_of_the_single_window(written: Written) -> None:
    numbers: Counter[str] = Counter()
    for path in sorted((written.raw / "customs_declaration").glob("*/*.json")):
        for declaration in json.loads(path.read_text(encoding="utf-8")):
            numbers[declaration["entryId"]] += 1
            assert len(declaration["entryId"]) == len(declaration["cnsnTradeScc"]) == 18
            assert path.stem[:4] <= declaration["iEDate"][:4] <= path.stem[-4:]
            assert declaration["supvModeCdde"] in {"0110", "1039", "1210", "9610", "9710", "9810"}
            items = [item for item in declaration["decMergeListVo"] if item["declTotal"] not in {"-", "无"}]
            assert [item["gNo"] for item in items] == [str(n + 1) for n in range(len(items))]
            for item in items:
                assert Decimal(item["declTotal"]) > 0
                assert len(item["codeTs"]) == 10
    assert len(numbers) > 500
    assert set(numbers.values()) == {1}


def test_invoices_carry_bom_status_and_gross_as_net_plus_tax(written: Written) -> None:
    statuses: Counter[str] = Counter()
    doubled = 0
    for path in sorted((written.raw / "vat_invoices").glob("*/*/*.csv")):
        assert path.read_bytes().startswith(b"\xef\xbb\xbf,")
        rows = [row for row in table(path) if row["开票日期"] != "2021/13/5" and "O" not in row["金额"]]
        keys = Counter(tuple(value for name, value in row.items() if name) for row in rows)
        doubled += sum(count - 1 for count in keys.values())
        for row in rows:
            statuses[row["发票状态"]] += 1
            assert Decimal(row["金额"]) + Decimal(row["税额"]) == Decimal(row["价税合计"])
            assert row["企业代号"] == path.parents[1].name
    assert set(statuses) == {"有效发票", "作废发票", " 作废发票"}
    assert doubled == written.record.repeated["vat_invoices"]


def test_defaults_can_be_recounted_from_the_lenders_sheets(written: Written) -> None:
    """Independent of the simulator: first in, first out by loan, from the written text alone."""
    dues: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
    paid: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
    borrower = {}
    for row in table(written.raw / "lender_repayments/repayments-000001.csv"):
        if row["Amount"] == "??":
            continue
        borrower[row["Loan No"]] = row["Borrower"]
        (dues if row["Entry"] == "Due" else paid)[row["Loan No"]].append(
            (date.fromisoformat(row["Entry Date"]), Decimal(row["Amount"]))
        )
        if row["Entry"] == "Paid":
            booked = datetime.fromisoformat(row["Booked At (UTC)"]).date()
            assert 0 <= (booked - date.fromisoformat(row["Entry Date"])).days <= 5
    last = date(2024, 12, 30)
    found: dict[str, date] = {}
    for loan, instalments in dues.items():
        owed = Decimal(0)
        for day, amount in sorted(instalments):
            owed += amount
            limit = day + timedelta(days=90)
            if limit <= last and sum((a for d, a in paid[loan] if d < limit), Decimal(0)) < owed:
                found[borrower[loan]] = min(found.get(borrower[loan], limit), limit)
    truth = {
        row["seller_id"]: row["default_date"] for row in table(written.truth / "sellers.csv") if row["default_date"]
    }
    assert len(truth) >= 5
    assert {seller: str(day) for seller, day in found.items()} == truth


def test_every_link_names_known_parties_and_is_known_after_it_began(written: Written) -> None:
    lines = [
        json.loads(line)
        for line in (written.raw / "company_links/links-000001.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    nodes = {line["id"] for line in lines if not line["id"].startswith("ln-")}
    ends = {"owner", "asset", "director", "organization", "subject", "object"}
    roles: Counter[str] = Counter()
    for line in lines:
        properties = line["properties"]
        assert all(isinstance(values, list) for values in properties.values())
        if line["id"].startswith("ln-"):
            assert {properties[end][0] for end in ends & set(properties)} <= nodes
            assert line["first_seen"][:10] >= properties["startDate"][0]
            roles[properties.get("role", [line["schema"]])[0]] += 1
    assert set(roles) == {
        "Ownership",
        "legal representative",
        "address",
        "phone",
        "bank_account",
        "device",
        "guarantor",
    }
    companies = {line["properties"]["idNumber"][0] for line in lines if line["schema"] == "Company"}
    assert len(companies) == written.world.firms.count


def test_a_service_address_is_a_hub_of_unrelated_sellers(written: Written) -> None:
    network = written.world.network
    users = np.bincount(network.hub[network.hub >= 0])
    assert (users > 20).all()
    assert (network.group[network.hub >= 0] == -1).all()


def test_traffic_counts_are_consistent(written: Written) -> None:
    paths = sorted((written.raw / "shop_traffic").glob("*/*.csv"))
    assert paths
    for path in paths[:30]:
        for row in table(path):
            if row["Sessions"] != "n/a":
                sessions = int(row["Sessions"])
                assert int(row["Online store visitors"]) <= sessions
                assert int(row["Bounced sessions"]) <= sessions
                assert int(row["Paid sessions"]) <= sessions
                assert path.stem[:4] <= row["Day"][:4] <= path.stem[-4:]


def test_the_record_counts_what_was_written(written: Written, deliveries: list[dict[str, str]]) -> None:
    assert written.record.files == Counter(row["Source"] for row in deliveries)
    for source in ("lender_loans", "lender_repayments", "lender_applications"):
        (path,) = (written.raw / source).iterdir()
        assert written.record.rows[source] == len(table(path))
    assert sum(written.record.bytes_written.values()) == sum(
        (written.raw / row["File"]).stat().st_size for row in deliveries
    )


def test_quarantine_to_come_is_far_below_a_thousandth(written: Written) -> None:
    assert 0 < sum(written.record.planted.values()) < 0.001 * sum(written.record.rows.values())


def test_cash_in_the_truth_adds_up_by_year(written: Written) -> None:
    rows = table(written.truth / "cash_by_year.csv")
    for row in rows:
        flows = [float(v) for k, v in row.items() if k.endswith("_cny") and not k.startswith(("opening", "closing"))]
        assert float(row["opening_cny"]) + sum(flows) == pytest.approx(float(row["closing_cny"]), abs=0.5)
    assert len(rows) == written.world.firms.count * 6


@pytest.mark.slow
def test_progress_counts_every_seller(tmp_path: Path) -> None:
    recorder = Recorder()
    write_world(TINY, tmp_path, progress=recorder)
    assert recorder.phases == [("sellers written", TINY.seller_count)]
    assert recorder.is_complete
