"""The command line of mutation testing.

Each mutant is one small fault in one module, tried in a copy of the checkout with the tests of that module. Writes
``mutants.json``; exit code 1 if fewer than 95 % are noticed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import platform
import sys
import tempfile
import time
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from data_contracts.errors import PassportError
from tools.mutants.equivalents import read_equivalents, set_apart
from tools.mutants.modules import GUARDED
from tools.mutants.sample import sample
from tools.mutants.trial import Outcome, Workplace, copied_checkout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.mutants.changes import Mutant

CHECKOUT: Final = Path(__file__).resolve().parents[2]
BAR: Final = 0.95
# A mutant may take this many times as long as the tests usually do, and not less than a minute.
PATIENCE: Final = 4.0
SHORTEST_LIMIT: Final = 60.0


def tried(mutants: list[Mutant], workplace: Workplace, minutes: float) -> list[tuple[Mutant, Outcome]]:
    """Return what the tests say about each mutant, until so many minutes have passed, and print it."""
    # Before the first mutant, so that tests that fail anyway are known at once.
    limits = {path: _limit(workplace, GUARDED[path]) for path in dict.fromkeys(one.path for one in mutants)}
    results: list[tuple[Mutant, Outcome]] = []
    started = time.monotonic()
    for number, one in enumerate(mutants, 1):
        if time.monotonic() - started > 60 * minutes:
            break
        outcome = workplace.outcome(one, GUARDED[one.path], limits[one.path])
        results.append((one, outcome))
        print(f"{number}/{len(mutants)} {outcome}: {one.path}:{one.line}: {one.was} -> {one.becomes}", flush=True)
    return results


def _limit(workplace: Workplace, tests: Sequence[str]) -> float:
    return max(SHORTEST_LIMIT, PATIENCE * workplace.usual_seconds(tests))


def document(results: list[tuple[Mutant, Outcome]], apart: list[tuple[Mutant, str]], seed: int) -> dict[str, Any]:
    """Return the record of a sample."""
    counts = Counter(outcome for _, outcome in results)
    survived = [one for one, outcome in results if outcome is Outcome.SURVIVED]
    share = 1 - len(survived) / len(results) if results else 0.0
    return {
        "benchmark": "mutants",
        "made_on": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": platform.machine(),
        "settings": {
            "sample": len(results) + len(apart),
            "seed": seed,
            "modules": len(GUARDED),
            "python": platform.python_version(),
            "cosmic_ray": metadata.version("cosmic-ray"),
        },
        "noticed": counts[Outcome.NOTICED],
        "timed_out": counts[Outcome.TIMED_OUT],
        "survived": [described(one) for one in survived],
        "equivalent": [described(one) | {"reason": reason} for one, reason in apart],
        "share_noticed": round(share, 4),
        "bar": BAR,
        "meets_bars": share >= BAR,
    }


def described(mutant: Mutant) -> dict[str, str]:
    """Return a mutant in words."""
    return {"place": f"{mutant.path}:{mutant.line}", "was": mutant.was, "becomes": mutant.becomes}


def main(arguments: list[str]) -> int:
    """Try a sample, write its record, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make mutants", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sample", type=int, default=250, help="How many mutants to try (default: %(default)s).")
    parser.add_argument("--seed", type=int, default=1, help="Which sample to draw (default: %(default)s).")
    parser.add_argument("--minutes", type=float, default=math.inf, help="Begin no mutant after so many minutes.")
    parser.add_argument("--only", action="append", choices=sorted(GUARDED), metavar="MODULE", help="Only this module.")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args(arguments)
    started = time.monotonic()
    sources = {path: (CHECKOUT / path).read_text(encoding="utf-8") for path in options.only or GUARDED}
    mutants, apart = set_apart(sample(sources, options.sample, options.seed), read_equivalents())
    with tempfile.TemporaryDirectory() as folder:
        results = tried(mutants, copied_checkout(CHECKOUT, Path(folder)), options.minutes)
    record = document(results, apart, options.seed) | {"minutes": round((time.monotonic() - started) / 60)}
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (options.out / "mutants.json").write_text(text, encoding="utf-8")
    print(f"{record['share_noticed']:.1%} of {len(results)} mutants noticed; {len(apart)} change nothing")
    return 0 if record["meets_bars"] else 1


def run(arguments: list[str]) -> int:
    """Run the command and return its exit code; an error is one line."""
    try:
        return main(arguments)
    except PassportError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
