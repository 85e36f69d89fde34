"""Speed of offers: CPU time a seller and memory at several numbers of made-up sellers, with the example policy.

    python benchmarks/offers/offer_speed.py --out artifacts/benchmarks

Writes JSON. Times decide nothing.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import resource
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from lending.offers import offers
from lending.policy.records import shipped_policy

COUNTS = (1_000, 10_000, 100_000)
TYPICAL = {
    "pd_12m": 0.05, "monthly_payouts_usd": 40000.0, "evidence_share": 0.8, "borrowed_usd": 10000.0,
    "group_borrowed_usd": 15000.0, "months_of_history": 18.0, "receivables_usd": 40000.0, "stock_usd": 60000.0,
    "moving_goods_share": 0.6, "lowest_balance_p10_usd": 20000.0,
}  # fmt: skip


def sellers(count: int) -> pa.Table:
    """Return made-up sellers around typical figures."""
    draw = np.random.default_rng(count)
    columns = {name: pa.array(value * np.exp(draw.normal(0, 1, count))) for name, value in TYPICAL.items()}
    zero = pa.array(np.zeros(count))
    ids = pa.array([f"S{place:06d}" for place in range(count)])
    return pa.table({"seller_id": ids, **columns, "fraud_flags": zero, "screening_hits": zero})


def measured(count: int) -> dict[str, float]:
    """Return CPU time a seller and the peak memory so far."""
    table, policy = sellers(count), shipped_policy()
    begin = time.process_time()
    rows = offers(table, policy).num_rows
    seconds = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"sellers": count, "rows": rows, "cpu_ms_a_seller": 1000 * seconds / count, "peak_mb": round(peak)}


def main() -> None:
    """Measure and write ``offer_speed.json``."""
    parser = argparse.ArgumentParser(description="speed of offers")
    parser.add_argument("--out", type=Path, required=True)
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    result = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": platform.processor() or platform.machine(),
        "data": "made-up sellers, not measured ones",
        "results": [measured(count) for count in COUNTS],
    }
    text = json.dumps(result, indent=1)
    (out / "offer_speed.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
