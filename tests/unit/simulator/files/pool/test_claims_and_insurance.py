"""Claims that cost a seller money follow the incidents of the simulated world, and so do insured losses."""

from __future__ import annotations

from collections import Counter

import numpy as np

from simulator.economy.simulated_world import World
from simulator.files.pool.claims import (
    FOUNDED,
    OWN,
    all_ip_claims,
    claim_incidents,
    claim_numbers,
    claimed_members,
    ip_claims,
    is_reported,
)
from simulator.files.pool.insurance import COVERS, insurance, insured_members, losses, policies
from simulator.observation.availability import observe
from simulator.truth.observation_tables import observation_tables
from simulator.truth.world_tables import truth_tables
from tests.unit.simulator.files.pool.conftest import amounts, words


def test_every_claim_against_a_seller_that_is_upheld_or_settled_follows_an_incident(crowd: World) -> None:
    rows = ip_claims(crowd)
    seller, week, _ = crowd.incidents("claim")
    incidents = set(zip(crowd.seller_ids()[seller].tolist(), week.tolist(), strict=True))
    lost = (words(rows, "role") == "accused") & np.isin(words(rows, "entry_type"), ("upheld", "settled"))
    assert lost.sum() > 20
    for at in np.flatnonzero(lost).tolist():
        _, reference, number = words(rows, "claim_number")[at].split("-")
        assert (reference, int(number)) in incidents
        assert rows.day[at] > 7 * int(number)


def test_a_claim_is_filed_once_and_ends_at_most_once_later(crowd: World) -> None:
    rows = ip_claims(crowd)
    steps = words(rows, "entry_type")
    filed = dict(zip(words(rows, "claim_number")[steps == "filed"], rows.day[steps == "filed"], strict=True))
    assert len(filed) == (steps == "filed").sum()
    ended = words(rows, "claim_number")[steps != "filed"]
    assert len(set(ended)) == len(ended)
    assert all(day > filed[number] for number, day in zip(ended, rows.day[steps != "filed"], strict=True))
    assert (amounts(rows, "frozen_amount")[steps != "filed"] == 0).all()
    assert (rows.day < 7 * np.minimum(crowd.closed_week[rows.seller], crowd.timeline.weeks)).all()
    roles = Counter(words(rows, "role")[steps == "filed"])
    assert roles["accused"] > 2 * roles["claimant"] > 0


def test_a_settled_claim_costs_what_the_economy_paid(crowd: World) -> None:
    rows = ip_claims(crowd)
    at = (words(rows, "role") == "accused") & np.isin(words(rows, "entry_type"), ("upheld", "settled"))
    found = all_ip_claims(crowd)
    cost = dict(
        zip(
            claim_numbers(crowd, found.seller, found.week).to_pylist(),
            zip(found.week, found.cost, strict=True),
            strict=True,
        )
    )
    big = 0
    for number, seller, amount in zip(
        words(rows, "claim_number")[at], rows.seller[at], amounts(rows, "amount")[at], strict=True
    ):
        week, paid = cost[number]
        rates = crowd.timeline.cny_per_eur if crowd.firms.is_euro[seller] else crowd.timeline.cny_per_usd
        assert amount >= round(paid / rates[week], 2) - 0.011
        big += amount == round(paid / rates[week], 2)
    assert big > 5


def test_unfounded_claims_cost_nothing_and_end_dismissed_or_withdrawn(crowd: World) -> None:
    found, rows = all_ip_claims(crowd), ip_claims(crowd)
    assert (found.cost[found.kind != FOUNDED] == 0).all()
    harmless = set(
        claim_numbers(crowd, found.seller, found.week).filter((found.kind != FOUNDED) & (found.kind != OWN)).to_pylist()
    )
    mine = np.isin(words(rows, "claim_number"), sorted(harmless))
    assert mine.sum() > 20
    assert set(words(rows, "entry_type")[mine]) == {"filed", "dismissed", "withdrawn"}


def test_hidden_claims_are_in_the_truth_and_nowhere_else(crowd: World) -> None:
    found = all_ip_claims(crowd)
    hidden = claimed_members(crowd)[found.seller] & ~is_reported(crowd, found)
    assert hidden.sum() >= 3
    assert (found.kind[hidden] == FOUNDED).all()
    numbers = set(claim_numbers(crowd, found.seller, found.week).filter(hidden).to_pylist())
    assert not numbers & set(words(ip_claims(crowd), "claim_number").tolist())
    truth = observation_tables(crowd, observe(crowd), [])["unreported"].to_pylist()
    assert {row["reference"] for row in truth if row["table"] == "ip_claim"} == numbers
    told = truth_tables(crowd)["claims"].to_pylist()
    assert numbers <= {row["claim_number"] for row in told}
    assert sum(row["kind"] == "founded" for row in told) == len(crowd.incidents("claim")[0])


