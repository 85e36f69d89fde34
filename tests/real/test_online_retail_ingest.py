"""The order lines of a real web shop (UCI 502), recounted independently of our readers and mappings."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.errors import InputRefused
from data_contracts.mapping.code_lists import country_names
from tests.factories.raw_files import RawFile, ingested, only_account

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.ingest.stage import IngestResult

OF_NO_ONE_COUNTRY = {"Channel Islands", "Unspecified", "West Indies"}
NO_ORDER_LINES = "ADJUST|ADJUST2|AMAZONFEE|B|BANK CHARGES|CRUK|S|TEST.*"


@pytest.fixture(scope="module")
def lines(shared_data: Path) -> pd.DataFrame:
    path = shared_data / "online_retail" / "online_retail_II_2009_2010.parquet"
    if not path.is_file():
        pytest.skip(f"real data not present at {path}")
    return pd.read_parquet(path)


@pytest.fixture(scope="module")
def result(lines: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> IngestResult:
    """Ingest the published file with the column it lacks: its documentation says that prices are in pounds."""
    return ingested(tmp_path_factory.mktemp("retail"), [delivered(lines.assign(Currency="GBP"))])


def delivered(lines: pd.DataFrame) -> RawFile:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(lines, preserve_index=False), file)
    return RawFile(
        "retail.parquet", "web_shop_orders", file.getvalue(), "S000001", "retail", "2009-12-01", "2010-12-09"
    )


@pytest.fixture(scope="module")
def order_lines(lines: pd.DataFrame) -> pd.DataFrame:
    """Return the lines that belong to orders, without fees and stock corrections."""
    priced = lines.groupby("Invoice")["Price"].transform(lambda prices: prices.abs().max())
    no_order = lines["StockCode"].str.fullmatch(NO_ORDER_LINES) | (lines["Customer ID"].isna() & (priced == 0))
    return lines[~no_order]


def test_as_published_the_file_is_refused_for_it_names_no_currency(lines: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="missing columns: 'Currency'"):
        ingested(tmp_path, [delivered(lines.head(10))])


def test_every_line_is_accepted_and_those_that_are_not_orders_are_counted(
    lines: pd.DataFrame, order_lines: pd.DataFrame, result: IngestResult
) -> None:
    account = only_account(result)
    assert (account.rows_in, account.accepted) == (525_461, 525_461)
    silent = {
        reason: count for reason, count in account.warnings.items() if reason.endswith("order") or "test" in reason
    }
    assert sum(silent.values()) == len(lines) - len(order_lines)


def test_orders_and_credit_notes_sum_to_the_lines_to_the_penny(order_lines: pd.DataFrame, result: IngestResult) -> None:
    orders = result.tables["site_order"].to_pandas()
    assert len(orders) == order_lines["Invoice"].nunique()
    assert (
        orders["is_cancelled"].sum() == order_lines.loc[order_lines["Invoice"].str.startswith("C"), "Invoice"].nunique()
    )
    pence = (order_lines["Quantity"] * (order_lines["Price"] * 1000).round()).astype("int64")
    discount = (order_lines["StockCode"] == "D") & (pence < 0)
    assert orders["total_amount"].sum() == Decimal(int(pence[pence > 0].sum())) / 1000
    assert orders["refunded_amount"].sum() == -Decimal(int(pence[(pence < 0) & ~discount].sum())) / 1000


def test_missing_customers_stay_missing_and_the_others_are_as_many_as_in_the_file(
    order_lines: pd.DataFrame, result: IngestResult
) -> None:
    orders = result.tables["site_order"].to_pandas()
    by_invoice = order_lines.groupby("Invoice")["Customer ID"].first()
    assert orders["customer_id"].isna().sum() == by_invoice.isna().sum() > 0
    assert orders["customer_id"].nunique() == by_invoice.nunique()


def test_every_name_of_a_country_is_known_or_of_no_one_country(lines: pd.DataFrame) -> None:
    names = set(lines["Country"])
    assert len(names) == 40
    known = set(country_names("data_contracts.sources.web_shop_orders")["folded_name"].to_pylist())
    assert {name for name in names if name.lower() not in known} == OF_NO_ONE_COUNTRY
