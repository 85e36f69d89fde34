"""Whether payouts find their own credits in the bank, over several synthetic worlds.

In each world every seller delivers bank statements beside the reports of the platforms. Both are read through the
pipeline's own ingest and matched as of the world's end. The truth says which credit pays which settlement. The
benchmark counts the delivered payouts whose true credit is in a delivered statement, how many of them were matched with
it, how many matches are false, and how many payouts were called never seen although their credit is there. The
targets: at least 99 % matched, and no false match. Writes JSON; exit code 1 if a target is missed.

    python benchmarks/bank_matching.py --out benchmarks/results
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import re
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.engine.as_of import AsOf
from features.reconciliation.bank_matching import MATCHED, NEVER_SEEN, payouts_in_bank
from pipelines.ingest.stage import ingest_folder
from pipelines.profiles.ingest_settings import IngestSettings
from simulator.economy.simulation import simulate
from simulator.files.bank_accounts import bank_accounts, has_bank_statements
from simulator.population.districts import districts
from simulator.settings import ObservationSettings, WorldSettings
from simulator.writing import write_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

SOURCES = ("amazon_settlement_v2", "shein_report", "shein_statement", "china_bank_statement", "camt053_statement")
LEAST_MATCHED = 0.99
_RECORDED_AT = dt.datetime(2025, 1, 15, tzinfo=dt.UTC)
_KEY = b"benchmark key, not a secret: it only makes pseudonyms".ljust(32)
# A payout as the truth names it: seller and number of what it pays.
Payout = tuple[str, int]


def world_settings(seed: int, sellers: int) -> WorldSettings:
    """Return the settings of a world in which every seller delivers bank statements."""
    return WorldSettings(seller_count=sellers, seed=seed, observation=ObservationSettings(bank_statement_share=1.0))


def one_world(settings: WorldSettings) -> dict[str, int]:
    """Write, read and match one world, and compare the matches with the truth."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_world(settings, folder)
        wanted = IngestSettings(layout="deliveries", recorded_at=_RECORDED_AT, sources=SOURCES)
        tables = ingest_folder(folder / "raw", wanted, _KEY).tables
        return compared(payouts_in_bank(tables, AsOf(settings.last_day)), true_credits(settings))


def true_credits(settings: WorldSettings) -> dict[tuple[str, dt.date, int], Payout]:
    """Return the payouts that arrived in the bank, by seller, day and cents of their credit."""
    return dict(_true_credits(settings))


def _true_credits(settings: WorldSettings) -> Iterator[tuple[tuple[str, dt.date, int], Payout]]:
    for district in districts(settings):
        world = simulate(district.settings, district.first_seller)
        sellers = np.flatnonzero(has_bank_statements(world))
        for account in bank_accounts(world, sellers):
            seller = world.seller_id(account.seller)
            for entry in account.entries:
                if entry.payout:
                    day = (world.timeline.first_day + entry.day).astype(object)
                    yield (seller, day, entry.cents), (seller, _number(entry.payout))


def _number(text: str) -> int:
    return int(re.sub(r"\D", "", text) or 0)


def compared(matches: pa.Table, truth: dict[tuple[str, dt.date, int], Payout]) -> dict[str, int]:
    """Count payouts that the truth knows in the bank, right and false matches, and payouts wrongly called missing."""
    arrived, count = set(truth.values()), Counter[str]()
    for row in matches.to_pylist():
        if row["payout_id"] is None:
            continue
        payout = _known(row, arrived)
        count["payouts in the bank"] += payout is not None
        if row["finding"] == MATCHED:
            cents = int(100 * row["credited_amount"])
            is_right = payout is not None and truth.get((row["seller_id"], row["credited_on"], cents)) == payout
            count["matched rightly" if is_right else "matched falsely"] += 1
        elif row["finding"] == NEVER_SEEN:
            count["never seen, though there" if payout is not None else "never seen, and not there"] += 1
    names = ("payouts in the bank", "matched rightly", "matched falsely", "never seen, though there")
    return {name: count[name] for name in (*names, "never seen, and not there")}


def _known(row: dict[str, Any], arrived: set[Payout]) -> Payout | None:
    """Return the payout of a row if its credit is in the bank; a check order has one digit more than its report."""
    number = _number(row["statement_id"] or "")
    candidates = ((row["seller_id"], number), (row["seller_id"], number // 10))
    return next((payout for payout in candidates if payout in arrived), None)


def summary(worlds: list[dict[str, int]]) -> dict[str, Any]:
    """Return the sums over worlds, the share matched, and whether the targets are met."""
    total = {name: sum(world[name] for world in worlds) for name in worlds[0]}
    share = total["matched rightly"] / total["payouts in the bank"]
    bars = {"payouts matched": share >= LEAST_MATCHED, "no false match": total["matched falsely"] == 0}
    return {"total": total, "matched_share": round(share, 6), "bars": bars, "meets_bars": all(bars.values())}


def main() -> int:
    """Run the worlds and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--sellers", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    options = parser.parse_args()
    seeds, worlds = [int(text) for text in options.seeds.split(",")], []
    for seed in seeds:
        start = time.perf_counter()
        worlds.append(one_world(world_settings(seed, options.sellers)))
        print(f"seed {seed}: {time.perf_counter() - start:.0f} s, {worlds[-1]}", flush=True)
    report = {
        "benchmark": "bank_matching", "made_on": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "machine": platform.machine(), "data": "synthetic worlds", "sellers_a_world": options.sellers, "seeds": seeds,
        **summary(worlds),
    }  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bank_matching.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report["bars"], indent=2))
    return 0 if report["meets_bars"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
