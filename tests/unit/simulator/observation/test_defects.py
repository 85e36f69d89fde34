"""Planted defects: the list matches a comparison of the damaged world with an undamaged one."""

from __future__ import annotations

import csv
import functools
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from pipelines.ingest.stage import ingest_folder
from pipelines.profiles.ingest_settings import IngestSettings
from simulator.observation.defects import PLANTED, REPEATED, Edit, clear_of, cut_off, date_slip, unit_slip
from simulator.settings import WorldSettings
from simulator.writing import WorldRecord, write_world
from tests.unit.simulator.conftest import UNHARMED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPOTLESS = UNHARMED.model_copy(
    update={
        "malformed_row_share": 0.0, "repeated_block_share": 0.0, "duplicate_invoice_share": 0.0,
        "restated_invoice_share": 0.0, "delivery_years": 1,
    }
)  # fmt: skip
SMALL = WorldSettings(
    seller_count=80, seed=10, first_day=date(2021, 1, 1), last_day=date(2022, 6, 30), observation=SPOTLESS
)
TRUNCATED_SOURCES = ("amazon_settlement_v2", "shopify_orders", "shop_traffic", "vat_invoices")


@dataclass(frozen=True)
class Seen:
    """A written world, and its list of defects by file and kind."""

    raw: Path
    record: WorldRecord
    defects: Counter[tuple[str, str]]

    def files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.raw).as_posix(): path.read_bytes()
            for path in self.raw.rglob("*")
            if path.is_file() and path.name != "deliveries.csv"
        }

    def listed(self, *kinds: str) -> dict[str, int]:
        """Return rows by file with defects of some kinds."""
        found: Counter[str] = Counter()
        for (file, kind), rows in self.defects.items():
            if kind in kinds:
                found[file] += rows
        return dict(found)


