"""Made-up payout rows as a CSV file, some of them faulty on purpose, written block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract


@dataclass(frozen=True)
class Size:
    """Number of rows, share of rows that break a rule, and whether all cells are quoted."""

    rows: int
    faulty_share: float
    quoted: bool = False


BLOCK_ROWS = 250_000
SEED = 20240630
NOTES = ("", "", "", "", "", "", "Referral fee", "Refund, partial", 'Label "fragile"', "Lagergebühr, Juni")
AMOUNTS = (
    "product_sales",
    "shipping_credits",
    "promotion_rebates",
    "sales_tax",
    "selling_fees",
    "fulfilment_fees",
    "other_amount",
)


def write_rows(path: Path, contract: CompiledContract, size: Size) -> None:
    """Write payout rows and their header."""
    with path.open("wb") as file:
        file.write((",".join(column.header for column in contract.columns) + "\n").encode())
        for first in range(0, size.rows, BLOCK_ROWS):
            block = _block(first, min(BLOCK_ROWS, size.rows - first), size.faulty_share)
            cells = [_quoted(block[column.name], size.quoted) for column in contract.columns]
            lines = pc.binary_join_element_wise(*cells, ",")
            file.write("\n".join([*lines.to_pylist(), ""]).encode())


def _quoted(text: Values, quoted: bool) -> Values:
    """Return cells as a file holds them: quoted where a comma or a quote requires it, or all of them."""
    wrapped = pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', "")
    needs: Values = pc.or_(pc.match_substring(text, ","), pc.match_substring(text, '"'))
    return wrapped if quoted else pc.if_else(needs, wrapped, text)


def _block(first: int, length: int, faulty_share: float) -> dict[str, Values]:
    rng = np.random.default_rng([SEED, first])
    number = np.arange(first, first + length)
    cents = _cents(rng, length)
    total = np.sum([cents[name] for name in AMOUNTS], axis=0)
    second = rng.integers(0, 3 * 365 * 86_400, length) + 1_640_995_200
    posted_at = pa.array(second.astype("datetime64[s]"))
    columns = {
        "transaction_id": _numbered("TX", number, 10),
        "settlement_id": pa.array((10**9 + second // 1_209_600).astype(str)),
        "account_number": _numbered("A", rng.integers(0, 3000, length), 6),
        "marketplace": _chosen(rng, ("US", "DE", "JP", "UK", "FR"), length),
        "event_type": _chosen(rng, ("Order", "Order", "Order", "Refund", "Fee", "Adjustment"), length),
        "order_number": _order_numbers(rng, length),
        "sku": _numbered("SKU-", rng.integers(0, 50_000, length), 8),
        "fulfilment": _chosen(rng, ("Platform", "Seller", ""), length),
        "quantity": pa.array(rng.integers(0, 20, length).astype(str)),
        "money_code": _chosen(rng, ("USD", "EUR", "JPY", "GBP"), length),
        **{name: _amounts(values) for name, values in cents.items()},
        "total_amount": _amounts(total),
        "exchange_rate": _amounts(rng.integers(1, 2_000_000, length), places=6),
        "is_business": _chosen(rng, ("true", "false", ""), length),
        "posted_at": pc.strftime(posted_at, "%Y-%m-%d %H:%M:%S"),
        "posted_on": pc.strftime(posted_at, "%Y-%m-%d"),
        "deposited_on": pc.strftime(pa.array((second + 14 * 86_400).astype("datetime64[s]")), "%Y-%m-%d"),
        "buyer_country": _chosen(rng, ("US", "DE", "JP", "GB", "FR", "NL", ""), length),
        "note": _chosen(rng, NOTES, length),
    }
    return _with_faults(columns, rng, faulty_share)


def _cents(rng: np.random.Generator, length: int) -> dict[str, NDArray[np.int64]]:
    sales = rng.integers(1, 2_000_00, length)
    return {
        "product_sales": sales,
        "shipping_credits": rng.integers(0, 2_000, length),
        "promotion_rebates": -rng.integers(0, 500, length),
        "sales_tax": sales * 7 // 100,
        "selling_fees": -(sales * 15 // 100),
        "fulfilment_fees": -rng.integers(0, 900, length),
        "other_amount": rng.integers(-100, 100, length),
    }


# Column, faulty text, broken rule; every fault can be typed, so only a rule finds it.
FAULTS = (
    ("transaction_id", "TX12", "transaction_id:pattern"),
    ("account_number", "", "account_number:required"),
    ("marketplace", "XX", "marketplace:enum"),
    ("event_type", "order", "event_type:enum"),
    ("order_number", "123-45-6789", "order_number:pattern"),
    ("quantity", "20000", "quantity:range"),
    ("money_code", "usd", "money_code:pattern"),
    ("selling_fees", "0.01", "selling_fees:range"),
    ("total_amount", "-0.01", "total_is_sum"),
    ("exchange_rate", "-1.5", "exchange_rate:range"),
    ("deposited_on", "2001-01-01", "deposited_after_posted"),
    ("note", "x" * 201, "note:length"),
)


def _with_faults(columns: dict[str, Values], rng: np.random.Generator, faulty_share: float) -> dict[str, Values]:
    """Put one faulty cell into some rows, and repeat the previous row's transaction number in a few others."""
    length = len(columns["note"])
    kind = np.where(rng.random(length) < faulty_share, rng.integers(0, len(FAULTS) + 1, length), -1)
    for number, (column, text, _) in enumerate(FAULTS):
        columns[column] = pc.if_else(pa.array(kind == number), text, columns[column])
    repeats = np.flatnonzero(kind == len(FAULTS))
    source = np.arange(length)
    source[repeats[repeats > 0]] -= 1
    columns["transaction_id"] = columns["transaction_id"].take(pa.array(source))
    return columns


def _chosen(rng: np.random.Generator, values: tuple[str, ...], length: int) -> Values:
    return pa.array(values).take(pa.array(rng.integers(0, len(values), length), pa.int64()))


def _numbered(prefix: str, number: NDArray[np.int64], digits: int) -> Values:
    padded: Values = pc.utf8_lpad(pa.array(number).cast(pa.string()), digits, "0")
    return pc.binary_join_element_wise(prefix, padded, "")


def _order_numbers(rng: np.random.Generator, length: int) -> Values:
    parts = [_numbered("", rng.integers(0, 10**digits, length), digits) for digits in (3, 7, 7)]
    return pc.binary_join_element_wise(*parts, "-")


def _amounts(units: NDArray[np.int64], places: int = 2) -> Values:
    """Format integers of the smallest unit as decimal text."""
    whole, rest = np.divmod(np.abs(units), 10**places)
    sign: Values = pa.array(np.where(units < 0, "-", ""))
    signed = pc.binary_join_element_wise(sign, pa.array(whole).cast(pa.string()), "")
    return pc.binary_join_element_wise(signed, _numbered("", rest, places), ".")
