"""What each cheap lie gains: points of the score alone, and what is left where a named code sends the row to a person.

A sample of sellers tells each lie. Their features are built again from the falsified tables; those of related parties
stay, because a lie changes no other seller. Intervals come from drawing the sellers again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from data_contracts.progress import SILENT, counted
from features.build import build_features
from features.catalogue import select_features
from features.engine.as_of import AsOf
from features.integrity.flags import integrity_flags
from features.reconciliation.plausibility import (
    CONTRADICTION,
    UNDELIVERED,
    UNDELIVERED_FEATURE,
    contradicted,
    implausible,
)
from features.record import GraphFeature
from models.evaluation.rates import jeffreys_interval
from pipelines.explain.lies import LIES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from data_contracts.arrow import Values
    from data_contracts.progress import Progress
    from features.catalogue import FeatureSet
    from models.components.encoding import FloatArray
    from models.components.model import CreditModel
    from models.evaluation.estimates import IntArray
    from pipelines.explain.lies import Tables

HONEST: Final = "honest"
_SELLER: Final = "seller_id"
# What no feature and no check reads. Every seller is copied once for each lie, so texts count.
_UNREAD: Final = frozenset(
    ("event_id", "raw_type", "raw_subtype", "recorded_at", "superseded_recorded_at", "source_file", "source_sha256")
)


class LieSettings(BaseModel):
    """How many sellers tell each lie, how many are judged together, how often they are drawn again, and the seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sellers: int = Field(default=100, ge=1)
    together: int = Field(default=100, ge=1)
    draws: int = Field(default=1000, ge=1)
    seed: int = 20_265


@dataclass(frozen=True)
class Liars:
    """The sellers that lie: their tables, and their honest features (n, p) as of a date, in the model's order."""

    model: CreditModel
    feature_set: FeatureSet
    as_of: dt.date
    sellers: tuple[str, ...]
    tables: Tables
    X: FloatArray

    def part(self, start: int, end: int, told: Mapping[str, Tables]) -> tuple[Liars, dict[str, Tables]]:
        """Return some of the sellers, with the tables of each lie cut down to them."""
        sellers = self.sellers[start:end]
        wanted = pa.array(sellers, pa.string())

        def cut(tables: Tables) -> dict[str, pa.Table]:
            return {name: _of_sellers(table, wanted) for name, table in tables.items()}

        part = replace(self, sellers=sellers, tables=cut(self.tables), X=self.X[start:end])
        return part, {lie: cut(tables) for lie, tables in told.items()}


def liars_of(model: CreditModel, feature_set: FeatureSet, tables: Tables, matrix: pa.Table, most: LieSettings) -> Liars:
    """Draw sellers that can be scored as of the last date of the matrix, and cut the tables down to their rows."""
    last = pc.max(matrix["as_of"]).as_py()
    rows = matrix.filter(pc.equal(matrix["as_of"], pa.scalar(last, pa.date32())))
    X = np.column_stack([rows[name].to_numpy() for name in model.feature_names]).astype(np.float64)
    scorable = np.flatnonzero(~model.missing_required(X) & np.isfinite(X).any(axis=1))
    drawn = np.random.default_rng(most.seed).permutation(scorable)[: most.sellers]
    chosen = np.sort(drawn)
    sellers = tuple(map(str, rows[_SELLER].take(pa.array(chosen)).to_pylist()))
    wanted = pa.array(sellers, pa.string())
    of_sellers = {name: _of_sellers(table, wanted) for name, table in tables.items() if _SELLER in table.column_names}
    return Liars(model, feature_set, last, sellers, of_sellers, X[chosen])


def _of_sellers(table: pa.Table, sellers: pa.Array[Any]) -> pa.Table:
    mask: Values = pc.is_in(table[_SELLER].cast(pa.string()), value_set=sellers)
    return table.select([name for name in table.column_names if name not in _UNREAD]).filter(mask)


def lie_table(liars: Liars, settings: LieSettings, progress: Progress = SILENT) -> dict[str, Any] | None:
    """Return the document of all lies that change anything; None if there is nobody to lie, or nothing to lie about."""
    told = {name: lie(liars.tables) for name, lie in LIES.items()}
    told = {name: tables for name, tables in told.items() if _differs(liars, tables)}
    if not liars.sellers or not told:
        return None
    features, codes = judged(liars, {HONEST: liars.tables, **told}, settings.together, progress)
    before = _points(liars, liars.X)
    generator = np.random.default_rng(settings.seed)
    draws = generator.integers(0, len(liars.sellers), (settings.draws, len(liars.sellers)))
    gains = {name: _points(liars, features[name]) - before for name in told}
    return {
        "as_of": liars.as_of.isoformat(),
        "sellers": len(liars.sellers),
        "honest": {"flagged": _share(codes[HONEST]), "codes": _counted(codes[HONEST])},
        "lies": [{"lie": name, **_line(gains[name], codes[name], codes[HONEST], draws)} for name in told],
    }