@pytest.fixture(scope="module")
def see(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Seen]:
    """Write the small world with some shares of defects and no others; the counts of every world are checked."""

    @functools.cache
    def write(**shares: float) -> Seen:
        folder = tmp_path_factory.mktemp("seen")
        observation = SPOTLESS.model_copy(update=shares)
        record = write_world(SMALL.model_copy(update={"observation": observation}), folder)
        with (folder / "truth" / "observation" / "defects.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len({(row["file"], row["kind"]) for row in rows}) == len(rows)
        defects = Counter({(row["file"], row["kind"]): int(row["rows"]) for row in rows})
        for counted, kinds in ((record.planted, PLANTED), (record.repeated, REPEATED)):
            listed = Counter[str]()
            for (name, kind), number in defects.items():
                listed[name.split("/")[0]] += number * (kind in kinds)
            assert +listed == +Counter(counted)
        return Seen(folder / "raw", record, defects)

    return write


@pytest.fixture(scope="module")
def spotless(see: Callable[..., Seen]) -> Seen:
    return see()


def rows_of(name: str, data: bytes) -> Counter[str]:
    """Return the rows of a file (records of a JSON file) as a multiset."""
    if name.endswith(".json"):
        return Counter(json.dumps(record, sort_keys=True) for record in json.loads(data))
    return Counter(data.decode("utf-8-sig").splitlines()[1:])


def of_delivery(name: str, suffix: str) -> str:
    return name.replace(suffix, "")


def test_an_unharmed_world_lists_no_defect(spotless: Seen) -> None:
    assert not spotless.defects
    assert sum(spotless.record.planted.values()) == sum(spotless.record.repeated.values()) == 0
    assert not any(word in name for name in spotless.files() for word in ("-again", "-late", "-corrected"))


def test_a_duplicate_delivery_is_the_same_file_later(spotless: Seen, see: Callable[..., Seen]) -> None:
    seen = see(duplicate_delivery_share=0.15)
    files, was = seen.files(), spotless.files()
    again = {name for name in files if "-again" in name}
    assert len(again) > 20
    assert {name: data for name, data in files.items() if name not in again} == was
    for name in again:
        assert files[name] == was[of_delivery(name, "-again")]
    counted = {
        name: sum(rows_of(name, files[name]).values()) for name in again if not name.endswith(".json")
    }  # JSON rows are items of records
    listed = seen.listed("duplicate delivery")
    assert {name: rows for name, rows in listed.items() if name in counted} == counted
    assert set(listed) == again
    assert Counter(seen.record.repeated).total() == sum(listed.values())


def test_late_rows_are_missing_at_first_and_come_in_a_file_of_their_own(
    spotless: Seen, see: Callable[..., Seen]
) -> None:
    seen = see(late_delivery_share=0.2)
    files, was = seen.files(), spotless.files()
    late = {name for name in files if "-late" in name}
    assert len(late) > 20
    for name in late:
        first = of_delivery(name, "-late")
        main, rest = rows_of(first, files[first]), rows_of(name, files[name])
        assert main + rest == rows_of(first, was[first])
        assert main
        assert rest
        if not name.endswith(".json"):
            assert seen.defects[name, "late rows"] == sum(rest.values())
    assert set(seen.listed("late rows")) == late
    assert Counter(seen.record.rows) == Counter(spotless.record.rows)


def test_a_cut_file_ends_within_a_row_and_is_delivered_again_as_often_as_not(
    spotless: Seen, see: Callable[..., Seen]
) -> None:
    seen = see(truncated_file_share=0.3)
    files, was = seen.files(), spotless.files()
    cut = {name for name, data in files.items() if "-corrected" not in name and data != was[name]}
    assert {name.split("/")[0] for name in cut} >= set(TRUNCATED_SOURCES)
    for name in cut:
        assert was[name].startswith(files[name])
        assert not files[name].endswith(b"\n")
        lost = was[name].count(b"\n") - files[name].count(b"\n") - 1
        assert seen.defects[name, "cut row"] == 1
        assert seen.defects[name, "rows cut off"] == lost
    assert set(seen.listed("cut row")) == cut
    corrected = {name for name in files if "-corrected" in name}
    assert 0.3 < len(corrected) / len(cut) < 0.7
    for name in corrected:
        first = of_delivery(name, "-corrected")
        assert files[name] == was[first]
        assert seen.defects[name, "corrected delivery"] == files[first].count(b"\n") - 1


@pytest.mark.parametrize(
    ("share", "kinds", "sources"),
    [
        (
            "unit_slip_share", ("unit slip",),
            {"amazon_settlement_v2", "shop_traffic", "customs_declaration", "vat_invoices"},
        ),
        ("date_slip_share", ("impossible date", "swapped date"), {"shop_traffic", "vat_invoices"}),
    ],
)  # fmt: skip
def test_mistyped_rows_are_the_rows_that_differ(
    share: str, kinds: tuple[str, ...], sources: set[str], spotless: Seen, see: Callable[..., Seen]
) -> None:
    seen = see(**{share: 0.01})
    files, was = seen.files(), spotless.files()
    assert set(files) == set(was)
    differing = {}
    for name, data in files.items():
        now, before = data.split(b"\n"), was[name].split(b"\n")
        assert len(now) == len(before)
        if name.endswith(".json"):  # a line holds all items of a declaration: compare item by item
            now, before = data.split(b'{"gNo"'), was[name].split(b'{"gNo"')
        count = sum(a != b for a, b in zip(now, before, strict=True))
        if count:
            differing[name] = count
    assert differing == seen.listed(*kinds)
    assert {name.split("/")[0] for name in differing} == sources


def invoices(seen: Seen) -> list[tuple[str, str, int]]:
    """Return seller, party and gross amount in cents of every valid invoice."""
    rows = [
        line.split(",")
        for name, data in seen.files().items()
        if name.startswith("vat_invoices/")
        for line in rows_of(name, data).elements()
    ]
    return [(row[1], row[4], int(row[7].replace(".", ""))) for row in rows if row[8] == "有效发票"]


def test_wrong_invoices_are_cancelled_in_red_and_the_money_stays_the_same(see: Callable[..., Seen]) -> None:
    plain = invoices(see(void_invoice_share=0.0))
    seen = see(restated_invoice_share=0.05, void_invoice_share=0.0)
    restated = invoices(seen)
    reds = sum(seen.listed("red-letter invoice").values())
    assert reds > 20
    assert len(restated) == len(plain) + 2 * reds
    # Credit notes go by an invoice's place among its seller's, which corrections move: near, not equal.
    assert sum(gross for *_, gross in restated) == pytest.approx(sum(gross for *_, gross in plain), rel=0.02)
    counted = Counter(restated)
    cancelled = [key for key in counted if key[2] < 0 and counted[key[0], key[1], -key[2]]]
    assert len(cancelled) >= reds * 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    "shares",
    [
        {
            "duplicate_delivery_share": 0.05, "late_delivery_share": 0.1, "unit_slip_share": 0.001,
            "date_slip_share": 0.001, "malformed_row_share": 0.0005, "duplicate_invoice_share": 0.002,
        },
        {"repeated_block_share": 0.5, "late_delivery_share": 0.1},
    ],
    ids=["mistyped and delivered twice", "settlements repeated"],
)  # fmt: skip
def test_ingest_sets_aside_what_was_planted_and_drops_what_repeats_and_nothing_else(
    shares: dict[str, float], see: Callable[..., Seen]
) -> None:
    """Cut settlements are left out: the rest of a settlement that lost its end is set aside with it.

    Slips and repeated settlements are tested separately: if a slip sets aside the first copy of a settlement, its
    repeat is rightly accepted.
    """
    seen = see(**shares)
    settings = IngestSettings(layout="deliveries", recorded_at=datetime(2025, 1, 15, tzinfo=UTC), worker_count=1)
    result = ingest_folder(seen.raw, settings, b"key of a test, 32 bytes or more..")
    accounts = [(account.file.split("/")[0], account) for account in result.file_counts]
    aside, dropped, rows = Counter[str](), Counter[str](), Counter[str]()
    for source, account in accounts:
        aside[source] += sum(account.quarantined.values())
        dropped[source] += sum(account.duplicates.values())
        rows[source] += account.rows_in
    assert +aside == +Counter(seen.record.planted)
    assert +dropped == +Counter(seen.record.repeated)
    assert +rows == +Counter(seen.record.rows)
    assert (sum(aside.values()) > 10) == ("unit_slip_share" in shares)
    assert sum(dropped.values()) > 100


