"""Early warning on open loans: lead time before default, alerts a month, lift over lateness, events found and missed.

Each synthetic world is written, read through the pipeline's own ingest and looked at every two weeks from 2021 on with
the packaged rules, as the stage ``watch`` does. An alert counts once for each loan, rule and episode. The lead of a
default is counted from the first severe alert on a loan of the seller in the half-year before it, so that an alert long
before is no merit; a default without one has a lead of zero. A diverter is a loan whose money the truth tables say was
drawn from the business. An event is found if an alert of a rule made for its kind was opened in the half-year after it.
The thresholds were set on a world of their own, which is not judged. Intervals: 95 %, t over worlds.

    python benchmarks/watching/early_warning.py --out artifacts/benchmarks

Writes JSON; exit code 1 if a goal is missed. With ``--keep DIR`` the measures of each world are kept, so that a second
run only judges.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow.csv as pa_csv
from scipy import stats

from features.build import build_features
from features.catalogue import load_feature_set
from features.delinquency import DEFAULT_DAYS_PAST_DUE
from features.engine.as_of import AsOf
from features.loan_book import loan_book
from features.observations import open_loan_observations
from pipelines.ingest.stage import ingest_folder
from pipelines.profiles.ingest_settings import IngestSettings
from pipelines.watch.policy import DAYS_PAST_DUE, DAYS_SINCE_PAYOUT, FEATURE_SET, LOAN_MEASURES, load_watch_policy
from pipelines.watch.rules import HOLDS, rule_verdicts
from simulator.settings import WorldSettings
from simulator.writing import write_world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipelines.watch.policy import WatchPolicy

LAST_DAY: Final = dt.date(2024, 12, 29)
FIRST_DAY: Final = dt.date(2021, 1, 1)
FIRST_BUILT: Final = dt.date(2020, 10, 1)
HORIZON_DAYS: Final = 182
MONTH_DAYS: Final = 30.44
GOALS: Final = {"median_lead_weeks": 8.0, "severe_per_100_loans_and_month": 5.0}
DIVERTED: Final = "loan_diverted"
# Rules that were made for a kind of event in the truth tables; the other kinds leave no trace that a rule looks for.
MADE_FOR: Final = {
    "suspension": ("account_health", "sales_drop", "payout_missing", "reserve_rise"),
    "delisting": ("account_health", "sales_drop", "payout_missing"),
    "claim": ("refunds", "stock_pile_up", "sales_drop"),
    "faulty batch": ("refunds", "chargebacks", "sales_drop"),
    "supplier failure": ("sales_drop", "loan_not_in_goods"),
    "outside loss": ("debts_overdue", "repayment_late", "covenant_cash_cover"),
    "loan_diverted": ("loan_not_in_goods", "sales_diverted"),
    "double_pledge": ("pledged_twice",),
    "brushing": ("surge_before_draw", "sales_diverted"),
    "withheld_source": ("consent_withdrawn",),
    "guarantee call": ("related_default",),
}
_KEY: Final = b"benchmark key, not a secret: it only makes pseudonyms".ljust(32)
_RECORDED_AT: Final = dt.datetime(2025, 1, 15, tzinfo=dt.UTC)


@dataclass(frozen=True)
class WorldOfLoans:
    """Measures and truth of a world: a row for each open loan and date, and the alerts of each rule and level."""

    rows: pd.DataFrame
    alerts: pd.DataFrame
    truth: Path


def measures_of(seed: int, sellers: int, folder: Path) -> None:
    """Write a world, read it, and keep the loan book and the features of its sellers on every date."""
    if (folder / "books.parquet").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        raw = Path(name)
        write_world(WorldSettings(seller_count=sellers, seed=seed), raw)
        tables = ingest_folder(raw / "raw", IngestSettings(layout="deliveries", recorded_at=_RECORDED_AT), _KEY).tables
        (raw / "truth").rename(folder / "truth")
    steps = range((LAST_DAY - FIRST_BUILT).days // load_watch_policy().step_days + 1)
    days = [LAST_DAY - dt.timedelta(days=load_watch_policy().step_days * step) for step in steps]
    observed = open_loan_observations(tables["loan"], tables["repayment"], days)
    build_features(tables, observed, load_feature_set(FEATURE_SET)).table.to_pandas().to_parquet(
        folder / "watch.parquet"
    )
    books = [loan_book(tables["loan"], tables["repayment"], AsOf(day)).to_pandas().assign(as_of=day) for day in days]
    pd.concat(books).to_parquet(folder / "books.parquet")


def world_of(folder: Path, policy: WatchPolicy) -> WorldOfLoans:
    """Judge every loan on every date by every rule; loans in default, and sellers after theirs, are left out."""
    rows = pd.read_parquet(folder / "books.parquet").assign(as_of=lambda one: pd.to_datetime(one["as_of"]))
    sellers = truth_of(folder / "truth", "sellers").set_index("seller_id")
    rows["default"] = rows["seller_id"].map(pd.to_datetime(sellers["default_date"]))
    is_alive = rows["default"].isna() | (rows["default"] > rows["as_of"])
    rows = rows[is_alive & (rows["days_past_due"] < DEFAULT_DAYS_PAST_DUE)].reset_index(drop=True)
    features = pd.read_parquet(folder / "watch.parquet").assign(as_of=lambda one: pd.to_datetime(one["as_of"]))
    earlier = features.assign(as_of=features["as_of"] + pd.Timedelta(days=policy.change_days))
    now, before = (_values(rows, one) for one in (features, earlier))
    now[DAYS_PAST_DUE] = rows["days_past_due"].to_numpy(np.float64)
    now[DAYS_SINCE_PAYOUT] = (rows["as_of"] - pd.to_datetime(rows["paid_out_on"])).dt.days.to_numpy(np.float64)
    before |= {name: np.full(len(rows), np.nan) for name in LOAN_MEASURES}
    is_judged = (rows["as_of"] >= pd.Timestamp(FIRST_DAY)).to_numpy()
    found = [
        opened(rows, (held == HOLDS) & is_judged, policy.quiet_days).assign(rule=rule.id, severity=severity)
        for rule in policy.all_rules
        for severity, held in rule_verdicts(rule, now, before).items()
    ]
    return WorldOfLoans(rows[is_judged], pd.concat(found), folder / "truth")


def truth_of(folder: Path, name: str) -> pd.DataFrame:
    """Return a truth table."""
    table: pd.DataFrame = pa_csv.read_csv(folder / f"{name}.csv").to_pandas()
    return table


def _values(rows: pd.DataFrame, features: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    joined = rows[["seller_id", "as_of"]].merge(features, on=["seller_id", "as_of"], how="left")
    return {name: joined[name].to_numpy(np.float64) for name in load_feature_set(FEATURE_SET).names}


def opened(rows: pd.DataFrame, holds: NDArray[np.bool_], quiet_days: int) -> pd.DataFrame:
    """Return the rows on which an alert is opened: the first of each loan's episodes."""
    held = rows.loc[holds, ["loan_id", "seller_id", "as_of", "default"]].sort_values(["loan_id", "as_of"])
    is_other = held["loan_id"] != held["loan_id"].shift()
    return held[is_other | ((held["as_of"] - held["as_of"].shift()).dt.days >= quiet_days)]


