"""The measures of open loans on many dates: features of the seller as of each date, and days of the loan itself."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.progress import SILENT
from features.build import BuildSettings, build_features
from features.catalogue import load_feature_set
from features.engine.as_of import AsOf
from features.loan_book import loan_book
from pipelines.watch.policy import DAYS_PAST_DUE, DAYS_SINCE_PAYOUT, FEATURE_SET, LOAN_MEASURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from data_contracts.progress import Progress


@dataclass(frozen=True)
class DayOfLoans:
    """The open loans on a date, with every measure on the date and ``change_days`` earlier.

    Attributes:
        day: the date.
        book: the loans, a row each, as ``features.loan_book`` returns them.
        now: values of every measure by name, shape (loans,), NaN where missing.
        before: the same earlier; NaN for a loan that was not open then only where the measure is one of the loan.
    """

    day: dt.date
    book: pd.DataFrame
    now: Mapping[str, NDArray[np.float64]]
    before: Mapping[str, NDArray[np.float64]]


def measured(
    tables: Mapping[str, pa.Table], days: Sequence[dt.date], change_days: int, progress: Progress = SILENT
) -> list[DayOfLoans]:
    """Return the open loans on each day with their measures; features are built once for every date that is needed.

    Args:
        tables: canonical tables by name, ``loan`` and ``repayment`` among them.
        days: the dates, ascending.
        change_days: age of the earlier value.
        progress: receives the number of dates built.
    """
    books = {day: loan_book(tables["loan"], tables["repayment"], AsOf(day)).to_pandas() for day in days}
    asked = {day: set(book["seller_id"]) for day, book in books.items()}
    earlier = dt.timedelta(days=change_days)
    for day in days:
        asked[day - earlier] = asked.get(day - earlier, set()) | asked[day]
    features = _features(tables, asked, progress)
    return [
        DayOfLoans(
            day, books[day], _values(books[day], features[day], day), _values(books[day], features[day - earlier], None)
        )
        for day in days
    ]


def _features(
    tables: Mapping[str, pa.Table], asked: Mapping[dt.date, set[str]], progress: Progress
) -> dict[dt.date, pd.DataFrame]:
    """Return the features of the asked sellers by date, indexed by seller."""
    pairs = [(seller, day) for day, sellers in sorted(asked.items()) for seller in sorted(sellers)]
    observations = pa.table(
        {
            "seller_id": pa.array([seller for seller, _ in pairs], pa.string()),
            "as_of": pa.array([day for _, day in pairs], pa.date32()),
        }
    )
    feature_set = load_feature_set(FEATURE_SET)
    table = build_features(tables, observations, feature_set, settings=BuildSettings(progress=progress)).table
    return {
        day: table.filter(pc.equal(table["as_of"], pa.scalar(day, pa.date32())))
        .select(["seller_id", *feature_set.names])
        .to_pandas()
        .set_index("seller_id")
        for day in asked
    }


def _values(book: pd.DataFrame, features: pd.DataFrame, day: dt.date | None) -> dict[str, NDArray[np.float64]]:
    """Return every measure in the order of the book; without a day, those of the loan itself are missing."""
    rows = features.reindex(book["seller_id"])
    values = {str(name): rows[name].to_numpy(np.float64, na_value=np.nan) for name in rows.columns}
    if day is None:
        return {**values, **{name: np.full(len(book), np.nan) for name in LOAN_MEASURES}}
    since = (np.datetime64(day, "D") - book["paid_out_on"].to_numpy(dtype="datetime64[D]")).astype(np.float64)
    return {**values, DAYS_PAST_DUE: book["days_past_due"].to_numpy(np.float64), DAYS_SINCE_PAYOUT: since}
