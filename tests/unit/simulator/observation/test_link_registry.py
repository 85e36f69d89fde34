"""Registers: sold shares, links seen late or never, and data missing not at random."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simulator.economy.simulated_world import World
from simulator.economy.simulation import simulate
from simulator.files.company_links import company_link_files, link_findings
from simulator.observation.availability import observe
from simulator.observation.link_registry import sale_days
from simulator.population.districts import districts
from simulator.settings import CreditSettings, WorldSettings
from tests.unit.simulator.conftest import TINY

if TYPE_CHECKING:
    from tests.unit.simulator.conftest import Written

Link = dict[str, Any]


def links_of(world: World) -> dict[str, Link]:
    """Return the links in a world's register by identifier, with their properties and the day they were first seen."""
    (file,) = company_link_files(world, observe(world))
    lines = [json.loads(line) for line in b"".join(bytes(part) for part in file.parts).decode().splitlines()]
    return {
        line["id"]: {name: values[0] for name, values in line["properties"].items()} | {"seen": line["first_seen"][:10]}
        for line in lines
        if line["id"].startswith("ln-")
    }


@pytest.fixture(scope="module")
def crowd() -> World:
    network = TINY.network.model_copy(update={"share_sale_rate": 0.05, "share_sale_before_default": 0.5})
    return simulate(WorldSettings(seller_count=400, seed=3, network=network))


def day_of(world: World, day: int) -> str:
    return str(world.timeline.first_day + day)


def test_a_sale_ends_the_ownership_when_the_register_learns_of_it_and_a_new_owner_follows(crowd: World) -> None:
    links, sold = links_of(crowd), [found for found in link_findings(crowd) if found.kind == "sold"]
    last_day = day_of(crowd, 7 * crowd.timeline.weeks - 1)
    ended = 0
    for found in sold:
        link = links.get(found.link)
        if link is None or "endDate" not in link:  # never registered, or not before the world's end
            continue
        ended += 1
        company, day = link["asset"], day_of(crowd, found.day)
        assert link["startDate"] < day <= link["endDate"] <= last_day
        assert link["seen"] <= link["endDate"]
        after = [other for other in links.values() if other.get("asset") == company and other["startDate"] == day]
        assert all(other["owner"] != link["owner"] for other in after)
    assert ended > 30
    assert {link for link, entry in links.items() if "endDate" in entry} <= {found.link for found in sold}


def test_some_owners_sell_in_the_months_before_a_default(crowd: World) -> None:
    day, defaulted = sale_days(crowd), crowd.default_day >= 0
    ahead = (crowd.default_day - day)[defaulted & (day >= 0)]
    assert ((ahead >= 30) & (ahead < 300)).sum() > 0.3 * defaulted.sum()
    assert (day[day >= 0] > 7 * crowd.firms.entry_week[day >= 0]).all()


def test_without_sales_and_slow_registers_the_register_is_complete(tiny_world: World) -> None:
    settings = tiny_world.settings.model_copy(
        update={
            "network": tiny_world.settings.network.model_copy(
                update={"share_sale_rate": 0.0, "share_sale_before_default": 0.0}
            ),
            "observation": tiny_world.settings.observation.model_copy(
                update={"late_link_share": 0.0, "unregistered_link_share": 0.0}
            ),
        }
    )
    world = simulate(settings)
    assert link_findings(world) == []
    assert len(links_of(world)) > len(links_of(tiny_world)) * 0.98


def test_the_truth_lists_links_that_are_late_or_missing(written: Written) -> None:
    links = links_of(written.world)
    with (written.truth / "observation" / "links.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["kind"] for row in rows} == {"sold", "late", "unregistered"}
    for row in rows:
        if row["kind"] == "unregistered":
            assert row["link_id"] not in links
        if row["kind"] == "late":
            assert links[row["link_id"]]["seen"] == row["day"]
            waited = date.fromisoformat(row["day"]) - date.fromisoformat(links[row["link_id"]]["startDate"])
            assert waited >= timedelta(days=180)


@pytest.mark.slow
def test_data_of_later_defaulters_is_missing_more_often() -> None:
    settings = WorldSettings(seller_count=3_000, seed=5)
    generous = settings.observation.model_copy(update={"refusal_share": 0.12})
    world = simulate(settings.model_copy(update={"observation": generous}))
    never, first = world.timeline.weeks, observe(world).first_week
    missing = (first["vat_invoices"] > never).astype(int) + (first["customs_declaration"] > never)
    borrows = np.isin(np.arange(world.firms.count), world.events["loans"]["seller"])
    defaulted = world.default_day >= 0
    bad, good = missing[borrows & defaulted], missing[borrows & ~defaulted]
    error = np.sqrt(bad.var() / len(bad) + good.var() / len(good))
    assert bad.mean() - good.mean() > 2 * error
    for hidden in (world.firms.quality, world.firms.honesty, world.firms.backing):
        assert hidden[missing > 0].mean() < hidden[missing == 0].mean()


def test_thin_files_hold_platform_statements_alone_and_belong_to_young_sellers_more_often(tiny_world: World) -> None:
    options = tiny_world.settings.observation.model_copy(update={"thin_file_share": 0.4, "refusal_share": 0.0})
    world = simulate(tiny_world.settings.model_copy(update={"seller_count": 1_000, "observation": options}))
    first, never = observe(world).first_week, world.timeline.weeks
    none_but_statements = (first["vat_invoices"] > never) & (first["customs_declaration"] > never)
    young = 7 * world.firms.entry_week - world.firms.founded_day < 180
    assert none_but_statements[young].mean() > 1.5 * none_but_statements[~young].mean()
    assert (first["amazon_settlement_v2"][none_but_statements] < never).any()


def test_only_accepted_applications_have_loans_and_outcomes() -> None:
    # Sellers that apply seldom: some never get a loan.
    seldom = CreditSettings(application_rate=0.01)
    world = simulate(districts(TINY.model_copy(update={"credit": seldom}))[0].settings)
    applications, loans = world.events["applications"], world.events["loans"]

    def seller_weeks(table: Any, chosen: Any = slice(None)) -> list[tuple[int, int]]:  # noqa: ANN401 - event columns
        return sorted(zip(table["seller"][chosen].tolist(), (table["day"][chosen] // 7).tolist(), strict=True))

    accepted = applications["is_accepted"].astype(bool)
    granted, refused = seller_weeks(applications, accepted), seller_weeks(applications, ~accepted)
    assert len(refused) > 20
    assert seller_weeks(loans) == granted
    assert not set(granted) & set(refused)
    only_refused = {seller for seller, _ in refused} - {seller for seller, _ in granted}
    assert only_refused
    assert not only_refused & set(world.events["payments"]["seller"].tolist())
    assert (world.default_day[sorted(only_refused)] < 0).all()
