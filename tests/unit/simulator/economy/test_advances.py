"""Advances of the marketplace: read as the truth lists them, beside a trade that does not change."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
import pytest

from features.build import build_features
from features.catalogue import select_features
from pipelines.ingest.stage import ingest_folder
from pipelines.profiles.ingest_settings import IngestSettings
from simulator.economy.simulation import simulate
from simulator.economy.state import FLOWS
from simulator.settings import CreditSettings, WorldSettings
from simulator.writing import write_world
from tests.factories.canonical_tables import observations
from tests.unit.simulator.conftest import UNHARMED

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from simulator.economy.simulated_world import World

BORROWING = ("advance_lender_count_90d", "advance_repayment_share_90d", "advance_balance_to_sales_365d",
             "advance_stacking_90d")  # fmt: skip
WHOLE = UNHARMED.model_copy(update={"refusal_share": 0.0, "thin_file_share": 0.0, "malformed_row_share": 0.0})
pytestmark = pytest.mark.slow
READ = IngestSettings(
    layout="deliveries", recorded_at=datetime(2025, 1, 15, tzinfo=UTC), worker_count=1,
    sources=("amazon_settlement_v2", "lender_loans", "lender_repayments"),
)  # fmt: skip


def settings(share: float) -> WorldSettings:
    return WorldSettings(
        seller_count=60, seed=4, first_day=date(2021, 1, 1), last_day=date(2023, 6, 30), observation=WHOLE,
        credit=CreditSettings(advance_share=share),
    )  # fmt: skip


@dataclass(frozen=True)
class Read:
    """A world as ingest reads it, and its list of advances."""

    tables: dict[str, pa.Table]
    truth: list[dict[str, str]]

    def sums(self, event_type: str, by: str = "seller_id") -> dict[str, Decimal]:
        rows = self.tables["money_event"]
        rows = rows.filter(pc.equal(rows["event_type"], event_type))
        found = Counter[str]()
        for key, amount in zip(rows[by].to_pylist(), rows["amount"].to_pylist(), strict=True):
            found[key] += amount
        return dict(found)

    def listed(self, column: str, sign: int, by: str = "seller_id") -> dict[str, Decimal]:
        """Return the sums in the truth over the settlements that were delivered."""
        delivered, found = set(self.tables["money_event"]["statement_id"].to_pylist()), Counter[str]()
        for row in self.truth:
            if float(row[column]) and row["settlement_id"] in delivered:
                found[row[by]] += sign * Decimal(row[column])
        return dict(found)


def read_world(share: float, folder: Path) -> Read:
    write_world(settings(share), folder)
    with (folder / "truth" / "advances.csv").open(encoding="utf-8", newline="") as file:
        truth = list(csv.DictReader(file))
    return Read(dict(ingest_folder(folder / "raw", READ, b"key of a test, 32 bytes or more..").tables), truth)


@pytest.fixture(scope="module")
def lending(tmp_path_factory: pytest.TempPathFactory) -> Read:
    return read_world(0.6, tmp_path_factory.mktemp("lending"))


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Read:
    return read_world(0.0, tmp_path_factory.mktemp("without"))


@pytest.fixture(scope="module")
def worlds() -> tuple[World, World]:
    return simulate(settings(0.6)), simulate(settings(0.0))


def test_advances_and_repayments_read_are_those_of_the_truth(lending: Read, without: Read) -> None:
    for event_type, column, sign in (("advance", "advance", 1), ("advance_repayment", "repayment", -1)):
        assert lending.sums(event_type) == lending.listed(column, sign)
        assert lending.sums(event_type, "statement_id") == lending.listed(column, sign, "settlement_id")
        assert len(lending.sums(event_type)) > 10
        assert not without.sums(event_type)
    assert not without.truth


def test_sales_do_not_change_and_payouts_change_only_by_what_is_lent_and_withheld(lending: Read, without: Read) -> None:
    changed = {"advance", "advance_repayment", "payout"}
    kinds = set(lending.tables["money_event"]["event_type"].to_pylist()) - changed
    assert {"sale", "refund", "commission", "reserve_hold"} <= kinds
    assert {kind: lending.sums(kind) for kind in kinds} == {kind: without.sums(kind) for kind in kinds}
    lent, withheld, paid = (lending.sums(kind) for kind in ("advance", "advance_repayment", "payout"))
    of_trade = {seller: paid[seller] + lent.get(seller, 0) + withheld.get(seller, 0) for seller in paid}
    assert of_trade == without.sums("payout")
    assert paid != of_trade


def test_features_see_the_borrowing_and_no_payout_more(lending: Read, without: Read) -> None:
    asked = observations([(seller, "2023-03-31") for seller in lending.sums("sale")])
    chosen = select_features("one", "1.0.0", [*BORROWING, "payout_to_sales_365d"])
    built, plain = (build_features(read.tables, asked, chosen).table for read in (lending, without))
    for name in BORROWING:
        assert len(set(built[name].drop_null().to_pylist())) > 1, name
        assert set(plain[name].drop_null().to_pylist()) == {0}, name
    same = zip(built["payout_to_sales_365d"].to_pylist(), plain["payout_to_sales_365d"].to_pylist(), strict=True)
    gaps = [abs(one - other) for one, other in same if one is not None]
    # A payout comes some days after the rows of its settlement, so one at the edge of the window may miss its advance.
    assert float(np.median(gaps)) == 0.0


def test_cash_trade_and_defaults_are_those_of_the_world_without_advances(worlds: tuple[World, World]) -> None:
    lending, without = worlds
    assert np.array_equal(lending.cash, without.cash)
    assert np.array_equal(lending.default_day, without.default_day)
    deposit, passed_on = (lending.flows[FLOWS.index(name)] for name in ("marketplace_deposit", "advance_passed_on"))
    assert np.abs(deposit + passed_on - without.flows[FLOWS.index("marketplace_deposit")]).max() < 1e-6
    assert np.abs(passed_on).max() > 0


def test_no_repayment_exceeds_what_is_owed_or_half_of_the_payout(worlds: tuple[World, World]) -> None:
    lending, without = (world.events["statements"] for world in worlds)
    back, lent = lending["repayment"], lending["advance"]
    assert (2 * back <= np.maximum(without["total"], 0) + 1e-9).all()
    for seller in np.unique(lending["seller"][lent > 0]):
        mine = lending["seller"] == seller
        owed = np.cumsum(1.1 * lent[mine]) - np.cumsum(back[mine])
        assert owed.min() > -0.01
