"""Monotone weight-of-evidence binning: quantile cuts, then pooling of adjacent violators."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from models.components.encoding import FloatArray


class BinningSettings(BaseModel):
    """How finely columns are binned.

    Attributes:
        first_cuts: number of quantile intervals to start from.
        smallest_share: smallest share of rows in a bin.
        smoothing_rows: rows at the overall default rate that are added to every first interval, so that a small bin
            cannot show a large effect.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_cuts: int = Field(default=24, ge=2, le=254)
    smallest_share: float = Field(default=0.03, ge=0, lt=0.5)
    smoothing_rows: float = Field(default=10.0, gt=0)


class BinnedColumn(NamedTuple):
    """Bins of one column: bin i holds values up to and including ``edges[i]``, the last bin everything above.

    ``evidence`` is the log-odds of default of each bin minus that of the sample: higher means more risk. ``missing`` is
    the evidence of NaN, which is a bin of its own; it is 0 if there was none.
    """

    edges: tuple[float, ...]
    evidence: tuple[float, ...]
    missing: float = 0.0

    def transform(self, values: FloatArray) -> FloatArray:
        """Return the evidence of each value (n,)."""
        known = np.asarray(self.evidence)[np.searchsorted(np.asarray(self.edges), values, side="left")]
        return np.where(np.isnan(values), self.missing, known)


def bin_columns(
    encoded: FloatArray, y: npt.NDArray[np.integer], directions: Sequence[int], settings: BinningSettings
) -> tuple[BinnedColumn, ...]:
    """Bin each column of ``encoded`` (n, q) against outcomes ``y`` (n,), 1 = default.

    Evidence rises with the value where the direction is +1 and falls where it is -1. Where it is 0, the direction that
    fits the sample better is used. Encoded missing values of a column with a direction lie beyond its worst end, so
    they either join the worst bin or form a worse one. NaN, in a column without, is a bin of its own.
    """
    target = np.asarray(y, dtype=np.float64)
    rate = float(target.mean())
    if not 0.0 < rate < 1.0:
        raise ValueError("binning needs both outcomes")
    return tuple(
        _with_missing_bin(np.ascontiguousarray(encoded[:, column]), target, direction, settings)
        for column, direction in enumerate(directions)
    )


def _with_missing_bin(values: FloatArray, y: FloatArray, direction: int, settings: BinningSettings) -> BinnedColumn:
    missing = np.isnan(values)
    overall = float(y.mean())
    if not missing.any():
        return _bin_column(values, y, overall, direction, settings)
    weight = float(missing.sum()) + settings.smoothing_rows
    rate = (float(y[missing].sum()) + settings.smoothing_rows * overall) / weight
    evidence = float(np.log(rate / (1.0 - rate)) - np.log(overall / (1.0 - overall)))
    if missing.all():
        return BinnedColumn((), (0.0,), evidence)
    known = _bin_column(values[~missing], y[~missing], overall, direction, settings)
    return known._replace(missing=evidence)


def _bin_column(
    values: FloatArray, y: FloatArray, overall: float, direction: int, settings: BinningSettings
) -> BinnedColumn:
    cuts = np.linspace(0.0, 1.0, settings.first_cuts + 1)[1:-1]
    ends = (values.min(), values.max())
    inner = np.unique(np.quantile(values, cuts, method="lower"))
    # A column's extreme may be the code of a missing value: keep it apart from its neighbours.
    second_end = values[values < ends[1]].max(initial=ends[0])
    edges = np.unique(np.concatenate([inner, [ends[0], second_end]]))
    edges = edges[edges < ends[1]]
    index = np.searchsorted(edges, values, side="left")
    rows = np.bincount(index).astype(np.float64)
    bads = np.bincount(index, weights=y)
    weight = rows + settings.smoothing_rows
    rate = (bads + settings.smoothing_rows * overall) / weight
    sign = direction or _better_direction(rows, rate)
    blocks = _pool(rows, weight, sign * rate, settings.smallest_share * len(values))
    pooled = sign * np.asarray([block.rate for block in blocks])
    last = np.cumsum([block.cuts for block in blocks])[:-1] - 1
    evidence = np.log(pooled / (1.0 - pooled)) - np.log(overall / (1.0 - overall))
    return BinnedColumn(tuple(edges[last].tolist()), tuple(evidence.tolist()))


def _better_direction(rows: FloatArray, rate: FloatArray) -> int:
    position = np.cumsum(rows) - rows / 2.0
    mean_position = float(np.average(position, weights=rows))
    return 1 if float(np.sum(rows * (position - mean_position) * rate)) >= 0.0 else -1


class _Block(NamedTuple):
    rows: float
    weight: float
    rate: float
    cuts: int

    def join(self, other: _Block) -> _Block:
        weight = self.weight + other.weight
        rate = (self.rate * self.weight + other.rate * other.weight) / weight
        return _Block(self.rows + other.rows, weight, rate, self.cuts + other.cuts)


def _pool(rows: FloatArray, weight: FloatArray, rate: FloatArray, least_rows: float) -> list[_Block]:
    """Merge neighbours until rates strictly rise and each block has ``least_rows`` rows, if there are enough."""
    blocks: list[_Block] = []
    for row_count, row_weight, row_rate in zip(rows.tolist(), weight.tolist(), rate.tolist(), strict=True):
        blocks.append(_Block(row_count, row_weight, row_rate, 1))
        while len(blocks) > 1 and blocks[-2].rate >= blocks[-1].rate:
            last = blocks.pop()
            blocks[-1] = blocks[-1].join(last)
    while len(blocks) > 1:
        smallest = min(range(len(blocks)), key=lambda i: blocks[i].rows)
        if blocks[smallest].rows >= least_rows:
            break
        left = _nearer_neighbour(blocks, smallest)
        blocks[left : left + 2] = [blocks[left].join(blocks[left + 1])]
    return blocks


def _nearer_neighbour(blocks: list[_Block], position: int) -> int:
    """Return the left position of the two blocks to merge: the small block and its neighbour closer in rate."""
    if position == 0:
        return 0
    if position == len(blocks) - 1:
        return position - 1
    to_left = blocks[position].rate - blocks[position - 1].rate
    to_right = blocks[position + 1].rate - blocks[position].rate
    return position - 1 if to_left <= to_right else position
