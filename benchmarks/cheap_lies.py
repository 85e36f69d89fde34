"""What eleven cheap lies and a careful one gain with the champion of a finished run, before and after the checks.

The sellers of the last date falsify their own exports, one lie at a time (`pipelines/explain/lies.py`), and are scored
again. Counts the points that the score alone gives away, those that are kept where no named code sends the row to a
person, and the sellers that a code flags, with 95 % intervals. Writes JSON; exit code 1 if a cheap lie pays on average
after the checks.

    python benchmarks/cheap_lies.py --profile small --sellers 500 --out benchmarks/results
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

from models.registry.bundle import load_bundle
from pipelines.explain.lie_table import LieSettings
from pipelines.explain.lies import CAREFUL
from pipelines.explain.stage import told_lies
from pipelines.profiles import load_profile
from pipelines.runs.data_gate import validated_output
from pipelines.runs.publish import read_parquet
from pipelines.runs.stages import Place, current_output
from pipelines.signing.keys import load_keys


def rounded(value: Any) -> Any:  # noqa: ANN401 - JSON is any of six types
    """Return a JSON value with figures of four decimals."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value


def main() -> int:
    """Run the benchmark, write its JSON, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--profile", default="small")
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--sellers", type=int, default=500)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    profile, started = load_profile(options.profile), time.perf_counter()
    place = Place(profile.name, options.artifacts)
    keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=os.environ)
    bundle = load_bundle(current_output(place, "train", "bundle"), [keys.public_key])
    matrix = read_parquet(current_output(place, "features", "matrix.parquet"))
    found = told_lies(bundle, validated_output(place, "tables"), matrix, LieSettings(sellers=options.sellers))
    cheap = [line for line in found["lies"] if line["lie"] != CAREFUL] if found else []
    document = {
        "benchmark": "cheap_lies",
        "made_on": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": platform.machine(),
        "data": f"{profile.title} (synthetic)" if profile.is_synthetic else profile.title,
        "bundle_sha256": bundle.digest,
        **rounded(found or {}),
        "seconds": round(time.perf_counter() - started),
        "meets_bars": bool(cheap) and all(line["after"]["mean"]["lower"] <= 0 for line in cheap),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=2) + "\n"
    (options.out / "cheap_lies.json").write_text(text, encoding="utf-8")
    print(text)
    return 0 if document["meets_bars"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
