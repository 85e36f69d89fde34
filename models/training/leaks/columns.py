"""Leaks that show in the values of one column: pure values, pure ends of the range, near-perfect rankings.

A high AUC alone proves nothing: on a small sample an honest variable can reach 0.9. Honest variables do not have a
value that only defaulters have (a rating given after the event, a field filled in by the collections desk), do not
separate most defaulters without a single exception, and do not rank almost perfectly beyond any doubt of sampling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.training.leaks.sample import ValueGroups, auc_and_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.components.encoding import BoolArray, FloatArray
    from models.settings import LeakSettings
    from models.training.leaks.sample import LeakSample


def simple_rules(values: FloatArray, sample: LeakSample, settings: LeakSettings) -> Iterator[tuple[str, str]]:
    """Yield the rules that one column breaks by pure values, a pure end or its ranking, with the evidence."""
    known = np.isfinite(values)
    filled = np.where(known, values, np.inf)
    groups = ValueGroups.of(filled, sample.bad)
    yield from _pure_value(known.astype(np.float64), sample, "presence", settings)
    yield from _pure_value(filled, sample, "value", settings)
    # An amount that is nearly always zero can leak by being non-zero, just as a flag can.
    commonest = groups.level[int(np.argmax(groups.rows))]
    yield from _pure_value((filled != commonest).astype(np.float64), sample, f"other than {commonest:.6g}", settings)
    yield from _pure_tail(filled, sample, settings)
    yield from _near_perfect_ranking(values, sample, known, settings)


def _pure_value(values: FloatArray, sample: LeakSample, what: str, settings: LeakSettings) -> Iterator[tuple[str, str]]:
    groups = ValueGroups.of(values, sample.bad)
    all_bads = int(groups.bads.sum())
    all_goods = int(groups.rows.sum()) - all_bads
    only_bad = (groups.bads == groups.rows) & (
        groups.rows >= max(settings.fewest_rows, settings.value_share * all_bads)
    )
    only_good = (groups.bads == 0) & (groups.rows >= max(settings.fewest_rows, settings.good_share * all_goods))
    everyone = np.ones(len(values), dtype=np.bool_)
    for chosen, side in ((only_bad, "defaulters"), (only_good, "non-defaulters")):
        for position in np.flatnonzero(chosen):
            rows = values == groups.level[position]
            if not sample.chance_allows(rows, of_bad=side == "defaulters", among=everyone, settings=settings):
                shown = _shown(groups.level[position], what)
                yield "pure value", f"{shown} for {groups.rows[position]} rows, all of them {side}"


def _pure_tail(values: FloatArray, sample: LeakSample, settings: LeakSettings) -> Iterator[tuple[str, str]]:
    groups = ValueGroups.of(values, sample.bad)
    everyone = np.ones(len(values), dtype=np.bool_)
    for end, step in (("lowest", 1), ("highest", -1)):
        levels = groups.level[::step]
        pure = int(np.argmax((groups.bads != groups.rows)[::step]))
        in_tail = np.isin(values, levels[:pure])
        count = int(in_tail.sum())
        if count < max(settings.fewest_rows, settings.tail_share * int(groups.bads.sum())):
            continue
        if not sample.chance_allows(in_tail, of_bad=True, among=everyone, settings=settings):
            yield "pure tail", f"the {count} {end} values, all of them of defaulters"


def _near_perfect_ranking(
    values: FloatArray, sample: LeakSample, known: BoolArray, settings: LeakSettings
) -> Iterator[tuple[str, str]]:
    if sample.chance_allows(sample.bad & known, of_bad=True, among=known, settings=settings):
        return
    auc, error = auc_and_error(values[known], sample.bad[known], sample.seller[known])
    if auc - settings.standard_errors * error > settings.auc_limit:
        yield "near-perfect ranking", f"AUC {auc:.3f} by itself, standard error {error:.3f}"


def _shown(level: float, what: str) -> str:
    if what == "value":
        return "missing" if np.isinf(level) else f"value {level:.6g}"
    if what == "presence":
        return "known" if level == 1.0 else "missing"
    return what if level == 1.0 else f"not {what}"
