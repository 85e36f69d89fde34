"""Tiny contracts, and tables that satisfy or break them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import numpy as np
import pyarrow as pa

from data_contracts.definition.compiler import compile_contract
from data_contracts.definition.contract import Column, CompiledContract


def column(name: str, logical_type: str = "string", header: str | None = None, **keywords: object) -> dict[str, Any]:
    """Return an ODCS property; ``custom`` holds its custom properties as a dictionary."""
    custom = cast("Mapping[str, object]", keywords.pop("custom", {}))
    prop = {
        "name": name,
        "logicalType": logical_type,
        "description": f"Meaning of {name}",
        "businessName": "含义",
        "classification": "internal",
        **keywords,
    }
    if header is not None:
        prop["physicalName"] = header
    if custom:
        prop["customProperties"] = [{"property": key, "value": value} for key, value in custom.items()]
    return prop


def bad_rows(name: str, condition: str, severity: str = "error") -> dict[str, Any]:
    """Return an ODCS quality entry that marks rows with an SQL condition."""
    query = f"SELECT COUNT(*) FROM ${{table}} WHERE {condition}"  # noqa: S608 - a test's own condition
    return {"name": name, "type": "sql", "severity": severity, "mustBe": 0, "query": query, "description": name}


def contract_document(
    columns: Sequence[Mapping[str, Any]],
    quality: Sequence[Mapping[str, Any]] = (),
    server: Mapping[str, Any] | None = None,
    custom: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an ODCS document; ``server`` holds the server's fields, ``custom`` the contract's custom properties."""
    document: dict[str, Any] = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": "tiny",
        "version": "1.0.0",
        "name": "Tiny",
        "status": "active",
        "description": {"purpose": "For tests."},
        "schema": [{"name": "tiny", "properties": list(columns), **({"quality": list(quality)} if quality else {})}],
    }
    if server is not None:
        document["servers"] = [{"server": "file", "type": "custom", "encoding": "UTF-8", **server}]
    if custom:
        document["customProperties"] = [{"property": key, "value": value} for key, value in custom.items()]
    return document


def contract_of(
    columns: Sequence[Mapping[str, Any]],
    quality: Sequence[Mapping[str, Any]] = (),
    server: Mapping[str, Any] | None = None,
) -> CompiledContract:
    """Return the compiled contract of such a document, written as JSON, which is valid YAML."""
    return compile_contract(json.dumps(contract_document(columns, quality, server)).encode(), "tiny")


def delimited(delimiter: str = ",", **custom: object) -> dict[str, Any]:
    """Return the server fields of delimited text; keywords are its custom properties."""
    properties = [{"property": key, "value": value} for key, value in custom.items()]
    fields: dict[str, Any] = {"format": "delimited", "delimiter": delimiter}
    return {**fields, "customProperties": properties} if properties else fields


def text_contract(*names: str, **custom: object) -> CompiledContract:
    """Return a comma-separated source with only text columns; the headers are their names in capitals."""
    return contract_of([column(name, header=name.upper()) for name in names], server=delimited(**custom))


_SHA256 = "0" * 64
_FIRST_DAY = date(2020, 1, 1)
_FIRST_MOMENT = datetime(2020, 1, 1, tzinfo=UTC)
_PLACES = Decimal("0.0001")


def sample_table(contract: CompiledContract, row_count: int, seed: int = 0) -> pa.Table:
    """Return a table of the contract's types in which some values break its rules: missing, foreign, out of range."""
    random = np.random.default_rng(seed)
    arrays = [pa.array(_cells(c, row_count, random), _plain_type(c)).cast(c.arrow_type) for c in contract.columns]
    return pa.table(arrays, names=[c.name for c in contract.columns])


def _plain_type(column: Column) -> pa.DataType:
    return pa.string() if pa.types.is_dictionary(column.arrow_type) else column.arrow_type


def _cells(column: Column, row_count: int, random: np.random.Generator) -> list[object]:
    missing = random.random(row_count) < 0.1
    maker = next(make for fits, make in _MAKERS if fits(column.arrow_type))
    return [None if gone else maker(column, random) for gone in missing]


def _text(column: Column, random: np.random.Generator) -> str:
    special = {"source": ["tiny@1.0.0", "nonsense"], "source_sha256": [_SHA256, "short"]}
    words = [*column.enum, "USD", "CNY", "123456", "12345678", "US", "", "other words", "名称"]
    return str(random.choice(special.get(column.name, words)))


_MAKERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Column, np.random.Generator], object]], ...] = (
    (pa.types.is_date, lambda _, random: _FIRST_DAY + timedelta(days=int(random.integers(-20, 20)))),
    (pa.types.is_timestamp, lambda _, random: _FIRST_MOMENT + timedelta(hours=int(random.integers(-480, 480)))),
    (pa.types.is_decimal, lambda _, random: (Decimal(int(random.integers(-300, 300))) / 100).quantize(_PLACES)),
    (pa.types.is_floating, lambda _, random: float(random.normal())),
    (pa.types.is_integer, lambda _, random: int(random.integers(-2, 5))),
    (pa.types.is_boolean, lambda _, random: bool(random.integers(0, 2))),
    (pa.types.is_string, _text),
    (pa.types.is_dictionary, _text),
)


def extreme_table(contract: CompiledContract) -> pa.Table:
    """Return one row with the largest and one with the smallest value of each numeric type, and valid text."""
    rows = [{c.name: _extreme(c, sign) for c in contract.columns} for sign in (1, -1)]
    return pa.Table.from_pylist(rows, schema=pa.schema([(c.name, c.arrow_type) for c in contract.columns]))


def _extreme(column: Column, sign: int) -> object:
    kind: Any = column.arrow_type
    if pa.types.is_decimal(kind):
        return sign * Decimal(10**kind.precision - 1).scaleb(-kind.scale)
    if pa.types.is_integer(kind):
        return sign * (2 ** (kind.bit_width - 1) - 1)
    if pa.types.is_floating(kind):
        return sign * 1.7e308
    maker = next(make for fits, make in _MAKERS if fits(kind))
    return maker(column, np.random.default_rng(0))