def test_a_row_is_cut_outside_quotes_and_never_whole() -> None:
    assert cut_off(b'1,"a, b, c, d, e",2,3\n') == b'1,"a, b, c, d, e",'
    assert cut_off(b"ab\tcd\tef\n") == b"ab\tcd\t"
    assert cut_off(b"no delimiter\n") == b""


def test_slips_change_the_unit_or_the_order_of_a_date() -> None:
    assert unit_slip("shop_traffic", b"2021-06-25,9,10,3,1,4.05\n") == (b"2021-06-25,9,10,3,1,405.00\n", "unit slip")
    assert unit_slip("shop_traffic", b"2021-06-25,9,10,3,0,0.00\n") is None
    assert unit_slip("shopify_orders", b"#1001,a@example.com\n") is None
    assert date_slip("shop_traffic", b"2021-06-25,9,10,3,1,4.05\n") == (
        b"2021-25-06,9,10,3,1,4.05\n",
        "impossible date",
    )
    assert date_slip("shop_traffic", b"2021-06-05,9,10,3,1,4.05\n") is None
    invoice = ",S000001,10000017,2021/3/5,V00001,88.50,11.50,100.00,有效发票\n"
    swapped = (invoice.replace("2021/3/5", "2021/5/3").encode(), "swapped date")
    assert date_slip("vat_invoices", invoice.encode()) == swapped
    assert date_slip("vat_invoices", invoice.replace("3/5", "5/5").encode()) is None


def test_edits_within_removed_rows_are_not_made() -> None:
    gone = Edit(5, 9, b"", "late rows")
    kept, lost = Edit(9, 10, b"x", "unit slip"), Edit(6, 6, b"y", "malformed row")
    assert clear_of([kept, lost], [gone]) == [gone, kept]