def _before_default(alerts: pd.DataFrame) -> pd.Series[bool]:
    return (alerts["default"] - alerts["as_of"]).dt.days <= HORIZON_DAYS


def lead_of(world: WorldOfLoans) -> dict[str, float]:
    """Return how long before default the first severe alert of the last half-year was opened, and how many alerts."""
    rows, severe = world.rows, world.alerts[world.alerts["severity"] == "severe"]
    near = rows[(rows["default"] - rows["as_of"]).dt.days <= HORIZON_DAYS]
    defaulted = near["seller_id"].unique()
    found = severe[_before_default(severe)]
    days = (found["default"] - found["as_of"]).dt.days.groupby(found["seller_id"]).max()
    lead = days.reindex(defaulted).fillna(0.0)
    months = len(rows) * load_watch_policy().step_days / MONTH_DAYS
    return {
        "defaults": float(len(defaulted)),
        "defaults_with_a_severe_alert": float((lead > 0).mean()),
        "median_lead_weeks": float(lead.median() / 7),
        "share_with_eight_weeks": float((lead >= 56).mean()),
        "severe_per_100_loans_and_month": 100 * len(severe) / months,
        "all_per_100_loans_and_month": 100 * len(world.alerts[world.alerts["severity"] == "watch"]) / months,
        "loan_months": months,
    }


