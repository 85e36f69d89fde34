"""Labels: default within the performance window, no default, or window not over."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from data_contracts.errors import ConfigurationRefused

if TYPE_CHECKING:
    import datetime as dt

    from models.settings import LabelSettings

_LABEL_FIELDS: list[pa.Field[Any]] = [
    pa.field("seller_id", pa.string()),
    pa.field("as_of", pa.date32()),
    pa.field("label", pa.int8()),
]
LABEL_SCHEMA = pa.schema(_LABEL_FIELDS)
"""One row per observation: label 1 = default within the performance window, 0 = none."""


class Labels(NamedTuple):
    """Labelled observations (LABEL_SCHEMA, sorted by date and seller), and how many went where, by reason."""

    table: pa.Table
    counts: dict[str, int]


def performance_labels(observations: pa.Table, defaults: pa.Table, settings: LabelSettings) -> Labels:
    """Label observations (seller_id, as_of) by the dates of default (seller_id, default_date, known_at).

    The day of observation belongs to the past: a default on it counts as earlier. Sellers with a default on record by
    then leave the sample. So do observations whose window is not over by ``data_until``, whatever is known of them
    already; otherwise young cohorts would contain only bad outcomes.
    """
    frame = observations.select(["seller_id", "as_of"]).to_pandas()
    _refuse_duplicates(frame, ["seller_id", "as_of"], "observations")
    as_of = _days(frame["as_of"])
    last = np.datetime64(settings.data_until, "D")
    mature = as_of + np.timedelta64(settings.performance_days + settings.reporting_lag_days, "D") <= last
    before, after = _nearest_defaults(frame["seller_id"], as_of, _visible_defaults(defaults, last))
    bad = after <= as_of + np.timedelta64(settings.performance_days, "D")
    reason = np.where(before, "in_default_before", np.where(mature, np.where(bad, "bad", "good"), "immature"))
    kept = mature & ~before
    table = _label_table(frame["seller_id"][kept], as_of[kept], bad[kept])
    counts = dict.fromkeys(("good", "bad", "immature", "in_default_before"), 0)
    return Labels(table, counts | dict(Counter(reason.tolist())))


def recorded_labels(credit_record: pa.Table, as_of: dt.date) -> Labels:
    """Label sellers by an outcome that a lender states without a date (credit_record.is_default), as of one day.

    Rows without a stated outcome are counted as ``no_recorded_outcome`` and left out.
    """
    frame = credit_record.select(["seller_id", "is_default"]).to_pandas()
    _refuse_duplicates(frame, ["seller_id"], "credit records")
    known = frame["is_default"].notna().to_numpy()
    bad = frame["is_default"][known].astype(bool).to_numpy()
    days = np.full(int(known.sum()), np.datetime64(as_of, "D"))
    table = _label_table(frame["seller_id"][known], days, bad)
    counts = {"good": int((~bad).sum()), "bad": int(bad.sum()), "no_recorded_outcome": int((~known).sum())}
    return Labels(table, counts)


def _visible_defaults(defaults: pa.Table, last: np.datetime64) -> pd.DataFrame:
    frame = defaults.select(["seller_id", "default_date", "known_at"]).to_pandas()
    known = pd.to_datetime(frame["known_at"], utc=True) < pd.Timestamp(last + np.timedelta64(1, "D"), tz="UTC")
    visible = frame[known.to_numpy()]
    return pd.DataFrame({"seller_id": visible["seller_id"], "default_day": _days(visible["default_date"])})


def _nearest_defaults(
    sellers: pd.Series, as_of: npt.NDArray[np.datetime64], defaults: pd.DataFrame
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.datetime64]]:
    """Return for each observation whether a default is on or before it, and the first default after it (or NaT)."""
    days = {seller: np.sort(group.to_numpy()) for seller, group in defaults.groupby("seller_id")["default_day"]}
    none = np.empty(0, dtype="datetime64[D]")
    before = np.zeros(len(as_of), dtype=np.bool_)
    after = np.full(len(as_of), np.datetime64("NaT"), dtype="datetime64[D]")
    for row, (seller, day) in enumerate(zip(sellers, as_of, strict=True)):
        seller_days = days.get(seller, none)
        later = int(np.searchsorted(seller_days, day, side="right"))
        before[row] = later > 0
        if later < len(seller_days):
            after[row] = seller_days[later]
    return before, after


def _days(values: pd.Series) -> npt.NDArray[np.datetime64]:
    return np.asarray(values.to_numpy(), dtype="datetime64[D]")


def _label_table(sellers: pd.Series, as_of: npt.NDArray[np.datetime64], bad: npt.NDArray[np.bool_]) -> pa.Table:
    table = pa.table(
        {
            "seller_id": pa.array(sellers.tolist(), pa.string()),
            "as_of": pa.array(as_of, pa.date32()),
            "label": pa.array(bad.astype(np.int8), pa.int8()),
        },
        schema=LABEL_SCHEMA,
    )
    return table.sort_by([("as_of", "ascending"), ("seller_id", "ascending")])


def _refuse_duplicates(frame: pd.DataFrame, keys: list[str], what: str) -> None:
    repeated = frame[frame.duplicated(keys)]
    if len(repeated):
        first = ", ".join(f"{key} {repeated.iloc[0][key]}" for key in keys)
        raise ConfigurationRefused(
            f"{len(repeated)} repeated {what}, the first is {first}", "keep one row for each before labelling"
        )
