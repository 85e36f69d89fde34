"""Cast files that may write numbers with a decimal point or a decimal comma, each file in its own format.

The format is a property of the file, never of a cell: ``1.020,00`` and ``1,020.00`` are told apart by the last mark,
which one or two digits follow. If a file has both, or neither, its numbers are read as the contract says, and casting
sets aside the cells that are not.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.contract import CompiledContract, ReadSpec
from data_contracts.lineage import ROW_ORDER, ReadResult, concat_quarantine
from data_contracts.values.casting import cast_columns

if TYPE_CHECKING:
    from data_contracts.arrow import Values

_POINT = r"\.\d{1,2}$"
_COMMA = r",\d{1,2}$"
_COMMA_AND_SPACE = r"\d[ \x{a0}\x{202f}]\d{3}(?:,|$)"


def cast_by_file(result: ReadResult, contract: CompiledContract) -> ReadResult:
    """Cast the text rows of several files, each file with its own decimal mark, as ``cast_columns`` does."""
    spec = contract.read_spec or ReadSpec("delimited")
    # Rows are in the order of their files.
    _, first = np.unique(result.rows["file_order"].to_numpy(), return_index=True)
    borders = [*first.tolist(), result.rows.num_rows]
    formats = [_format_of(result.rows.slice(a, b - a), contract) for a, b in pairwise(borders)]
    parts = []
    for marks in sorted(set(formats), key=str) or [None]:
        chosen = np.repeat([one == marks for one in formats], np.diff(borders)).astype(bool)
        own = spec if marks is None else replace(spec, decimal_mark=marks[0], thousands_mark=marks[1])
        rows = result.rows.filter(pa.array(chosen))
        parts.append(cast_columns(replace(result, rows=rows), replace(contract, read_spec=own)))
    whole = pa.concat_tables([part.rows for part in parts]).unify_dictionaries().sort_by(ROW_ORDER)
    return replace(result, rows=whole, quarantined=concat_quarantine([part.quarantined for part in parts]))


def _format_of(rows: pa.Table, contract: CompiledContract) -> tuple[str, str] | None:
    """Return the decimal and thousands mark of a file, or None for those of the contract."""
    names = [column.name for column in contract.columns if pa.types.is_decimal(column.arrow_type)]
    cells: Values = pa.chunked_array([chunk for name in names for chunk in rows[name].chunks], pa.string())
    texts: Values = pc.utf8_trim_whitespace(cells)
    if not _any(texts, _COMMA) or _any(texts, _POINT):
        return None
    return ",", " " if _any(texts, _COMMA_AND_SPACE) else "."


def _any(texts: Values, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, pattern)).as_py())
