"""Planted fraud is seeded, driven by need, listed in the truth, and leaves traces that adapt."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.economy import fraud
from simulator.economy.simulation import simulate
from simulator.economy.state import FLOWS
from simulator.files.company_links import company_link_files
from simulator.files.customs import customs_files
from simulator.files.raw_file import View
from simulator.files.site_orders import site_orders
from simulator.files.traffic import traffic_files
from simulator.observation.availability import observe
from simulator.observation.brushing import CHECKS, FEW_BUYERS, NOT_SENT, shows_trace
from simulator.observation.fraud_cases import fraud_cases, size_in_force, withheld_sources
from simulator.observation.related_invoices import related_invoices
from simulator.observation.shared_devices import shared_devices
from simulator.settings import FraudSettings, ObservationSettings, WorldSettings

if TYPE_CHECKING:
    from simulator.economy.simulated_world import World
    from tests.unit.simulator.conftest import Written

# Ten times as much fraud as usual, so that a small world holds every kind.
MANY = FraudSettings(
    brusher_share=0.25, brushing_rate=2.0, inflated_traffic_rate=0.1, over_declaration_rate=0.08, round_trip_rate=0.15,
    loan_diversion_share=0.1, borrowed_identity_share=0.08, double_pledge_share=0.2, forged_trade_rate=0.08,
)  # fmt: skip
# No row mistyped, no file cut off, late or delivered again.
SPOTLESS = ObservationSettings(
    **{name: 0.0 for name in ObservationSettings.model_fields if name.endswith("_share") and name != "refusal_share"}
)


@pytest.fixture(scope="module")
def fraud_world() -> World:
    return simulate(WorldSettings(seller_count=500, seed=8, fraud=MANY))


def test_every_kind_of_fraud_occurs_within_its_sellers_trading_life(fraud_world: World) -> None:
    for kind in fraud.KINDS:
        found = fraud_cases(fraud_world, kind)
        assert len(found.seller) >= 8, kind
        assert (found.first_week >= fraud_world.firms.entry_week[found.seller]).all()
        assert (found.first_week <= fraud_world.closed_week[found.seller]).all()
        assert (found.end_week > found.first_week).all()
        assert (found.size > 0).all()


def test_no_seller_has_two_open_cases_of_one_campaign(fraud_world: World) -> None:
    for kind in (fraud.BRUSHING, fraud.INFLATED_TRAFFIC, fraud.OVER_DECLARATION, fraud.ROUND_TRIP, fraud.FORGED_TRADE):
        found = fraud_cases(fraud_world, kind)
        order = np.lexsort((found.first_week, found.seller))
        same = found.seller[order][1:] == found.seller[order][:-1]
        assert (found.first_week[order][1:][same] >= found.end_week[order][:-1][same]).all()


def test_dishonest_sellers_commit_fraud_more_often(fraud_world: World) -> None:
    honesty = fraud_world.firms.honesty
    for kind in (fraud.OVER_DECLARATION, fraud.LOAN_DIVERTED, fraud.FORGED_TRADE, fraud.DOUBLE_PLEDGE):
        assert honesty[fraud_cases(fraud_world, kind).seller].mean() < honesty.mean() - 0.3, kind


@pytest.mark.slow
def test_more_of_one_kind_of_fraud_leaves_the_draws_of_the_others_unchanged() -> None:
    settings = WorldSettings(seller_count=200, seed=5)
    more = settings.model_copy(update={"fraud": settings.fraud.model_copy(update={"over_declaration_rate": 0.3})})
    few, many = simulate(settings), simulate(more)
    assert len(fraud_cases(many, fraud.OVER_DECLARATION).seller) > len(fraud_cases(few, fraud.OVER_DECLARATION).seller)
    assert np.array_equal(few.cash, many.cash)
    assert np.array_equal(fraud_cases(few, fraud.BRUSHING).seller, fraud_cases(many, fraud.BRUSHING).seller)


@pytest.mark.slow
def test_money_of_a_diverted_loan_is_gone_and_the_trade_is_weaker(fraud_world: World) -> None:
    honest = simulate(
        fraud_world.settings.model_copy(update={"fraud": MANY.model_copy(update={"loan_diversion_share": 0})})
    )
    found = fraud_cases(fraud_world, fraud.LOAN_DIVERTED)
    first = int(found.first_week.min())
    mine = found.seller[found.first_week == first]
    drawn = FLOWS.index("owner_drawn")
    assert (fraud_world.flows[drawn, first, mine] < honest.flows[drawn, first, mine]).all()
    after = slice(first + 1, first + 27)
    orders = fraud_world.flows[FLOWS.index("supplier_paid"), after, mine].sum()
    assert orders > honest.flows[FLOWS.index("supplier_paid"), after, mine].sum()  # less is paid: closer to nought


def test_rings_pass_nearly_one_amount_around_within_days(fraud_world: World) -> None:
    found = related_invoices(fraud_world)
    ring = found.is_round_trip
    assert ring.sum() > 50
    assert (~ring).sum() > 50
    matched = 0
    for at in np.flatnonzero(ring)[:60]:
        onward = ring & (found.seller == found.buyer[at]) & (np.abs(found.day - found.day[at]) <= 14)
        near = np.abs(np.log(found.gross_cents[onward] / found.gross_cents[at])) < 0.13
        matched += bool(near.any())
    assert matched > 50


def test_rings_are_drawn_within_control_groups_and_guarantee_circles_only(fraud_world: World) -> None:
    found, ring = fraud_cases(fraud_world, fraud.ROUND_TRIP), fraud.rings(fraud_world.network)
    assert (ring[found.seller] >= 0).all()
    assert np.array_equal(ring[found.seller], ring[found.other])
    assert (found.seller != found.other).all()


def test_borrowed_devices_belong_to_strangers(fraud_world: World) -> None:
    found, group = fraud_cases(fraud_world, fraud.BORROWED_IDENTITY), fraud_world.network.group
    assert ((group[found.seller] < 0) | (group[found.seller] != group[found.other])).all()
    assert (found.first_week - fraud_world.firms.entry_week[found.seller] < 4).all()


def test_a_borrowed_device_and_an_agencys_device_link_strangers(fraud_world: World) -> None:
    found = list(shared_devices(fraud_world))
    borrowed = {(tie.seller, tie.owner) for tie in found if tie.owner >= 0}
    listed = fraud_cases(fraud_world, fraud.BORROWED_IDENTITY)
    assert borrowed == set(zip(listed.seller.tolist(), listed.other.tolist(), strict=True))
    clients = Counter(tie.agency for tie in found if tie.kind == "device" and tie.owner < 0)
    assert clients
    assert max(clients.values()) <= 3
    (file,) = company_link_files(fraud_world, observe(fraud_world))
    lines = [json.loads(line) for line in b"".join(bytes(part) for part in file.parts).splitlines()]
    users: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line["properties"].get("role") == ["device"]:
            users[line["properties"]["object"][0]].add(line["properties"]["subject"][0])
    together = [holders for holders in users.values() if len(holders) > 1]
    for seller, owner in borrowed:
        pair = {f"co-{fraud_world.seller_id(seller)}", f"co-{fraud_world.seller_id(owner)}"}
        assert any(pair <= holders for holders in together)


def test_brushers_drop_a_trace_after_its_check_became_common(fraud_world: World) -> None:
    brushers = np.flatnonzero(fraud_world.firms.is_brusher)
    for check in CHECKS:
        first = fraud_world.timeline.week_of(check.first_day)
        before, after = np.full(len(brushers), first), np.full(len(brushers), first + 66)
        assert 0.5 < shows_trace(fraud_world, check.trace, brushers, before).mean() < 1
        assert not shows_trace(fraud_world, check.trace, brushers, after).any()


def test_fake_orders_adapt_and_in_the_end_have_buyers_in_common(fraud_world: World) -> None:
    view = View(fraud_world, observe(fraud_world), np.arange(fraud_world.firms.count))
    orders = site_orders(view)
    assert orders is not None
    firsts = {check.trace: 7 * fraud_world.timeline.week_of(check.first_day) for check in CHECKS}
    early = orders.is_fake & (orders.day < firsts[FEW_BUYERS])
    late = orders.is_fake & (orders.day > firsts[NOT_SENT] + 7 * 70)
    assert min(early.sum(), late.sum()) > 100
    assert orders.is_fulfilled[early].mean() < 0.5 < orders.is_fulfilled[late].mean()
    assert not (orders.listed_at != orders.seller)[early].mean() > 0.3
    assert (orders.listed_at != orders.seller)[late].mean() > 0.3
    honest = (orders.listed_at != orders.seller) & ~orders.is_fake
    assert 0.01 < honest.sum() / (~orders.is_fake).sum() < 0.1  # some true buyers roam, so it proves nothing


def test_fake_orders_come_only_while_their_seller_brushes(fraud_world: World) -> None:
    orders = site_orders(View(fraud_world, observe(fraud_world), np.arange(fraud_world.firms.count)))
    assert orders is not None
    strength = size_in_force(fraud_world, fraud.BRUSHING)
    weeks = np.minimum(orders.day[orders.is_fake, None] // 7 + np.arange(-4, 1), fraud_world.timeline.weeks - 1)
    assert (strength[np.maximum(weeks, 0), orders.seller[orders.is_fake, None]] > 0).any(axis=1).all()


def test_the_truth_lists_every_case_once(written: Written) -> None:
    with (written.truth / "lies.csv").open(encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    counted = Counter(row["kind"] for row in rows)
    for kind in fraud.KINDS:
        assert counted[kind] == len(fraud_cases(written.world, kind).seller)
    assert counted[fraud.WITHHELD_SOURCE] == (withheld_sources(written.world) != "").sum()
    assert sum(counted.values()) == len(rows) > 5
    for row in rows:
        assert row["from"] <= (row["to"] or "9999")
        assert row["seller_id"] != row["other_seller_id"]
        assert (row["reference"][:1] == "L") == (row["kind"] in {fraud.LOAN_DIVERTED, fraud.DOUBLE_PLEDGE})
    with (written.truth / "shocks.csv").open(encoding="utf-8") as source:
        checks = {row["name"]: row["first_day"] for row in csv.DictReader(source) if row["effect"] == "check"}
    assert checks == {check.trace: str(check.first_day) for check in CHECKS}


def without(world: World, rate: str) -> World:
    """Simulate the same world without one kind of fraud, which moves no money."""
    return simulate(world.settings.model_copy(update={"fraud": MANY.model_copy(update={rate: 0.0})}))


def view_of(world: World) -> View:
    spotless = world.settings.model_copy(update={"observation": SPOTLESS})
    return View(replace(world, settings=spotless), observe(world), np.arange(world.firms.count))


def declared(world: World) -> dict[str, tuple[float, float, str]]:
    """Return value, pieces and exporter of each declaration."""
    found = {}
    for file in customs_files(view_of(world)):
        for entry in json.loads(b"".join(map(bytes, file.parts))):
            items = entry["decMergeListVo"]
            pieces = sum(float(item["gQty"]) for item in items)
            found[entry["entryId"]] = (sum(float(item["declTotal"]) for item in items), pieces, file.seller_ref)
    return found


@pytest.mark.slow
def test_over_declaration_raises_the_value_of_the_same_pieces(fraud_world: World) -> None:
    fraudulent, honest = declared(fraud_world), declared(without(fraud_world, "over_declaration_rate"))
    assert fraudulent.keys() == honest.keys()
    dear = {entry for entry in fraudulent if fraudulent[entry][0] > honest[entry][0] + 0.02}
    assert len(dear) > 50
    assert all(fraudulent[entry][0] == pytest.approx(honest[entry][0]) for entry in fraudulent.keys() - dear)
    assert all(1.3 < fraudulent[entry][0] / honest[entry][0] < 3 for entry in dear)
    same_pieces = [abs(fraudulent[entry][1] / honest[entry][1] - 1) < 0.2 for entry in dear if honest[entry][1] > 20]
    assert np.mean(same_pieces) > 0.95
    fraudsters = {
        fraud_world.seller_id(int(seller)) for seller in fraud_cases(fraud_world, fraud.OVER_DECLARATION).seller
    }
    assert {fraudulent[entry][2] for entry in dear} <= fraudsters


def visits(world: World) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Return sessions, bounced sessions and visitors by seller and day."""
    found = {}
    for file in traffic_files(view_of(world)):
        for line in b"".join(map(bytes, file.parts)).decode().splitlines()[1:]:
            day, visitors, sessions, bounced, *_ = line.split(",")
            found[file.seller_ref, day] = (int(sessions), int(bounced), int(visitors))
    return found


@pytest.mark.slow
def test_inflated_visits_only_add_to_the_true_ones_while_the_case_lasts(fraud_world: World) -> None:
    fraudulent, honest = visits(fraud_world), visits(without(fraud_world, "inflated_traffic_rate"))
    assert fraudulent.keys() == honest.keys()
    more = {key for key in fraudulent if fraudulent[key] != honest[key]}
    assert len(more) > 500
    assert all(fraudulent[key][0] > honest[key][0] for key in more)
    fraudsters = {
        fraud_world.seller_id(int(seller)) for seller in fraud_cases(fraud_world, fraud.INFLATED_TRAFFIC).seller
    }
    assert {seller for seller, _ in more} <= fraudsters
    for sessions, bounced, visitors in fraudulent.values():
        assert max(bounced, visitors) <= sessions
