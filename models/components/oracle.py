"""LightGBM as the judge of our own way through its trees: margins equal to the last bit, SHAP values to 1e-9.

At registration the judge sees training rows and rows on, just below and just above every threshold, missing, infinite
and zero. In every scoring run it sees a sample of the rows that are scored.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from models.components.fast_trees import compiled_code
from models.components.gbm import LightGbmComponent

if TYPE_CHECKING:
    from models.components.encoding import FloatArray
    from models.components.model import Component, CreditModel

TOLERANCE: Final = 1e-9


class Sample(NamedTuple):
    """How many rows to compare. Only where ``compiled`` is set is the compiled code loaded and compared as well."""

    margins: int
    contributions: int
    compiled: bool = True


AT_REGISTRATION: Final = Sample(margins=4096, contributions=1024)


def with_proven_trees(model: CreditModel, X: FloatArray) -> CreditModel:
    """Return the model with each booster marked as proven that agrees with LightGBM; ``X`` (n, p) are training rows."""
    encoded = evenly(model.encode(X), AT_REGISTRATION.margins)
    return replace(model, components=tuple(_judged(component, encoded) for component in model.components))


def _judged(component: Component, encoded: FloatArray) -> Component:
    if not isinstance(component, LightGbmComponent):
        return component
    rows = np.vstack([encoded, threshold_rows(component, encoded)])
    return replace(component, proven=objection(component, rows, AT_REGISTRATION) is None)


def by_lightgbm(model: CreditModel) -> CreditModel:
    """Return the model with every booster computed by LightGBM itself."""
    return replace(
        model,
        components=tuple(replace(c, proven=False) if isinstance(c, LightGbmComponent) else c for c in model.components),
    )


def uses_own_way(model: CreditModel) -> bool:
    """Return whether a booster of the model is computed by our own way."""
    return any(isinstance(c, LightGbmComponent) and c.proven and c.fast is not None for c in model.components)


def model_objection(model: CreditModel, X: FloatArray, sample: Sample) -> str | None:
    """Return how a proven booster differs from LightGBM on a sample of ``X`` (n, p); None if none differs."""
    encoded = model.encode(evenly(X, sample.margins))
    for component in model.components:
        if isinstance(component, LightGbmComponent) and component.proven:
            found = objection(component, encoded, sample)
            if found is not None:
                return found
    return None


def objection(component: LightGbmComponent, encoded: FloatArray, sample: Sample) -> str | None:
    """Return how our own way differs from LightGBM on these rows (n, q); None if it does not.

    Margins are compared on all rows, SHAP values on an even selection.
    """
    fast = component.fast
    if fast is None:
        return "the trees do not fit one byte a value and 64 leaves"
    compiled = sample.compiled and compiled_code() is not None
    if compiled and len(encoded):
        differs = fast.margin(encoded).view(np.int64) != component.margin_by_lightgbm(encoded).view(np.int64)
        if differs.any():
            return f"{int(differs.sum())} of {len(encoded)} margins differ from LightGBM's"
    rows = evenly(encoded, sample.contributions)
    if not len(rows):
        return None
    found = fast.contributions_of_few(rows)
    gap = np.abs(found - component.contributions_by_lightgbm(rows)).max(initial=0.0)
    if not gap <= TOLERANCE:
        return f"contributions differ from LightGBM's by up to {gap:.3g}"
    if compiled and not np.array_equal(found, fast.contributions_of_many(rows)):
        return "contributions of many rows differ from those of few"
    return None


def threshold_rows(component: LightGbmComponent, encoded: FloatArray) -> FloatArray:
    """Return rows (m, q) like those given, each with one value on, just below or just above a threshold.

    For every column that is split, there also are rows with a missing value, the infinities and zeros of both signs.
    """
    edges: dict[int, set[float]] = {}
    for tree in component.trees:
        for column, threshold in zip(tree.feature, tree.threshold, strict=True):
            edges.setdefault(column, set()).add(threshold)
    tiny = float(np.nextafter(0.0, 1.0))
    special = [np.nan, np.inf, -np.inf, 0.0, -0.0, tiny, -tiny]
    columns: list[int] = []
    values: list[float] = []
    for column, found in sorted(edges.items()):
        on = np.asarray(sorted(found))
        cells = [*on, *np.nextafter(on, -np.inf), *np.nextafter(on, np.inf), *special]
        columns += [column] * len(cells)
        values += cells
    if not columns or len(encoded) == 0:
        return np.empty((0, component.column_count))
    rows = encoded[np.arange(len(columns)) % len(encoded)].copy()
    rows[np.arange(len(columns)), columns] = values
    return rows


def evenly(rows: FloatArray, count: int) -> FloatArray:
    """Return at most ``count`` rows, spread evenly."""
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)]
