"""Applicant files with values that nobody should deliver, in random places; every file is readable as a whole."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from xlsxwriter.worksheet import Worksheet

    from data_contracts.arrow import Values

IDENTITIES: Final = ("applicant_id", "seller_id", "as_of")
# A lone surrogate stands for the byte that is not UTF-8; files are written with it as that byte.
_NO_UTF8: Final = ("Stra\udcdfe", "\udcff\udcfe", "\udcb2\udce2", "\udcc3")
NUMBERS: Final = (
    *("1e45", "-1e308", "1.7976931348623157e308", "1e309", "800", "-800", "5e-324", "-0.0", "NaN", "inf", "-Infinity"),
    *(
        "0x1F",
        "1_000",
        "1,5",
        "１２",
        "--5",
        "+-5",
        "1e",
        "e5",
        ".",
        "1e999999999999",
        "9" * 400,
        "0" * 400 + "1",
        "½",
        "三",
    ),
)
DAYS: Final = (
    *("0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "1989-12-31", "2024-02-30", "2024-13-01", "today"),
    *("20240630", "30/06/2024", "45473", "２０２４-06-30", "2024-06-30T24:00:00", "-2024-06-30"),
)
TEXTS: Final = (
    *("=1+1", "@SUM(A1)", "x;=1+1", "\t=1", "'", '"', '""', "a,b", "a;b", "two\nlines", "a\r\nb", "a\rb", "\n", "\r"),
    *(
        "2.2312025e+17",
        "2.23120E+17",
        "2.0",
        "1e5",
        "\u202eS1",
        "\ufeff",
        "\u200b",
        "\x00",
        "\x07",
        "卖家",
        "🦊",
        "\U0010ffff",
    ),
    *(
        "x" * 40_000,
        "null",
        "None",
        "NaN",
        "../../etc",
        "<script>",
        "{{ 7 * 7 }}",
        "%s%n",
        "${x}",
        "\\",
        "S1\\",
        "a\x1fb",
    ),
)
Cells = list[str]


def hostile_rows(good: Sequence[Cells], count: int, seed: int) -> list[Cells]:
    """Return rows as text, each a good row in which none, some or all cells were replaced."""
    dice = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        cells = list(_pick(dice, good))
        cells[0], cells[1] = f"A{number}", cells[1] if dice.random() < 0.5 else f"S{number}"
        places = (
            range(len(cells)) if dice.random() < 0.02 else dice.permutation(len(cells))[: dice.integers(0, 4)].tolist()
        )
        for place in places:
            cells[place] = hostile_cell(dice)
        rows.append(cells)
    return rows


def hostile_cell(dice: np.random.Generator) -> str:
    """Return a text that is no proper value, or one made of random characters."""
    pool = _pick(dice, (NUMBERS, NUMBERS, DAYS, TEXTS, _NO_UTF8, ("",)))
    if dice.random() < 0.8:
        return _pick(dice, pool)
    return "".join(
        chr(int(dice.integers(*_pick(dice, ((0, 0x100), (0x4E00, 0xA000)))))) for _ in range(int(dice.integers(1, 10)))
    )


Choice = TypeVar("Choice")


def _pick(dice: np.random.Generator, pool: Sequence[Choice]) -> Choice:
    # NumPy's own choice would turn texts into its own, without a NUL at the end.
    return pool[int(dice.integers(len(pool)))]


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Cells]) -> list[int]:
    """Write rows with every cell quoted as far as it has to be; return the physical line at which each begins."""
    line, starts = 2, []
    with path.open("wb") as file:
        file.write((",".join(header) + "\n").encode())
        for cells in rows:
            record = ",".join(map(_quoted, cells)).encode("utf-8", "surrogateescape")
            file.write(record + b"\n")
            starts.append(line)
            line += record.count(b"\n") + 1
    return starts


def write_spoilt_csv(path: Path, header: Sequence[str], rows: Sequence[Cells], seed: int) -> None:
    """Write rows of which every fifth is not well formed: bytes are lost, doubled or replaced."""
    dice = np.random.default_rng(seed)
    lines = [",".join(header).encode()]
    for cells in rows:
        record = bytearray(",".join(map(_quoted, cells)).encode("utf-8", "surrogateescape"))
        if dice.random() < 0.2:
            place = int(dice.integers(len(record)))
            record[place : place + int(dice.integers(4))] = _pick(
                dice, (b"", b'"', b",", b'""', b"\x00", b"\r", b"\xff")
            )
        lines.append(bytes(record))
    path.write_bytes(b"\n".join(lines) + b"\n")


def _quoted(cell: str) -> str:
    return f'"{cell.replace(chr(34), chr(34) * 2)}"' if set(cell) & set(',"\n\r') else cell


def write_xlsx(path: Path, header: Sequence[str], rows: Sequence[Cells], seed: int) -> list[int]:
    """Write rows with cells of every type that a workbook has; return the number of each row in the sheet."""
    dice = np.random.default_rng(seed)
    book = xlsxwriter.Workbook(str(path), {"nan_inf_to_errors": True, "default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, header)
    for number, cells in enumerate(rows, start=1):
        for place, cell in enumerate(cells):
            _write_cell(sheet, (number, place), cell.encode("utf-8", "replace").decode()[:32_000], dice)
        if not any(cells):
            sheet.write_string(number, 0, "A")  # an empty row is no row
    book.close()
    return list(range(2, len(rows) + 2))


def _write_cell(sheet: Worksheet, place: tuple[int, int], cell: str, dice: np.random.Generator) -> None:
    odd: tuple[Callable[[], object], ...] = (
        lambda: sheet.write_number(*place, _pick(dice, (1e45, -1e308, 2.0, 2.2312025e17, 1e15, 800.0, math.inf))),
        lambda: sheet.write_boolean(*place, dice.random() < 0.5),
        lambda: sheet.write_datetime(*place, datetime(_pick(dice, (1900, 1904, 2024, 9999)), 12, 31, 23)),
        lambda: sheet.write_formula(*place, "=1/0", None, "#DIV/0!"),
        lambda: sheet.write_blank(*place, None),
    )
    if dice.random() < 0.03:
        _pick(dice, odd)()
        return
    is_number = _is_number(cell) and dice.random() < 0.5
    sheet.write_number(*place, float(cell)) if is_number else sheet.write_string(*place, cell)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def parquet_table(good: pa.Table, count: int, seed: int) -> pa.Table:
    """Return applicants as a table whose columns have other types that Parquet knows, with the ends of their ranges."""
    dice, generator = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    columns: dict[str, Any] = {
        "applicant_id": _texts([f"A{number}" for number in range(count)], dice),
        "seller_id": _texts([f"S{number}" for number in range(count)], dice),
        "as_of": _days(count, dice, generator),
    }
    for name in good.column_names:
        if name not in IDENTITIES:
            values = good[name].to_numpy()[generator.integers(0, good.num_rows, count)]
            columns[name] = _numbers(np.nan_to_num(values), dice, generator)
    return pa.table(columns)


def write_parquet_file(path: Path, table: pa.Table) -> list[int]:
    """Write a table; return the number of each row."""
    pq.write_table(table, path, row_group_size=max(table.num_rows // 3, 1))
    return list(range(1, table.num_rows + 1))


def _texts(texts: list[str], dice: np.random.Generator) -> Values:
    pool = (*TEXTS, *_NO_UTF8, "", " ")
    cells = [_pick(dice, pool) if dice.random() < 0.1 else text for text in texts]
    raw = pa.array([cell.encode("utf-8", "surrogateescape") for cell in cells], pa.binary())
    # A view does not check the characters, and neither does whoever writes Parquet.
    text = raw.view(pa.string())
    kind = _pick(dice, ("text", "large", "dictionary"))
    if kind == "large":
        return pa.array([cell.encode("utf-8", "surrogateescape") for cell in cells], pa.large_binary()).view(
            pa.large_string()
        )
    if kind == "dictionary":
        plain = [cell.encode("utf-8", "replace").decode() for cell in cells]
        return pa.array(plain).dictionary_encode()
    return text


def _days(count: int, dice: np.random.Generator, generator: np.random.Generator) -> Values:
    kind = _pick(dice, ("date32", "date64", "ms", "us", "ns", "us, UTC", "us, Asia/Shanghai", "text", "null"))
    days = np.full(count, (date(2024, 6, 30) - date(1970, 1, 1)).days, dtype=np.int64)
    odd = generator.random(count) < 0.3
    if kind == "text":
        return pa.array([_pick(dice, (*DAYS, "2024-06-30")) for _ in range(count)])
    if kind == "null":
        return pa.nulls(count)
    if kind == "date32":
        days[odd] = generator.integers(-(2**31), 2**31, odd.sum())
        return pa.array(days.astype(np.int32)).view(pa.date32())
    unit = {"date64": "ms"}.get(kind, kind.split(",")[0])
    counted = days * 86_400 * {"ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    # A day in milliseconds is stored as a number of days, which has to fit.
    low, high = (-(2**31) * 86_400_000, (2**31 - 1) * 86_400_000) if kind == "date64" else (-(2**63), 2**63 - 1)
    counted[odd] = generator.integers(low, high, odd.sum())
    if kind == "date64":
        return pa.array(counted // 86_400_000 * 86_400_000).view(pa.date64())
    return pa.array(counted).view(pa.timestamp(unit, kind.partition(", ")[2] or None))


def _numbers(values: np.ndarray[Any, Any], dice: np.random.Generator, generator: np.random.Generator) -> Values:
    odd = generator.random(len(values)) < 0.02
    kind = _pick(
        dice, (*(["float64"] * 12), "float32", "float16", "int64", "uint64", "int8", "decimal", "bool", "null")
    )
    if kind == "null":
        return pa.nulls(len(values))
    if kind == "bool":
        return pa.array(values > 0)
    if kind == "decimal":
        return pa.array([int(value) for value in np.clip(values, 0, 1e6)], pa.decimal256(70, 2))
    with np.errstate(over="ignore", invalid="ignore"):
        typed = np.clip(values, 0, 100).astype(kind)
        extremes = [1e45, -1e308, 800.0, np.inf, -np.inf, np.nan, 5e-324] if "float" in kind else [0, 127]
        typed[odd] = generator.choice(np.asarray(extremes), odd.sum()).astype(kind)
    return pa.array(typed)
