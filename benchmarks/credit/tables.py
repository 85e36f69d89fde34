"""Credit tables: a matrix of columns as they are, and who turned bad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

GERMAN_COLUMNS = (
    "status", "duration", "credit_history", "purpose", "amount", "savings", "employment_duration",
    "installment_rate", "personal_status_sex", "other_debtors", "present_residence", "property", "age",
    "other_installment_plans", "housing", "number_credits", "job", "people_liable", "telephone", "foreign_worker",
    "credit_risk",
)  # fmt: skip
SOUTH_GERMAN_CODES = (
    "status", "credit_history", "purpose", "savings", "employment_duration", "personal_status_sex", "other_debtors",
    "property", "other_installment_plans", "housing", "job", "telephone", "foreign_worker",
)  # fmt: skip
SBA_NOT_KNOWN_AT_APPROVAL = (
    "Selected", "LoanNr_ChkDgt", "Name", "ApprovalDate", "ApprovalFY", "Term", "ChgOffDate", "DisbursementDate",
    "DisbursementGross", "BalanceGross", "MIS_Status", "ChgOffPrinGr", "Recession", "daysterm", "xx",
)  # fmt: skip


@dataclass(frozen=True)
class TableFile:
    """Where a table is and how to read it.

    Attributes:
        name: name in the results.
        path: the file.
        target: column that says who turned bad.
        bad: its value for a bad row, as written in the file.
        drop: columns that nobody knew when the loan was decided, or that only number the rows.
        separator: of the columns.
        missing: texts that stand for a missing cell, besides the empty one.
        categories: numeric columns that are codes.
        columns: names of the columns, for a file without a header.
    """

    name: str
    path: Path
    target: str
    bad: str
    drop: tuple[str, ...] = ()
    separator: str = ","
    missing: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class CreditTable:
    """``X`` holds numbers and texts with missing cells, ``y`` is 1 for a bad row."""

    name: str
    X: pd.DataFrame
    y: NDArray[np.int64]


def known_tables(folder: Path) -> list[TableFile]:
    """Return the public tables of the folder of real data."""
    return [
        TableFile(
            "german", folder / "german/german.data", "credit_risk", "2", separator=" ", columns=GERMAN_COLUMNS
        ),
        TableFile(
            "south_german", folder / "south_german/SouthGermanCredit.asc", "credit_risk", "0", separator=" ",
            categories=SOUTH_GERMAN_CODES,
        ),
        TableFile(
            "sba_case", folder / "sba_case/SBAcase.11.13.17.csv", "Default", "1", SBA_NOT_KNOWN_AT_APPROVAL,
            categories=("Zip", "NAICS", "NewExist", "FranchiseCode", "UrbanRural"),
        ),
        TableFile(
            "taiwan", folder / "taiwan/UCI_Credit_Card.csv", "default.payment.next.month", "1", ("ID",),
            categories=("SEX", "EDUCATION", "MARRIAGE"),
        ),
    ]  # fmt: skip


def read_table(file: TableFile) -> CreditTable:
    """Return the table of a file.

    Raises:
        ValueError: a column is not in the file, or the target lacks one of the outcomes.
    """
    frame = pd.read_csv(
        file.path,
        sep=file.separator,
        names=list(file.columns) or None,
        na_values=list(file.missing),
        dtype={file.target: str},
        encoding="utf-8-sig",
    )
    absent = [name for name in (file.target, *file.drop, *file.categories) if name not in frame.columns]
    if absent:
        raise ValueError(f"{file.path.name} has no column {', '.join(absent)}; it has {', '.join(frame.columns)}")
    y = (frame[file.target] == file.bad).to_numpy(dtype=np.int64)
    if not 0 < y.sum() < len(y):
        values = ", ".join(sorted(frame[file.target].dropna().unique())[:10])
        raise ValueError(
            f"{file.target} of {file.path.name} is {file.bad} in {y.sum()} of {len(y)} rows; its values: {values}"
        )
    X = frame.drop(columns=[file.target, *file.drop])
    for name in X.columns:
        X[name] = _texts(X[name]) if name in file.categories or not is_numeric_dtype(X[name]) else X[name].astype(float)
    return CreditTable(file.name, X, y)


def _texts(column: pd.Series) -> pd.Series:
    """Return a column of codes as texts; missing stays missing."""
    texts = column.map(lambda value: f"{value:.15g}" if isinstance(value, float) else str(value), na_action="ignore")
    return texts.astype(object).where(column.notna(), np.nan)
