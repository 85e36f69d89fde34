"""Columns of an applicant file, and schema of a scored row: columns, statuses and how the interval is made."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

APPLICANT_SPELLINGS: Final = {
    "applicant_id": ("申请编号", "applicant", "application", "application no.", "application number", "申请号"),
    "seller_id": ("卖家编号", "seller", "seller ref", "seller reference", "merchant id", "卖家", "卖家ID", "商户编号"),
    "as_of": ("数据截止日", "as of date", "cut-off date", "评估截止日", "截止日期", "基准日"),
}
"""How lenders spell these columns, Chinese first; case, blanks, dashes and underscores do not matter."""

INTERVAL_LEVEL: Final = 0.95


INTERVAL_METHOD: Final = "from the uncertainty of the two calibration estimates; the model itself is taken as it is"


SCORED: Final = "scored"


WITH_WARNING: Final = "scored_with_warning"


REFUSED: Final = "refused"


_LABEL: Final = pa.dictionary(pa.int32(), pa.string())


_FIELDS: Final[list[pa.Field[Any]]] = [
    pa.field("source_row", pa.int64(), nullable=False),
    pa.field("applicant_id", pa.string()),
    pa.field("seller_id", pa.string()),
    pa.field("as_of", pa.date32()),
    pa.field("status", _LABEL, nullable=False),
    pa.field("codes", pa.string(), nullable=False),
    pa.field("probability_of_default", pa.float64()),
    pa.field("pd_lower", pa.float64()),
    pa.field("pd_upper", pa.float64()),
    pa.field("score", pa.int32()),
    pa.field("grade", _LABEL),
    pa.field("base_points", pa.int32()),
    pa.field("pillar_points", pa.string()),
    pa.field("reasons", pa.string()),
    pa.field("claims", pa.string()),
    pa.field("model_name", pa.string(), nullable=False),
    pa.field("model_version", pa.string(), nullable=False),
    pa.field("bundle_sha256", pa.string(), nullable=False),
    pa.field("feature_set", pa.string(), nullable=False),
]


SCORE_SCHEMA: Final = pa.schema(_FIELDS)
"""One row per applicant row. Figures are null on refused rows; the interval also if the calibration has none.

``claims`` is null until ``pipelines.score.claims`` fills it in.
"""