def lift_of(world: WorldOfLoans, policy: WatchPolicy) -> dict[str, float]:
    """Return how much more often default follows a severe alert than the first day past due."""
    severe = world.alerts[world.alerts["severity"] == "severe"]
    late = opened(world.rows, (world.rows["days_past_due"] > 0).to_numpy(), policy.quiet_days)
    precision, of_late = float(_before_default(severe).mean()), float(_before_default(late).mean())
    return {"precision": precision, "precision_of_late": of_late, "lift": precision / of_late}


def diverters_of(world: WorldOfLoans) -> dict[str, float]:
    """Return precision and recall of the rules made for diverters, by loan."""
    lies = truth_of(world.truth, "lies")
    cases = {str(loan) for loan in lies[lies["kind"] == DIVERTED]["reference"]}
    watched = cases & set(world.rows["loan_id"])
    named = set(world.alerts[world.alerts["rule"].isin(MADE_FOR[DIVERTED])]["loan_id"])
    return {
        "diverters": float(len(watched)),
        "found": float(len(watched & named)),
        "named": float(len(named)),
        "share_of_loans_named": len(named) / world.rows["loan_id"].nunique(),
    }


def events_of(world: WorldOfLoans) -> pd.DataFrame:
    """Return the events of sellers with an open loan that was watched on the day, with their kinds."""
    incidents = truth_of(world.truth, "incidents").rename(columns={"seller": "seller_id", "week_start": "day"})
    lies = truth_of(world.truth, "lies").rename(columns={"from": "day"})
    calls = truth_of(world.truth, "guarantee_calls").rename(columns={"guarantor": "seller_id", "week_start": "day"})
    parts = [incidents, lies, calls.assign(kind="guarantee call")]
    events = pd.concat([one[["seller_id", "day", "kind"]] for one in parts])
    events = events.assign(day=pd.to_datetime(events["day"])).dropna()
    events = events[events["day"] >= pd.Timestamp(FIRST_DAY)].reset_index(names="event")
    events["event"] = np.arange(len(events))
    joined = events.merge(world.rows[["seller_id", "as_of"]].drop_duplicates(), on="seller_id")
    days = (joined["as_of"] - joined["day"]).dt.days
    return events[events["event"].isin(joined[(days >= 0) & (days <= HORIZON_DAYS)]["event"])]


def found_by_kind(world: WorldOfLoans) -> dict[str, dict[str, float]]:
    """Return, by kind of event, how many there were, how many a rule made for it found, and how many by chance.

    By chance: alerts of the same rules in the half-year that ends a year before the event.
    """
    events, found = events_of(world), {}
    for kind, own in events.groupby("kind"):
        alerts = world.alerts[world.alerts["rule"].isin(MADE_FOR.get(str(kind), ()))]
        joined = own.merge(alerts[["seller_id", "as_of"]], on="seller_id")
        days = (joined["as_of"] - joined["day"]).dt.days
        after = joined[(days >= 0) & (days <= HORIZON_DAYS)]["event"].nunique()
        earlier = joined[(days >= -365 - HORIZON_DAYS) & (days <= -365)]["event"].nunique()
        found[str(kind)] = {"events": float(len(own)), "found": float(after), "a_year_before": float(earlier)}
    return found


