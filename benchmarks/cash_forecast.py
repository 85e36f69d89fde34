"""How good the thirteen-week cash forecast is on synthetic worlds, whose later balances are known.

Each judged world is written, read through the pipeline's own ingest and forecast as of four dates. Peer figures come
from two other worlds; no parameter is fitted on a judged world. Judged are sellers that sold in the last 45 days, were
not closed and have a forecast. Figures are means over worlds with 95 % t-intervals:

- share of later balances within the 80 % interval (goal 0.75 to 0.85),
- pinball loss at 10, 50 and 90 %, over weekly sales, against seasonal-naive: the opening balance plus what the balance
  of the same seller moved in the same weeks a year before, with quantiles of its error in the other worlds (goal: at
  least 15 % lower); also against the opening balance alone with quantiles of its own, which is the harder baseline,
- area under the ROC curve of the probability of falling below the safety line within the weeks (goal at least 0.80).

How many forecasts a withheld source makes narrower is counted on one world and date. "Known" are sellers with a
balance from a source, "assumed" those without. Writes JSON; exit code 1 if a goal is missed.
With ``--measure`` it first measures the packaged peer figures anew.

    python benchmarks/cash_forecast.py --worlds artifacts/cash_worlds --out benchmarks/results
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
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fraud_rules import interval
from sklearn.metrics import roc_auc_score

from data_contracts.definition.compiler import table_contract
from data_contracts.mapping.currency import load_exchange_rates
from features.engine.as_of import AsOf
from features.engine.duckdb_engine import DuckDbEngine
from lending.cash_forecast.figures import SOURCES as FORECAST_SOURCES
from lending.cash_forecast.figures import load_tables, read_figures
from lending.cash_forecast.fitting import Example, drivers_for, measure_peers
from lending.cash_forecast.forecast import forecast_figures
from lending.cash_forecast.model import WIDENING_SOURCES, distribution
from lending.cash_forecast.peers import PeerFigures, packaged_peers
from lending.cash_forecast.settings import WEEKS, CashForecastSettings
from pipelines.ingest.stage import ingest_folder
from pipelines.profiles.ingest_settings import IngestSettings
from simulator.economy.simulation import simulate
from simulator.population.districts import districts
from simulator.settings import WorldSettings
from simulator.writing import write_world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lending.cash_forecast.figures import Figures

    Floats = NDArray[np.float64]

SOURCES = (
    "amazon_settlement_v2", "shein_report", "shein_statement", "lender_loans", "lender_repayments",
    "template_cash_balance", "camt053_statement", "china_bank_statement", "template_receivable",
    "template_purchase_order", "template_debt",
)  # fmt: skip
DEVELOPMENT: Final = {
    101: (70, 90, 115, 140, 160, 180, 205, 230, 255, 295),
    102: (80, 100, 125, 150, 170, 190, 215, 240, 265, 290),
}
WITHHELD: Final = (140, 205, 255)
JUDGED_SEEDS: Final = (1, 2, 3, 4, 5)
JUDGED_WEEKS: Final = (190, 225, 260, 299)
LEVELS: Final = (0.1, 0.5, 0.9)
LEAST_COVERED, MOST_COVERED, LEAST_GAIN, LEAST_AUC = 0.75, 0.85, 0.15, 0.80
_YEAR_DAYS: Final = 364
_RECORDED_AT = dt.datetime(2025, 1, 15, tzinfo=dt.UTC)
_KEY = b"benchmark key, not a secret: it only makes pseudonyms".ljust(32)
_PEERS_FILE = Path(__file__).resolve().parents[1] / "lending/cash_forecast/peers.json"


@dataclass(frozen=True)
class Dated:
    """A world as of a date: what was known with the later balances, and the balances of a year before."""

    example: Example
    year_before: Floats


@dataclass(frozen=True)
class Judged:
    """Forecasts of a date beside what came: one row a seller, amounts over weekly sales except the probability."""

    later: Floats
    forecast: Floats
    naive: Floats
    last: Floats
    is_known: NDArray[np.bool_]
    breach: Floats
    is_breached: NDArray[np.bool_]
    starts_above: NDArray[np.bool_]


def make_world(seed: int, sellers: int, folder: Path) -> None:
    """Write and read a world, and keep its tables with the true balances."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        settings = WorldSettings(seller_count=sellers, seed=seed)
        write_world(settings, Path(name))
        wanted = IngestSettings(layout="deliveries", recorded_at=_RECORDED_AT, sources=SOURCES)
        for table, rows in ingest_folder(Path(name) / "raw", wanted, _KEY).tables.items():
            pq.write_table(rows, folder / f"{table}.parquet")
    parts = [simulate(district.settings, district.first_seller) for district in districts(settings)]
    np.savez(
        folder / "truth.npz", cash=np.concatenate([part.cash for part in parts], axis=1),
        usd=parts[0].timeline.cny_per_usd,
        ids=np.concatenate([np.asarray(part.seller_ids().tolist()) for part in parts]),
        closed=np.concatenate([part.closed_week for part in parts]),
    )  # fmt: skip


