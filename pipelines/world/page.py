"""The pages about the synthetic world: what is simulated, how it compares with published figures, its limits."""

from __future__ import annotations

import inspect
import tomllib
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from pipelines.world.marginals import marginals
from simulator.economy.shocks import SHOCKS
from simulator.economy.simulation import simulate
from simulator.files.pool.all_tables import described_tables
from simulator.settings import WorldSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RESULT = "world_realism.json"
SHOWN = WorldSettings(seller_count=1_000, district_sellers=1_000)
_FURTHER = ("families", "oracle", "rates", "splits", "curve", "shuffle", "graph", "missing", "imputation", "as_of")
_SECTIONS = ("economy", "credit", "network", "fraud", "observation")
_HEAD = """# The synthetic world

Profile `demo` trains and scores on a **synthetic** world: all of its sellers are simulated. The world shows that the
pipeline works, and how methods differ when the truth is known. It is not an estimate of any market, so do not quote its
figures as market figures.

`make docs` writes this page from the simulator's code."""
_LIMITS = """## Limits

- The parameters are choices. They are tuned towards [bands](world_realism.md) that set how hard prediction should be.
  A met band does not make the world realistic.
- The published figures are proposals, examples and practice reports, not statistics of a population of sellers. We
  found no public panel of cross-border sellers with defaults to calibrate on.
- The dated shocks follow events that sellers remember; their sizes are invented.
- Do not use a model trained here to score a real seller.

## Reproduce

- `make world` writes the world of profile `demo`; `make world PROFILE=small` writes a small one.
- `make docs` updates this page.
- `python benchmarks/world_realism.py --out benchmarks/results` measures the bands again; it takes minutes per seed.
- `python benchmarks/world_speed.py --out benchmarks/results` measures time and memory.

The seeds and all parameters are settings of `[world]` in the profile."""


class PublishedFigure(BaseModel):
    """A figure of a world and what has been published about it.

    ``published`` is in words, ``lower`` and ``upper`` are in the figure's unit, and ``source`` names an entry of the
    list of sources.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    unit: str
    published: str = ""
    lower: float | None = None
    upper: float | None = None
    source: str | None = None


def published_figures() -> tuple[tuple[PublishedFigure, ...], dict[str, str]]:
    """Return the figures to show, in order, and the sources by name; raise ValueError for a source not listed."""
    values = tomllib.loads((resources.files(__package__) / "world_ranges.toml").read_text(encoding="utf-8"))
    figures = tuple(PublishedFigure.model_validate(entry) for entry in values["figure"])
    sources: dict[str, str] = values["source"]
    unknown = {figure.source for figure in figures if figure.source} - sources.keys()
    if unknown:
        raise ValueError(f"no such source: {', '.join(sorted(unknown))}")
    return figures, sources


def world_page() -> str:
    """Return the page about the world in Markdown."""
    return "\n\n".join([_HEAD, _simulated(), _shocks(), _pool(), _compared(), _LIMITS, _parameters()]) + "\n"


def realism_page(result: Mapping[str, Any]) -> str:
    """Return the page about a result of ``benchmarks/world_realism.py`` in Markdown."""
    return "\n\n".join([_measured(result), _bands(result), _rankings(result), _further(result)]) + "\n"


@lru_cache(maxsize=1)
def shown_marginals() -> Mapping[str, float]:
    """Return the figures of the page's fixed world; takes a second or two and writes nothing."""
    return marginals(simulate(SHOWN))


def _simulated() -> str:
    """Return the simulator's own description."""
    said = inspect.getdoc(simulate) or ""
    paragraph = next(part for part in said.split("\n\n") if part.startswith("What is simulated"))
    done, left_out = " ".join(paragraph.replace("``", "`").split()).split("What is not: ")
    items = "\n".join(
        f"- {_capital(item)}" for item in done.removeprefix("What is simulated: ").strip(". ").split("; ")
    )
    return (
        f"## What is simulated\n\n{items}\n\n"
        "Defaults are not drawn at random. A seller defaults on the first day on which an instalment is 90 days past "
        "due, after cash and overdraft are used up and no rescue has come.\n\n"
        f"## What is not simulated\n\n{_capital(left_out)}"
    )


def _shocks() -> str:
    rows = (
        (
            shock.name,
            shock.effect.replace("_", " "),
            f"{shock.first_day}",
            "to the end" if shock.last_day.year > SHOWN.last_day.year else f"{shock.last_day}",
            f"{shock.size:g}",
            ", ".join(shock.markets) or "all",
        )
        for shock in SHOCKS
    )
    return "## Dated shocks\n\n" + _table(("shock", "effect", "from", "to", "size", "markets"), rows)


def _pool() -> str:
    rows = ((f"`{name}`", how, _capital(text)) for name, how, text in described_tables())
    return (
        "## Tables of the credit data pool\n\n"
        "The pool's operator collects these tables from its members, about half of the sellers. Each table comes from "
        "some of them. Sellers of low quality or honesty join less often. Rows follow the simulated trade with noise, "
        "never the default itself. What members leave out or understate is in the truth folder "
        "(`truth/observation/unreported.csv`). A table that may stay empty for years comes seller by seller, "
        "so that a seller's name in a common file does not give away that rows will follow.\n\n"
        + _table(("table", "delivered", "rows"), rows)
    )


