"""What relations between sellers add: all graph features, none, those of a rewired graph, and a deliberate leak."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from features.build import build_features
from features.catalogue import select_features
from features.engine.as_of import AsOf
from features.graph.edges import GraphSettings, party_graph
from features.record import GraphFeature
from models.components.encoding import FeatureFacts
from realism.fits import booster_auc, with_values, without_features
from realism.sample import used_observations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from models.components.encoding import FloatArray
    from models.training.dataset import Dataset
    from realism.sample import WorldSample

LEAK = "related_default_excess_at_any_time"


def graph_ablation(sample: WorldSample) -> dict[str, float]:
    """Return the out-of-time AUC with all features, and its gain over a model without graph features.

    ``uplift_rewired`` is the same gain after links and trading partners are permuted, with every party keeping its
    number of them. ``uplift_leak`` is the gain over the honest features from counting defaults of related sellers
    before they were known.
    """
    split, training = sample.split, sample.profile.training
    names = [record.name for record in sample.feature_set.records if isinstance(record, GraphFeature)]
    boosters, full = sample.boosters, sample.lightgbm_auc
    bare_train, bare_test = (without_features(part, set(names)) for part in (split.train, split.test))
    bare = booster_auc(bare_train, bare_test, training, boosters)
    values = rewired_features(sample, names)
    other_train, other_test = (with_values(part, _of(part, values)) for part in (split.train, split.test))
    rewired = booster_auc(other_train, other_test, training, boosters)
    leak = leaking_feature(sample)
    leaky_train, leaky_test = (_with_leak(part, leak) for part in (split.train, split.test))
    leaky = booster_auc(leaky_train, leaky_test, training, boosters)
    return {
        "auc_all": full,
        "auc_without_graph": bare,
        "auc_rewired": rewired,
        "auc_with_leak": leaky,
        "uplift": full - bare,
        "uplift_rewired": rewired - bare,
        "uplift_leak": leaky - full,
    }


Values = dict[tuple[str, dt.date], dict[str, float]]


def rewired_features(sample: WorldSample, names: list[str]) -> Values:
    """Return the graph features of every observation on tables with permuted links and trading partners."""
    rng = np.random.default_rng(3)
    tables = dict(sample.tables)
    tables["party_link"] = _permuted(tables["party_link"], "to_party_id", ("link_type",), rng)
    for table, column, kinds in (
        ("trade_invoice", "counterparty_id", ("direction",)),
        ("export_declaration", "consignee_id", ()),
    ):
        tables[table] = _dealt_out(tables[table], column, kinds, rng)
    chosen = select_features("graph_only", "1.0.0", names)
    matrix = build_features(tables, used_observations(sample.profile, sample.observations), chosen).table
    columns = {name: matrix[name].to_numpy() for name in names}
    keys = matrix.select(["seller_id", "as_of"]).to_pylist()
    return {
        (key["seller_id"], key["as_of"]): {name: float(column[row]) for name, column in columns.items()}
        for row, key in enumerate(keys)
    }


def _of(part: Dataset, values: Values) -> Mapping[str, FloatArray]:
    rows = [values[seller, day] for seller, day in zip(part.seller_id.tolist(), _days(part), strict=True)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _days(part: Dataset) -> list[dt.date]:
    days: list[dt.date] = part.as_of.astype("datetime64[D]").astype(object).tolist()
    return days


def _permuted(table: pa.Table, column: str, kinds: tuple[str, ...], rng: np.random.Generator) -> pa.Table:
    """Return the table with one end of its links permuted within each kind; each end keeps its number of links."""
    order = np.arange(table.num_rows)
    for rows in _groups(table, kinds):
        order[rows] = rng.permutation(rows)
    place = table.column_names.index(column)
    return table.set_column(place, table.schema.field(column), table[column].take(_numbers(order)))


def _dealt_out(table: pa.Table, column: str, kinds: tuple[str, ...], rng: np.random.Generator) -> pa.Table:
    """Return the table with partners permuted over the distinct pairs of seller and partner within each kind.

    All rows of a pair move together, so sellers keep their number of partners and partners their number of sellers.
    """
    partners = table[column].cast(pa.string()).combine_chunks().dictionary_encode()
    is_named = np.asarray(partners.is_valid())
    partner = np.asarray(partners.indices.fill_null(0), dtype=np.int64)
    group = np.zeros(table.num_rows, dtype=np.int64)
    for number, rows in enumerate(_groups(table, kinds)):
        group[rows] = number
    key = np.column_stack([group, _codes(table["seller_id"]), partner])[is_named]
    pairs, pair = np.unique(key, axis=0, return_inverse=True)
    dealt = pairs[:, 2].copy()
    for number in np.unique(pairs[:, 0]):
        rows = np.flatnonzero(pairs[:, 0] == number)
        dealt[rows] = dealt[rng.permutation(rows)]
    partner[is_named] = dealt[pair.ravel()]
    field = table.schema.field(column)
    new = partners.dictionary.take(_numbers(partner, ~is_named)).cast(field.type)
    return table.set_column(table.column_names.index(column), field, new)


def _numbers(values: NDArray[np.int64], mask: NDArray[np.bool_] | None = None) -> pa.Array[Any]:
    return pa.array(values, pa.int64(), mask=mask)


def _codes(values: pa.ChunkedArray[Any]) -> NDArray[np.int64]:
    return np.asarray(values.cast(pa.string()).combine_chunks().dictionary_encode().indices, dtype=np.int64)


def _groups(table: pa.Table, kinds: tuple[str, ...]) -> list[NDArray[np.int64]]:
    if not kinds:
        return [np.arange(table.num_rows)]
    frame = table.select(list(kinds)).to_pandas().astype(str)
    return [np.asarray(rows) for _, rows in sorted(frame.groupby(list(kinds)).indices.items())]


def leaking_feature(sample: WorldSample) -> dict[tuple[str, dt.date], float]:
    """Return the share of related sellers that default at any time, before or after the date, above the usual share.

    This is what a join without dates yields: the formula of ``related_known_default_excess`` with knowledge of the
    future.
    """
    settings = GraphSettings()
    found: dict[tuple[str, dt.date], float] = {}
    for day in sorted(set(_days(sample.dataset))):
        graph = party_graph(sample.tables["party"], sample.tables["party_link"], AsOf(day), settings)
        hit = np.isin(graph.sellers, np.asarray(sample.defaults["seller_id"].to_pylist(), dtype=np.str_)).astype(int)
        usual = (hit.sum() - hit) / max(len(hit) - 1, 1)
        count = np.asarray(graph.related.sum(axis=1)).ravel()
        excess = (np.asarray(graph.related @ hit).ravel() - count * usual) / (count + settings.prior_strength)
        found |= {(seller, day): float(value) for seller, value in zip(graph.sellers.tolist(), excess, strict=True)}
    return found


def _with_leak(part: Dataset, leak: Mapping[tuple[str, dt.date], float]) -> Dataset:
    values = [leak.get((s, d), np.nan) for s, d in zip(part.seller_id.tolist(), _days(part), strict=True)]
    fact = FeatureFacts(
        name=LEAK, pillar="related_parties", family=LEAK, unit="share", direction=1,
        title_en="Defaults among related sellers at any time", title_zh="关联卖家任意时点违约",
    )  # fmt: skip
    return replace(part, X=np.ascontiguousarray(np.column_stack([part.X, values])), facts=(*part.facts, fact))