def world_as_of(folder: Path, weeks: Sequence[int], dropped: str = "") -> list[Dated]:
    """Read the figures of a world as of the ends of some weeks, optionally without one table."""
    tables = {path.stem: pq.read_table(path) for path in folder.glob("*.parquet") if path.stem != dropped}
    covered = tables["source_coverage"]
    kept = pc.invert(pc.is_in(covered["covered_table"].cast(pa.string()), value_set=pa.array([dropped])))
    tables["source_coverage"] = covered.filter(kept)
    balances = tables.get("cash_balance", table_contract("cash_balance").arrow_schema.empty_table())
    truth = np.load(folder / "truth.npz")
    order = np.argsort(truth["ids"])
    ids = pa.array(truth["ids"][order].tolist(), pa.string())
    cash, closed = (truth["cash"] / truth["usd"][:, None])[:, order], truth["closed"][order]
    rates, settings, found = load_exchange_rates(), CashForecastSettings(), []
    for week in weeks:
        day = WorldSettings().first_day + dt.timedelta(days=7 * week + 6)
        with DuckDbEngine() as engine:
            load_tables(engine, tables, ids, AsOf(day), rates)
            figures = read_figures(engine, ids, 0, AsOf(day), settings)
        sells = np.zeros(len(ids), dtype=bool)
        sells[figures.channels.seller[figures.channels.last_sale >= -settings.stopped_after_days]] = True
        # Without platform statements only payouts at the bank show that a seller sells.
        is_judged = (closed > week) & (sells if dropped != "money_event" else ~np.isnan(figures.credited))
        later = np.where(is_judged[:, None], cash[week + 1 : week + 1 + WEEKS].T, np.nan)
        before = _year_before(AsOf(day).visible(balances), ids, day)
        found.append(Dated(Example(day, figures, later), before))
    return found