def test_every_incident_is_about_a_right_or_a_product(crowd: World) -> None:
    found = claim_incidents(crowd)
    assert 0.4 < found.is_ip.mean() < 0.7
    rights = all_ip_claims(crowd)
    assert (rights.kind == FOUNDED).sum() == found.is_ip.sum()


def test_better_managed_sellers_insure_more(crowd: World) -> None:
    found = policies(crowd, np.ones(crowd.firms.count, dtype=bool))
    covers = np.bincount(found.seller[found.turn == 0], minlength=crowd.firms.count)
    assert np.corrcoef(crowd.firms.quality, covers)[0, 1] > 0.15
    assert np.corrcoef(np.log(crowd.firms.discipline), covers)[0, 1] > 0.05
    assert 0.2 < (covers == 0).mean() < 0.8


def test_a_policy_is_renewed_without_overlap_and_not_after_it_lapsed(crowd: World) -> None:
    found = policies(crowd, np.ones(crowd.firms.count, dtype=bool))
    same = (found.seller[1:] == found.seller[:-1]) & (found.cover[1:] == found.cover[:-1])
    assert (found.turn[1:][same] == found.turn[:-1][same] + 1).all()
    assert (found.start[1:][same] == found.start[:-1][same] + 365).all()
    assert (found.end[:-1][same] == found.start[1:][same]).all()
    assert (found.turn[np.concatenate([[True], ~same])] == 0).all()
    assert (found.start < 7 * np.minimum(crowd.closed_week[found.seller], crowd.timeline.weeks)).all()


def test_losses_are_claimed_under_a_policy_in_force_and_follow_an_incident(crowd: World) -> None:
    rows = insurance(crowd)
    steps, number, cover = words(rows, "entry_type"), words(rows, "policy_number"), words(rows, "cover_type")
    assert insured_members(crowd)[rows.seller].all()
    bound = dict(zip(number[steps == "bound"], rows.day[steps == "bound"], strict=True))
    assert len(bound) == (steps == "bound").sum()
    seller, week, _ = (
        np.concatenate(parts)
        for parts in zip(
            *(crowd.incidents(kind) for kind in ("claim", "faulty batch", "supplier failure")), strict=True
        )
    )
    starts = {(s, w + later) for s, w in zip(seller.tolist(), week.tolist(), strict=True) for later in range(5)}
    claimed = np.flatnonzero(steps == "claimed")
    assert (rows.day[claimed] >= [bound[name] for name in number[claimed]]).all()
    about = claimed[cover[claimed] != "cargo"]
    assert len(about) > 10
    assert all((int(rows.seller[at]), int(rows.day[at] // 7)) in starts for at in about.tolist())
    assert (amounts(rows, "loss_amount")[claimed] > 0).all()
    assert np.isnan(amounts(rows, "loss_amount")[np.isin(steps, ("bound", "ended"))]).all()


def test_what_is_paid_exceeds_neither_the_loss_nor_the_sum_insured(crowd: World) -> None:
    rows = insurance(crowd)
    steps, keys = words(rows, "entry_type"), words(rows, "policy_number")
    loss, insured = amounts(rows, "loss_amount"), amounts(rows, "insured_amount")
    paid = steps == "paid"
    assert paid.sum() > 20
    assert (loss[paid] <= insured[paid]).all()
    for name in np.unique(keys[paid]).tolist():
        assert loss[paid & (keys == name)].sum() <= loss[(steps == "claimed") & (keys == name)].sum()


def test_goods_are_damaged_more_often_while_freight_is_disturbed(crowd: World) -> None:
    found = losses(crowd)
    cargo = found.day[found.cover == COVERS.index("cargo")]
    arrivals = 7 * crowd.events["orders"]["arrival_week"].astype(int)
    dear = [(np.datetime64(day) - crowd.timeline.first_day).astype(int) for day in ("2021-01-01", "2022-06-01")]

    def rate(first: int, last: int) -> float:
        return ((cargo >= first) & (cargo < last)).sum() / ((arrivals >= first) & (arrivals < last)).sum()

    assert rate(*dear) > 1.7 * rate(0, 360)
