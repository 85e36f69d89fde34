"""Whether a seller gains by leaving sources out of the folder that is scored.

Takes a finished run. Each of its applicants delivers subsets of its own sources once more. With the history known to
the profile, the tables must stay as they are, and with them every feature and score. Without any history, as for a new
applicant, the benchmark counts how many score better than with all sources, and by how many points; there only
consents, bank credits and other records can tell. Writes JSON; exit code 1 if a known history changes.

    python benchmarks/withholding.py --profile small --left-out 1 --out benchmarks/results

Several profiles are several worlds, each with the champion of its own run: their sellers, trials and gains are added.
The committed result is of three profiles that differ from ``small`` in their names and the seeds of their worlds: 1, 2
and 3; each was run up to ``train`` before.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.registry.bundle import load_bundle
from pipelines.profiles import load_profile
from pipelines.runs.stages import Place, current_output
from pipelines.score.applicant_features import OWN_TABLES, SellerTables
from pipelines.score.inputs import COVERAGE, Request, described_input, identified, tables_in_force
from pipelines.score.known_history import own_sources, source_names, with_known_history
from pipelines.score.scorer import ScoringContext, score_chunk
from pipelines.signing.keys import load_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from data_contracts.arrow import Values
    from pipelines.profiles import Profile

Tables = dict[str, pa.Table]
Scores = dict[str, int | None]
MOST_SELLERS: Final = 1000


class Desk:
    """A finished run with its champion, which scores sellers from given tables."""

    def __init__(self, profile: Profile, place: Place) -> None:
        keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=os.environ)
        self.known = dict(tables_in_force(place).tables)
        self._profile, self._place = profile, place
        bundle = load_bundle(current_output(place, "train", "bundle"), [keys.public_key])
        scoring = profile.scoring
        self._context = ScoringContext(bundle, scoring.limits, scoring.issued_on, "candidate", with_reasons=False)

    @property
    def day(self) -> dt.date:
        """The last as-of date of the profile."""
        return self._profile.observations.last_as_of

    def scores(self, tables: Mapping[str, pa.Table], sellers: Sequence[str]) -> Scores:
        """Return the score of each seller, None if it is refused."""
        meta, names = self._context.bundle.meta, self._context.bundle.model.feature_names
        request = Request(meta, names, self._profile.scoring.limits, self._place, self.day)
        applicants = identified(pa.array(sorted(sellers), pa.string()), self.day)
        rows = described_input(applicants, SellerTables(tables, {}), request)
        found = [score_chunk(self._context, chunk) for chunk in rows.chunks(10_000)]
        return {row["seller_id"]: row["score"] for table in found for row in table.to_pylist()}


def delivered(known: Tables, sellers: Sequence[str], sources: Sequence[str]) -> Tables:
    """Return what these sellers deliver if they give only these sources."""
    found = {}
    for name in (*OWN_TABLES, COVERAGE):
        if name in known:
            table = known[name]
            column = "delivered_source" if name == COVERAGE else "source"
            of_sellers = _is_in(table["seller_id"], sellers)
            given: Values = pc.and_(of_sellers, _is_in(source_names(table[column]), sources))
            found[name] = table.filter(given)
    return found


def new_to_the_lender(known: Tables, given: Tables, sellers: Sequence[str]) -> Tables:
    """Return the tables if nothing else is known of what these sellers exported."""
    tables = dict(known)
    for name, table in given.items():
        others: Values = pc.invert(_is_in(known[name]["seller_id"], sellers))
        if name == COVERAGE:
            others = pc.or_(others, pc.invert(_is_in(known[name]["covered_table"].cast(pa.string()), OWN_TABLES)))
        kept = known[name].filter(others)
        own = table.filter(_is_in(table["covered_table"].cast(pa.string()), OWN_TABLES)) if name == COVERAGE else table
        tables[name] = pa.concat_tables([kept, own], promote_options="permissive").unify_dictionaries()
    return tables


def _is_in(column: Values, values: Sequence[str]) -> Values:
    return pc.is_in(column, value_set=pa.array(list(values), pa.string()))


def subsets(sources: Sequence[str], left_out: int | None) -> Iterator[tuple[str, ...]]:
    """Yield every non-empty subset that leaves out at most so many sources, the smallest first; None for any number."""
    smallest = 1 if left_out is None else max(len(sources) - left_out, 1)
    for size in range(smallest, len(sources)):
        yield from itertools.combinations(sources, size)


@dataclass(frozen=True)
class Audit:
    """What one world showed: sellers, their sources, trials, tables changed, and the points of each gain."""

    sellers: int
    sources: tuple[str, ...]
    trials: int
    changed: int
    gains: tuple[int, ...]


def audit(desk: Desk, most_sellers: int, left_out: int | None) -> Audit:
    """Return how many sellers gain, over subsets of their sources."""
    coverage = desk.known[COVERAGE]
    sources_of: dict[str, set[str]] = {}
    for seller, source in sorted(own_sources(coverage)):
        sources_of.setdefault(seller, set()).add(source)
    full = desk.scores(desk.known, list(sources_of))
    chosen = [seller for seller in sorted(sources_of) if full[seller] is not None][:most_sellers]
    everything = sorted(set().union(*(sources_of[seller] for seller in chosen)))
    trials, changed, gains = 0, 0, []
    for given in subsets(everything, left_out):
        sellers = [one for one in chosen if set(given) & sources_of[one] and sources_of[one] - set(given)]
        if not sellers:
            continue
        trials += len(sellers)
        folder = delivered(desk.known, sellers, given)
        merged = with_known_history(desk.known, folder, set(sellers), set()).tables
        changed += sum(not merged[name].equals(desk.known[name]) for name in OWN_TABLES if name in merged)
        alone = desk.scores(new_to_the_lender(desk.known, folder, sellers), sellers)
        better = ((seller, alone[seller]) for seller in sellers)
        gains += [score - full[one] for one, score in better if score is not None and score > full[one]]
    return Audit(len(chosen), tuple(everything), trials, changed, tuple(gains))


def figures(found: Sequence[Audit], left_out: int | None) -> dict[str, Any]:
    """Return the figures of all worlds together."""
    gains, trials = [points for one in found for points in one.gains], sum(one.trials for one in found)
    return {
        "worlds": len(found),
        "sellers": sum(one.sellers for one in found),
        "sources": sorted(set().union(*(one.sources for one in found))),
        "trials": trials,
        "left_out_at_most": left_out,
        "known_history": {"tables_changed": sum(one.changed for one in found)},
        "new_to_the_lender": {
            "gains": len(gains),
            "share": round(len(gains) / trials, 4) if trials else 0.0,
            "points_median": float(np.median(gains)) if gains else 0.0,
            "points_most": max(gains, default=0),
        },
    }


def main() -> int:
    """Run the audit, write its JSON, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--profile", nargs="+", default=["small"])
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--sellers", type=int, default=MOST_SELLERS)
    parser.add_argument("--left-out", type=int, help="Sources left out at most (default: any number).")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    profiles, started = [load_profile(name) for name in options.profile], time.perf_counter()
    desks = (Desk(profile, Place(profile.name, options.artifacts)) for profile in profiles)
    found = figures([audit(desk, options.sellers, options.left_out) for desk in desks], options.left_out)
    document = {
        "benchmark": "withholding",
        "made_on": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": platform.machine(),
        "data": [f"{one.title} (synthetic)" if one.is_synthetic else one.title for one in profiles],
        **found,
        "seconds": round(time.perf_counter() - started),
        "meets_bars": found["known_history"]["tables_changed"] == 0,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=2) + "\n"
    (options.out / "withholding.json").write_text(text, encoding="utf-8")
    print(text)
    return 0 if document["meets_bars"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