def interval(values: Sequence[float]) -> dict[str, float]:
    """Return the mean with a 95 % t-interval."""
    mean = float(np.mean(values))
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return {"mean": mean, "low": mean - half, "high": mean + half}


def summary(worlds: Sequence[WorldOfLoans], policy: WatchPolicy) -> dict[str, Any]:
    """Return all figures with intervals over worlds, and which goals are met."""
    leads = [lead_of(world) for world in worlds]
    lifts = [lift_of(world, policy) for world in worlds]
    diverters = [diverters_of(world) for world in worlds]
    total = {name: sum(one[name] for one in diverters) for name in ("diverters", "found", "named")}
    lead = {name: interval([one[name] for one in leads]) for name in leads[0]}
    met = {
        "median_lead_weeks": lead["median_lead_weeks"]["mean"] >= GOALS["median_lead_weeks"],
        "severe_per_100_loans_and_month": lead["severe_per_100_loans_and_month"]["mean"]
        <= GOALS["severe_per_100_loans_and_month"],
    }
    return {
        "lead": lead,
        "lift": {name: interval([one[name] for one in lifts]) for name in lifts[0]},
        "diverters": {
            **total,
            "recall": total["found"] / total["diverters"] if total["diverters"] else None,
            "precision": total["found"] / total["named"] if total["named"] else None,
            "share_of_loans_named": interval([one["share_of_loans_named"] for one in diverters]),
        },
        "events": _events(worlds),
        "rules": _rules(worlds, policy),
        "goals": GOALS,
        "met": met,
    }


def _events(worlds: Sequence[WorldOfLoans]) -> dict[str, dict[str, Any]]:
    found = [found_by_kind(world) for world in worlds]
    kinds = sorted({kind for one in found for kind in one})
    names = ("events", "found", "a_year_before")
    sums = {kind: {name: sum(one.get(kind, {}).get(name, 0.0) for one in found) for name in names} for kind in kinds}
    return {
        kind: {**each, "missed": each["events"] - each["found"], "rules": MADE_FOR.get(kind, ())}
        for kind, each in sums.items()
    }


def _rules(worlds: Sequence[WorldOfLoans], policy: WatchPolicy) -> dict[str, dict[str, float]]:
    """Return, by rule and severity, alerts for 100 loans and month, and how often default followed in half a year."""
    alerts = pd.concat([world.alerts for world in worlds])
    months = sum(len(world.rows) for world in worlds) * policy.step_days / MONTH_DAYS
    grouped = alerts.assign(near=_before_default(alerts)).groupby(["rule", "severity"])["near"]
    return {
        f"{rule} {severity}": {"per_100_loans_and_month": 100 * len(near) / months, "precision": float(near.mean())}
        for (rule, severity), near in grouped
    }


def main() -> int:
    """Judge the worlds and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="911,912,913,914,915")
    parser.add_argument("--sellers", type=int, default=1_000)
    parser.add_argument("--keep", type=Path, help="folder that keeps the measures of each world")
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    options = parser.parse_args()
    policy, seeds = load_watch_policy(), [int(text) for text in options.seeds.split(",")]
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        for seed in seeds:
            measures_of(seed, options.sellers, folder / str(seed))
            print(f"seed {seed}: measured", flush=True)
        worlds = [world_of(folder / str(seed), policy) for seed in seeds]
        found = summary(worlds, policy)
    report = {
        "benchmark": "early_warning",
        "made_on": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "machine": platform.machine(),
        "data": "synthetic worlds",
        "seeds": seeds,
        "sellers_a_world": options.sellers,
        "thresholds_from": policy.thresholds_from,
        "policy_version": policy.version,
        **found,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "early_warning.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({name: report[name] for name in ("lead", "lift", "diverters", "met")}, indent=2))
    return 0 if all(found["met"].values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
