"""The place of a special code among the amounts of its column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.components.binning import BinningSettings, bin_columns

if TYPE_CHECKING:
    import numpy.typing as npt

    from models.components.encoding import FloatArray


def position_of_equal_risk(
    amounts: FloatArray, y: npt.NDArray[np.integer], direction: int, outcomes_of_code: npt.NDArray[np.integer]
) -> float:
    """Return the amount whose risk is nearest to that of a special code, in a column with a direction.

    ``amounts`` (n,) and ``y`` (n,) are the rows with an amount; ``outcomes_of_code`` (m,) those of the rows with the
    code. A code that is riskier than the worst amounts is placed at the worst end. All rates are smoothed as in a
    scorecard; a code without rows has the risk of the sample.
    """
    overall = float(np.mean(y))
    if not 0.0 < overall < 1.0:
        return float(np.median(amounts))
    settings = BinningSettings()
    (column,) = bin_columns(amounts[:, None], y, (direction,), settings)
    rows, bads = len(outcomes_of_code), float(np.sum(outcomes_of_code))
    rate = (bads + settings.smoothing_rows * overall) / (rows + settings.smoothing_rows)
    risk = np.log(rate / (1.0 - rate)) - np.log(overall / (1.0 - overall))
    if risk > max(column.evidence):
        return float(amounts.max() if direction > 0 else amounts.min())
    nearest = int(np.argmin(np.abs(np.asarray(column.evidence) - risk)))
    in_bin = np.searchsorted(np.asarray(column.edges), amounts, side="left") == nearest
    return float(np.median(amounts[in_bin]))