def _year_before(balances: pa.Table, ids: pa.Array[Any], day: dt.date) -> Floats:
    """Return by how much each balance moved in the weeks a year before, NaN where no balances show it."""
    found = np.full((len(ids), WEEKS), np.nan)
    sellers = pc.index_in(balances["seller_id"].cast(pa.string()), value_set=ids).to_numpy()
    days = balances["event_date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    usd = balances["balance_usd"].cast(pa.float64()).to_numpy()
    start = int(np.datetime64(day, "D").astype(np.int64)) - _YEAR_DAYS
    for seller in np.unique(sellers):
        rows = np.flatnonzero(sellers == seller)
        rows = rows[np.argsort(days[rows], kind="stable")]
        if days[rows[0]] <= start:
            path = np.interp(start + 7 * np.arange(WEEKS + 1), days[rows], usd[rows])
            found[seller] = path[1:] - path[0]
    return found


def naive_middles(dated: Dated, peers: PeerFigures) -> dict[str, tuple[Floats, Floats]]:
    """Return the middles of both baselines and their errors, over weekly sales, for the judged sellers."""
    drivers = drivers_for(dated.example.figures, dated.example.day, peers, CashForecastSettings())
    last = np.broadcast_to(drivers.opening[:, None], dated.example.later.shape)
    moved = np.where(drivers.is_known[:, None], np.nan_to_num(dated.year_before), 0.0)
    unit, use = drivers.scale[:, None], _is_judged(dated, drivers.scale)
    return {
        name: ((middle / unit)[use], ((dated.example.later - middle) / unit)[use])
        for name, middle in (("naive", last + moved), ("last", last))
    }


def _is_judged(dated: Dated, scale: Floats) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = ~np.isnan(scale) & ~np.isnan(dated.example.later).any(axis=1)
    return found


def baseline_errors(development: Sequence[Dated], peers: PeerFigures) -> dict[tuple[str, bool], Floats]:
    """Return the quantiles of each baseline's error, for known and assumed balances, shape (weeks, levels)."""
    errors: dict[tuple[str, bool], list[Floats]] = {}
    for dated in development:
        known = _known(dated, peers)
        for name, (_, error) in naive_middles(dated, peers).items():
            for kind in (True, False):
                errors.setdefault((name, kind), []).append(error[known == kind])
    return {key: np.quantile(np.concatenate(rows), LEVELS, axis=0).T for key, rows in errors.items()}


def _known(dated: Dated, peers: PeerFigures) -> NDArray[np.bool_]:
    drivers = drivers_for(dated.example.figures, dated.example.day, peers, CashForecastSettings())
    return drivers.is_known[_is_judged(dated, drivers.scale)]


def judge(dated: Dated, peers: PeerFigures, errors: dict[tuple[str, bool], Floats]) -> Judged:
    """Return the forecasts of a date beside what came."""
    settings, figures = CashForecastSettings(), dated.example.figures
    drivers = drivers_for(figures, dated.example.day, peers, settings)
    found = distribution(drivers, {name: figures.has(name) for name in WIDENING_SOURCES}, peers)
    summary = forecast_figures(figures, dated.example.day, peers, settings).sellers
    use, unit = _is_judged(dated, drivers.scale), drivers.scale[:, None]
    line = summary["safety_line_usd"].to_numpy()
    known = drivers.is_known[use]
    baselines = {
        name: middle[..., None] + np.where(known[:, None, None], errors[name, True], errors[name, False])
        for name, (middle, _) in naive_middles(dated, peers).items()
    }
    quantiles = np.stack([found.low(), found.median(), found.high()], axis=2) / unit[..., None]
    return Judged(
        later=(dated.example.later / unit)[use], forecast=quantiles[use], naive=baselines["naive"],
        last=baselines["last"], is_known=known, breach=found.below(line).max(axis=1)[use],
        is_breached=(dated.example.later.min(axis=1) < line)[use], starts_above=(drivers.opening >= line)[use] & known,
    )  # fmt: skip


def pinball(later: Floats, quantiles: Floats) -> Floats:
    """Return the pinball loss of each seller, mean over weeks and levels."""
    error = later[..., None] - quantiles
    levels = np.asarray(LEVELS)
    return np.asarray(np.maximum(levels * error, (levels - 1) * error).mean(axis=(1, 2)))


def measures(judged: Sequence[Judged]) -> dict[str, float]:
    """Return the measures of a world over all its dates."""

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(each, name) for each in judged])

    later, forecast, known = joined("later"), joined("forecast"), joined("is_known")
    inside = (later >= forecast[..., 0]) & (later <= forecast[..., 2])
    losses = {name: pinball(later, joined(name)) for name in ("forecast", "naive", "last")}
    breach, truth, above = joined("breach"), joined("is_breached"), joined("starts_above")
    found = {"sellers_and_dates": float(len(later)), "breached": float(truth.mean())}
    for name, rows in (("all", np.ones(len(later), dtype=bool)), ("known", known), ("assumed", ~known)):
        own = losses["forecast"][rows].mean()
        found |= {
            f"coverage, {name}": float(inside[rows].mean()),
            f"coverage in week 13, {name}": float(inside[rows, -1].mean()),
            f"gain on seasonal-naive, {name}": float(1 - own / losses["naive"][rows].mean()),
            f"gain on the last balance, {name}": float(1 - own / losses["last"][rows].mean()),
            f"auc of breach, {name}": float(roc_auc_score(truth[rows], breach[rows])),
        }
    found["auc of breach, known and above the line"] = float(roc_auc_score(truth[above], breach[above]))
    return found