def judged(
    liars: Liars, told: Mapping[str, Tables], together: int, progress: Progress = SILENT
) -> tuple[dict[str, FloatArray], dict[str, list[frozenset[str]]]]:
    """Return the features (n, p) and the codes of each seller under each lie, so many sellers at a time."""
    starts = range(0, len(liars.sellers), together)
    parts = [
        _judged_together(*liars.part(start, start + together, told))
        for start in counted(starts, "parts of the sample judged", len(starts), progress)
    ]
    return (
        {lie: np.concatenate([features[lie] for features, _ in parts]) for lie in told},
        {lie: [row for _, codes in parts for row in codes[lie]] for lie in told},
    )


def _judged_together(
    liars: Liars, told: Mapping[str, Tables]
) -> tuple[dict[str, FloatArray], dict[str, list[frozenset[str]]]]:
    """Return the features and codes under each lie, with every seller copied once for each lie.

    All copies are judged at once: most of the time is spent on preparing the queries. The features of related parties
    are the honest ones.
    """
    names = [_copy(seller, lie) for lie in told for seller in liars.sellers]
    tables = {
        table: pa.concat_tables([_renamed(told[lie][table], lie) for lie in told]).unify_dictionaries()
        for table in liars.tables
    }
    own = [record.name for record in liars.feature_set.records if not isinstance(record, GraphFeature)]
    asked = pa.table({_SELLER: pa.array(names), "as_of": pa.array([liars.as_of] * len(names), pa.date32())})
    chosen = select_features(liars.feature_set.name, liars.feature_set.version, own)
    built = build_features(tables, asked, chosen).table
    place = pc.index_in(pa.array(names, pa.string()), value_set=built[_SELLER].combine_chunks())
    X = np.tile(liars.X, (len(told), 1))
    for index, name in enumerate(liars.model.feature_names):
        if name in own:
            X[:, index] = built[name].take(place).to_numpy()
    codes, count = _codes(liars, tables, names, X), len(liars.sellers)
    return (
        {lie: X[number * count : (number + 1) * count] for number, lie in enumerate(told)},
        {lie: codes[number * count : (number + 1) * count] for number, lie in enumerate(told)},
    )


def _copy(seller: str, lie: str) -> str:
    return f"{seller} {lie}"


def _renamed(table: pa.Table, lie: str) -> pa.Table:
    """Return rows of sellers under the names of their copies that tell a lie."""
    join: Values = pc.binary_join_element_wise
    names = join(table[_SELLER].cast(pa.string()), lie, " ")
    return table.set_column(table.column_names.index(_SELLER), _SELLER, names)


def _differs(liars: Liars, falsified: Tables) -> bool:
    return any(not falsified[name].equals(table) for name, table in liars.tables.items())


def _points(liars: Liars, X: FloatArray) -> FloatArray:
    """Return the issued scores (n,); a row that may not be scored any more has gained nothing."""
    log_odds = liars.model.log_odds(X)
    honest = liars.model.log_odds(liars.X)
    return liars.model.scale.score(np.where(np.isfinite(log_odds), log_odds, honest)).astype(np.float64)


def _codes(liars: Liars, tables: Tables, sellers: Sequence[str], X: FloatArray) -> list[frozenset[str]]:
    """Return the codes of each seller that send its row to a person."""
    day, names = liars.as_of, liars.model.feature_names
    ledger = implausible(tables, {day: sellers})
    # The copies of a seller share every document, so the rules that compare sellers cannot be asked.
    flags = integrity_flags(tables, {day: sellers}, across_sellers=False)
    against = contradicted(tables, AsOf(day), sellers)
    found = [
        {
            *ledger.get((seller, day), ()),
            *flags.get((seller, day), ()),
            *({CONTRADICTION} if seller in against else ()),
        }
        for seller in sellers
    ]
    if UNDELIVERED_FEATURE in names:
        for row in np.flatnonzero(X[:, names.index(UNDELIVERED_FEATURE)] > 0):
            found[row].add(UNDELIVERED)
    return [frozenset(codes) for codes in found]


def _line(
    gain: FloatArray, codes: Sequence[frozenset[str]], honest: Sequence[frozenset[str]], draws: IntArray
) -> dict[str, Any]:
    """Return the gain before and after the checks, and who is flagged by a code that the honest row does not have.

    A row with any code goes to a person, so what it gained is not kept.
    """
    found = [lied - told for lied, told in zip(codes, honest, strict=True)]
    kept = np.where([bool(row) for row in codes], 0.0, gain)
    return {
        **{
            when: {"mean": _mean(points, draws), "largest": float(points.max()), "gaining": float((points > 0).mean())}
            for when, points in (("before", gain), ("after", kept))
        },
        "flagged": _share(found),
        "codes": _counted(found),
    }


def _counted(codes: Sequence[frozenset[str]]) -> dict[str, int]:
    return dict(sorted(Counter(code for row in codes for code in row).items()))


def _mean(values: FloatArray, draws: IntArray) -> dict[str, float]:
    lower, upper = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return {"value": float(values.mean()), "lower": float(lower), "upper": float(upper)}


def _share(codes: Sequence[frozenset[str]]) -> dict[str, float]:
    """Return the share of rows that have a code, with its interval."""
    count = sum(map(bool, codes))
    lower, upper = jeffreys_interval(count, len(codes))
    return {"value": count / len(codes), "lower": lower, "upper": upper}