def _compared() -> str:
    figures, sources = published_figures()
    found = shown_marginals()
    rows = (_row(figure, found[figure.name]) for figure in figures if figure.name in found)
    listed = "\n".join(f"- `{name}`: {text}" for name, text in sources.items())
    return (
        "## Comparison with published figures\n\n"
        f"One synthetic world of {SHOWN.seller_count:,} sellers, seed {SHOWN.seed}, {SHOWN.first_day} to "
        f"{SHOWN.last_day}. An empty cell means that we found no published figure.\n\n"
        + _table(("figure (synthetic)", "unit", "simulated", "in range", "published", "source"), rows)
        + f"\n\nSources:\n\n{listed}"
    )


def _row(figure: PublishedFigure, value: float) -> tuple[str, ...]:
    inside = _inside(figure, value)
    return (figure.title, figure.unit, _number(value), inside, figure.published, figure.source or "")


def _inside(figure: PublishedFigure, value: float) -> str:
    if figure.lower is None or figure.upper is None:
        return ""
    return "yes" if figure.lower <= value <= figure.upper else "no"


def _measured(result: Mapping[str, Any]) -> str:
    machine, seeds = result["machine"], result["seeds"]
    return (
        "# How hard prediction is in the synthetic world\n\n"
        f"Means over {len(seeds)} **synthetic** worlds of {result['sellers']:,} sellers (seeds "
        f"{', '.join(map(str, seeds))}), measured on {result['measured_on']} with Python {machine['python']} on "
        f"{machine['processors']} processors ({machine['processor']}). Intervals are 95 % t-intervals over the worlds. "
        "The bands are targets of this project, not published norms.\n\n"
        f"`benchmarks/world_realism.py` writes `benchmarks/results/{RESULT}`; `make docs` writes this page from it. "
        "The code in `benchmarks/realism/` defines each figure."
    )


def _bands(result: Mapping[str, Any]) -> str:
    rows = ((band["name"], _limits(band), _value(band), _interval(band), band["verdict"]) for band in result["bands"])
    best = result["best_single_feature"]
    said = f"\n\nThe best single feature over all worlds is `{best}`." if best else ""
    return "## Bands\n\n" + _table(("measure (synthetic)", "band", "mean", "95 % interval", "verdict"), rows) + said


def _rankings(result: Mapping[str, Any]) -> str:
    """Return how often each order of the model families occurred, over seeds and under changed parameters."""
    parts = ["## Order of the model families"]
    for key, title in (("ranking_over_seeds", "Over seeds"), ("ranking_under_changes", "Under changed parameters")):
        if found := result[key]:
            rows = ((order, f"{share:.0%}") for order, share in found["share_of_worlds_by_order"].items())
            tau = found["kendall_tau_to_mean"]["mean"]
            parts.append(
                f"{title}: the mean Kendall tau to the order of the mean AUCs is {tau:.2f}.\n\n"
                + _table(("order by out-of-time AUC (synthetic)", "share of worlds"), rows)
            )
    changes = ", ".join(f"`{one['change']['parameter']}` x {one['change']['factor']:g}" for one in result["changes"])
    if changes:
        parts.append(f"Parameters changed one at a time, on seed {result['seeds'][0]}: {changes}.")
    return "\n\n".join(parts)


def _further(result: Mapping[str, Any]) -> str:
    """Return every figure of the measures about the whole world, by name."""
    chosen = {
        name: value
        for name, value in result["figures"].items()
        if name.split(".")[0] in _FURTHER and not name.startswith("families.single_features.")
    }
    rows = ((f"`{name}`", _value({"value": value["mean"]}), _ends(value)) for name, value in chosen.items())
    return "## All figures\n\n" + _table(("figure (synthetic)", "mean", "95 % interval"), rows)


def _ends(value: Mapping[str, Any]) -> str:
    return _interval({"interval": [value["lower"], value["upper"]]})


def _limits(band: Mapping[str, Any]) -> str:
    """Return the band of the mean, or of the end of the interval that is compared instead."""
    lower, upper = band["lower"], band["upper"]
    compared = "" if band["bound"] == "mean" else f"{band['bound']} end "
    if lower is None and upper is None:
        return ""
    if lower is None:
        return f"{compared}at most {upper:.4g}"
    return f"{compared}at least {lower:.4g}" if upper is None else f"{compared}{lower:.4g} to {upper:.4g}"


def _value(band: Mapping[str, Any]) -> str:
    return "" if band["value"] is None else _measure(band["value"])


def _interval(band: Mapping[str, Any]) -> str:
    interval = band["interval"]
    return "" if interval is None or None in interval else f"{_measure(interval[0])} to {_measure(interval[1])}"


def _measure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4f}"


def _parameters() -> str:
    parts = ["## Parameters"]
    for section in _SECTIONS:
        settings = getattr(SHOWN, section)
        said = (type(settings).__doc__ or "").split("\n\n")[0].strip()
        rows = (
            (f"`{section}.{name}`", _plain(getattr(settings, name)), field.description or _words(name))
            for name, field in type(settings).model_fields.items()
        )
        parts.append(f"### {section.capitalize()}\n\n{said}\n\n" + _table(("parameter", "value", "meaning"), rows))
    return "\n\n".join(parts)


def _plain(value: float) -> str:
    """Return a number without an exponent: ``0.00005``."""
    return f"{value:.8f}".rstrip("0").rstrip(".")


def _words(name: str) -> str:
    return f"{_capital(name.replace('_', ' '))}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _number(value: float) -> str:
    """Return two significant digits, so that a different last bit of the simulation does not show."""
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 10 else f"{rounded:g}"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines)