def narrowed(folder: Path, week: int, peers: PeerFigures) -> dict[str, dict[str, int]]:
    """Return, for each source withheld from all sellers that have it, how many forecasts became narrower in a week."""
    settings = CashForecastSettings()

    def widths(dropped: str) -> tuple[Floats, Figures]:
        (dated,) = world_as_of(folder, (week,), dropped)
        figures = dated.example.figures
        drivers = drivers_for(figures, dated.example.day, peers, settings)
        found = distribution(drivers, {name: figures.has(name) for name in WIDENING_SOURCES}, peers)
        return found.high() - found.low(), figures

    full, figures = widths("")
    counts = {}
    for source in FORECAST_SOURCES:
        without, _ = widths(source)
        compared = figures.has(source) & ~np.isnan(full).any(axis=1) & ~np.isnan(without).any(axis=1)
        is_narrower = (without < full * (1 - 1e-9)).any(axis=1)
        counts[source] = {"forecasts": int(compared.sum()), "narrower": int((compared & is_narrower).sum())}
    return counts


def summary(worlds: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Return the measures over worlds with intervals, and whether the goals are met."""
    found = {name: interval([world[name] for world in worlds]) for name in worlds[0]}
    goals: dict[str, bool] = {}
    for name in ("all", "known", "assumed"):
        goals |= {
            f"coverage, {name}": LEAST_COVERED <= found[f"coverage, {name}"]["mean"] <= MOST_COVERED,
            f"gain on seasonal-naive, {name}": found[f"gain on seasonal-naive, {name}"]["mean"] >= LEAST_GAIN,
            f"auc of breach, {name}": found[f"auc of breach, {name}"]["mean"] >= LEAST_AUC,
        }
    return {"measures": found, "goals": goals, "meets_goals": all(goals.values())}


def main() -> int:
    """Run the worlds and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sellers", type=int, default=1000)
    parser.add_argument("--worlds", type=Path, default=Path("artifacts/cash_worlds"), help="kept between runs")
    parser.add_argument("--measure", action="store_true", help="measure the packaged peer figures anew")
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    options = parser.parse_args()
    for seed in (*DEVELOPMENT, *JUDGED_SEEDS):
        if not (options.worlds / str(seed)).exists():
            make_world(seed, options.sellers, options.worlds / str(seed))
    development = [
        each for seed, weeks in DEVELOPMENT.items() for each in world_as_of(options.worlds / str(seed), weeks)
    ]
    if options.measure:
        without = world_as_of(options.worlds / str(next(iter(DEVELOPMENT))), WITHHELD, "money_event")
        words = f"synthetic worlds of seeds {', '.join(map(str, DEVELOPMENT))}, {options.sellers} sellers each"
        examples, withheld = ([each.example for each in part] for part in (development, without))
        measured = measure_peers(examples, withheld, CashForecastSettings(), words)
        _PEERS_FILE.write_text(measured.model_dump_json(indent=1) + "\n", encoding="utf-8")
    peers = packaged_peers()
    errors = baseline_errors(development, peers)
    worlds = []
    for seed in JUDGED_SEEDS:
        dates = world_as_of(options.worlds / str(seed), JUDGED_WEEKS)
        worlds.append(measures([judge(each, peers, errors) for each in dates]))
        print(f"seed {seed}: {worlds[-1]}", flush=True)
    report = {
        "benchmark": "cash_forecast", "made_on": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "machine": platform.machine(), "data": "synthetic worlds", "sellers_a_world": options.sellers,
        "seeds": list(JUDGED_SEEDS), "dates_a_world": len(JUDGED_WEEKS), "peers_measured_on": peers.measured_on,
        **summary(worlds),
        "narrower_without_source": narrowed(options.worlds / str(JUDGED_SEEDS[0]), JUDGED_WEEKS[0], peers),
    }  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "cash_forecast.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report["goals"], indent=2))
    return 0 if report["meets_goals"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
