"""Made-up payout rows in the project's own template of ``money_event``, some of them faulty, written block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.compiler import source_contract

if TYPE_CHECKING:
    from pathlib import Path

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract
    from payouts.rows import Size

SOURCE = "template_money_event"
BLOCK_ROWS = 250_000
SEED = 20240701
SELLERS = 3000
# Event type and the sign of its amount.
EVENTS = (("sale", 1), ("sale", 1), ("commission", -1), ("refund", -1), ("fulfilment_fee", -1), ("payout", -1))
# Column and a faulty text for it; every fault can be typed, so only a rule finds it.
FAULTS = (
    ("event_id", ""),
    ("event_type", "Sale"),
    ("quantity", "2000000"),
    ("currency", "usd"),
    ("status", "unknown"),
    ("event_date", "1975-01-01"),
)


def template_contract() -> CompiledContract:
    """Return the contract of the template."""
    return source_contract(SOURCE)


def write_template_rows(path: Path, size: Size) -> None:
    """Write payout rows of many sellers and their header."""
    with path.open("wb") as file:
        for first in range(0, size.rows, BLOCK_ROWS):
            block = _block(first, min(BLOCK_ROWS, size.rows - first), size.faulty_share)
            if not first:
                file.write((",".join(block) + "\n").encode())
            lines = pc.binary_join_element_wise(*block.values(), ",")
            file.write("\n".join([*lines.to_pylist(), ""]).encode())


def _block(first: int, length: int, faulty_share: float) -> dict[str, Values]:
    rng = np.random.default_rng([SEED, first])
    second = rng.integers(0, 3 * 365 * 86_400, length) + 1_640_995_200
    event = rng.integers(0, len(EVENTS), length)
    cents = rng.integers(1, 200_000, length) * np.array([sign for _, sign in EVENTS])[event]
    moment = pa.array(second.astype("datetime64[s]"))
    seller = rng.integers(0, SELLERS, length)
    columns: dict[str, Values] = {
        "event_id": _numbered("TX", np.arange(first, first + length), 10),
        "seller_id": _numbered("S", seller, 6),
        "platform": _chosen(("amazon", "temu", "tiktok"), rng.integers(0, 3, length)),
        "store_id": _numbered("STORE", seller, 6),
        "marketplace": _chosen(("amazon.com", "amazon.de", "", "amazon.co.uk"), rng.integers(0, 4, length)),
        "statement_id": pa.array((10**9 + second // 1_209_600).astype(str)),
        "order_id": _numbered("O-", rng.integers(0, 10**9, length), 12),
        "sku": _numbered("SKU-", rng.integers(0, 50_000, length), 8),
        "quantity": pa.array(rng.integers(1, 20, length).astype(str)),
        "event_type": _chosen(tuple(name for name, _ in EVENTS), event),
        "raw_type": _chosen(("Order", "Refund", "Fee", "Adjustment"), rng.integers(0, 4, length)),
        "raw_subtype": _chosen(("Principal", "Commission", "Shipping", ""), rng.integers(0, 4, length)),
        "amount": _amounts(cents),
        "currency": _chosen(("USD", "EUR", "JPY", "GBP"), rng.integers(0, 4, length)),
        "event_at": pc.strftime(moment, "%Y-%m-%dT%H:%M:%SZ"),
        "available_on": _days(second + 7 * 86_400),
        "paid_out_on": _days(second + 14 * 86_400),
        "status": _chosen(("released", "paid", "deferred"), rng.integers(0, 3, length)),
        "event_date": _days(second),
        "known_at": pc.strftime(pa.array((second + 86_400).astype("datetime64[s]")), "%Y-%m-%dT%H:%M:%SZ"),
    }
    return _with_faults(columns, rng, faulty_share)


def _with_faults(columns: dict[str, Values], rng: np.random.Generator, faulty_share: float) -> dict[str, Values]:
    """Put one faulty cell into some rows, and repeat the previous row in a few others."""
    length = len(columns["event_id"])
    kind = np.where(rng.random(length) < faulty_share, rng.integers(0, len(FAULTS) + 1, length), -1)
    for number, (column, text) in enumerate(FAULTS):
        columns[column] = pc.if_else(pa.array(kind == number), text, columns[column])
    repeats = np.flatnonzero(kind == len(FAULTS))
    source = np.arange(length)
    source[repeats[repeats > 0]] -= 1
    return {name: values.take(pa.array(source, pa.int64())) for name, values in columns.items()}


def _days(second: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Values:
    return pc.strftime(pa.array(second.astype("datetime64[s]")), "%Y-%m-%d")


def _chosen(values: tuple[str, ...], number: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Values:
    return pa.array(values).take(pa.array(number, pa.int64()))


def _numbered(prefix: str, number: np.ndarray[tuple[int], np.dtype[np.int64]], digits: int) -> Values:
    padded: Values = pc.utf8_lpad(pa.array(number).cast(pa.string()), digits, "0")
    return pc.binary_join_element_wise(prefix, padded, "")


def _amounts(cents: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Values:
    whole, rest = np.divmod(np.abs(cents), 100)
    sign: Values = pa.array(np.where(cents < 0, "-", ""))
    return pc.binary_join_element_wise(sign, pa.array(whole).cast(pa.string()), ".", _numbered("", rest, 2), "")
