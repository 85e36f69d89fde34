"""Observed beside predicted default rates, as a chart that several pages show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.reports.charts import ChartWords, Frame, Series, SeriesPoint, series_chart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.reports.rendering import Texts, TrustedMarkup

CHART = Frame(width=400, height=240)
"""Size of a chart of half the page's width."""


def rates_chart(periods: Sequence[Mapping[str, Any]], texts: Texts) -> TrustedMarkup:
    """Return observed default rates with their intervals beside the predicted ones, in percent, by period."""
    expected = Series("b", tuple(SeriesPoint(_hundred(part["rates"]["expected"])) for part in periods))
    observed = Series(
        "a",
        tuple(
            SeriesPoint(*(_hundred(part["rates"][name]) for name in ("observed", "observed_lower", "observed_upper")))
            for part in periods
        ),
    )
    words = ChartWords(texts("rates_chart_title"), texts("quarter_axis"), texts("rate_axis"))
    return series_chart([part["part"] for part in periods], [expected, observed], words, CHART)


def _hundred(share: float | None) -> float | None:
    return None if share is None else 100 * share
