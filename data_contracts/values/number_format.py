"""Cast files that may write numbers with a decimal point or a decimal comma, each file in its own format.

The format is a property of the file, never of a cell: ``1.020,00`` and ``1,020.00`` are told apart by the last mark,
which one or two digits follow. If a file has both, or neither, its numbers are read as the contract says, and casting
sets aside the cells that are not. So does it with ``1.250`` where nothing else tells 1250 from 1.25.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import string_bytes, with_column
from data_contracts.definition.contract import CompiledContract, ReadSpec
from data_contracts.lineage import ROW_ORDER, NumberForms, ReadResult, concat_quarantine
from data_contracts.values.casting import cast_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import Column

_POINT = r"\.\d{1,2}$"
# Where no cell has a decimal comma, these have a decimal point: thousands come in threes and never begin with a zero.
_ALSO_POINT = r"\.\d{4,}$|^[+-]?0\.\d|\d{4}\.\d|,\d{3}(\.|,)"
_COMMA = r",\d{1,2}$"
_COMMA_AND_SPACE = r"\d[ \x{a0}\x{202f}]\d{3}(?:,|$)"
_THOUSANDS_OR_DECIMALS = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"
# A number cell of a workbook has no zero at its end, so a text cell has written it.
_MONEY_IN_TEXT = r"\.\d\d0$"
_IN_ALL_AMOUNTS: Final = (_POINT, _COMMA, _COMMA_AND_SPACE, _ALSO_POINT)
_IN_MONEY: Final = (_THOUSANDS_OR_DECIMALS, _MONEY_IN_TEXT)
_PATTERNS: Final = (*_IN_ALL_AMOUNTS, *_IN_MONEY)
# 1.250 has five characters.
_SHORTEST_UNCLEAR: Final = 5
_COMMA_BYTE: Final = np.uint8(ord(","))
_POINT_BYTE: Final = np.uint8(ord("."))
_BLANK_BYTE: Final = np.uint8(ord(" "))
_LAST_ASCII: Final = np.uint8(127)
_TEXT_FORMS: Final = frozenset({"delimited", "bank_table", "tabular"})
_IS_MONEY: Final = ("currency", "USD", "CNY")


_MARK: Final = "thousands or decimals"


@dataclass(frozen=True)
class FileNumbers:
    """How the files of some rows write numbers.

    Attributes:
        file_of: the place of each row's file.
        forms: how each of the files writes numbers.
    """

    file_of: NDArray[np.int64]
    forms: NumberForms


class NumberEvidence:
    """What tells how files write numbers, gathered piece by piece: the telling cell may be in any piece of a file."""

    def __init__(self, contract: CompiledContract, file_count: int) -> None:
        self._spec = contract.read_spec or ReadSpec("delimited")
        self._names, self._money = _amounts(contract)
        self._found = {pattern: np.zeros(file_count, np.bool_) for pattern in _PATTERNS}

    def add(self, rows: pa.Table, number: int) -> None:
        """Look at text rows of a file; its number is counted from 0."""
        if not rows.num_rows or not _may_be_written_otherwise(self._spec):
            return
        if self._found[_POINT][number] and not may_differ(rows, self._names):
            return  # Plain numbers tell nothing but that there is a decimal point.
        of_one_file = np.zeros(rows.num_rows, np.int64)
        for pattern, matches in _evidence(rows, self._names, self._money, of_one_file).items():
            self._found[pattern][number] |= matches[0]

    def forms(self) -> NumberForms:
        """Return how each file writes numbers, from all rows seen."""
        return _decided(self._found, as_text=self._spec.format in _TEXT_FORMS)


def file_numbers(rows: pa.Table, names: Sequence[str], money: Sequence[str], *, as_text: bool = True) -> FileNumbers:
    """Find how each file writes numbers, from all cells of some text columns.

    Args:
        rows: text rows with ``file_order``.
        names: the columns of numbers.
        money: those of them that are money; others may rightly have three decimals.
        as_text: whether every cell is written text; a workbook has number cells, too.
    """
    _, file_of = np.unique(rows["file_order"].to_numpy(), return_inverse=True)
    return FileNumbers(file_of, _decided(_evidence(rows, names, money, file_of), as_text=as_text))


def written_plainly(rows: pa.Table, contract: CompiledContract) -> bool:
    """Return whether text rows can only have the decimal mark of their contract, or none."""
    names, _ = _amounts(contract)
    return not _may_be_written_otherwise(contract.read_spec or ReadSpec("delimited")) or not may_differ(rows, names)


def cast_in_one_format(pieces: Iterable[ReadResult], contract: CompiledContract) -> Callable[[ReadResult], ReadResult]:
    """Return the cast for the pieces of one file; what decides its decimal mark may be in any of them.

    Args:
        pieces: all text rows of the file.
        contract: the contract of the file.
    """
    evidence = NumberEvidence(contract, file_count=1)
    for piece in pieces:
        evidence.add(piece.rows, 0)
    forms = evidence.forms()

    def cast(piece: ReadResult) -> ReadResult:
        return _cast_in_forms(piece, contract, FileNumbers(np.zeros(piece.rows.num_rows, np.int64), forms))

    return cast


def cast_by_file(result: ReadResult, contract: CompiledContract) -> ReadResult:
    """Cast the text rows of several files, each file with its own decimal mark, as ``cast_columns`` does."""
    decided = result.number_forms
    if decided is not None:
        numbers = FileNumbers(result.rows["file_order"].to_numpy().astype(np.int64), decided)
        return _cast_in_forms(result, contract, numbers)
    if written_plainly(result.rows, contract):
        return cast_columns(result, contract)
    spec = contract.read_spec or ReadSpec("delimited")
    names, money = _amounts(contract)
    numbers = file_numbers(result.rows, names, money, as_text=spec.format in _TEXT_FORMS)
    return _cast_in_forms(result, contract, numbers)


def _cast_in_forms(result: ReadResult, contract: CompiledContract, numbers: FileNumbers) -> ReadResult:
    spec = contract.read_spec or ReadSpec("delimited")
    names, _ = _amounts(contract)
    rows = with_unclear_cells(result.rows, names, numbers.forms.is_doubtful[numbers.file_of])
    kinds = numbers.forms.kinds[numbers.file_of]
    found = np.unique(kinds).tolist() or [0]
    if len(found) == 1:
        return cast_columns(replace(result, rows=rows), replace(contract, read_spec=_written_as(spec, found[0])))
    parts = []
    for kind in found:
        chosen = replace(result, rows=rows.filter(pa.array(kinds == kind)))
        parts.append(cast_columns(chosen, replace(contract, read_spec=_written_as(spec, kind))))
    whole = pa.concat_tables([part.rows for part in parts]).unify_dictionaries().sort_by(ROW_ORDER)
    return replace(result, rows=whole, quarantined=concat_quarantine([part.quarantined for part in parts]))


def files_with_unclear_numbers(quarantined: pa.Table) -> set[str]:
    """Return the files with rows that were set aside because a number may have thousands or decimals."""
    ends: Any = pc.ends_with(quarantined["value"], f": {_MARK}")
    unclear: Values = pc.fill_null(ends, pa.scalar(value=False))
    return {str(name) for name in quarantined.filter(unclear)["source_file"].to_pylist()}


def may_differ(rows: pa.Table, names: Sequence[str]) -> bool:
    """Return whether a cell has a comma, a blank, or three digits after a point; most files have none of them."""
    return any(_bytes_may_differ(chunk) for name in names for chunk in rows[name].chunks)


def _bytes_may_differ(cells: Values) -> bool:
    """Look at the bytes of all cells at once, which is much faster than a pattern for each cell."""
    codes, borders = string_bytes(cells.cast(pa.string()))
    written = codes[borders[0] : borders[-1]]
    if ((written == _COMMA_BYTE) | (written == _BLANK_BYTE) | (written > _LAST_ASCII)).any():
        return True
    ends = borders[1:][borders[1:] - borders[:-1] >= _SHORTEST_UNCLEAR]
    return bool((codes[ends - _SHORTEST_UNCLEAR + 1] == _POINT_BYTE).any())


def _amounts(contract: CompiledContract) -> tuple[list[str], list[str]]:
    """Return the columns of numbers with decimals, and those of them that are money."""
    columns = [column for column in contract.columns if pa.types.is_decimal(column.arrow_type)]
    return [column.name for column in columns], [column.name for column in columns if _is_money(column)]


def _is_money(column: Column) -> bool:
    return column.unit is not None and (_IS_MONEY[0] in column.unit or column.unit in _IS_MONEY)


def _may_be_written_otherwise(spec: ReadSpec) -> bool:
    """Return whether files of a contract may have a decimal comma where it says a decimal point."""
    return (spec.format in _TEXT_FORMS or spec.format == "xlsx") and spec.decimal_mark == "."


def _written_as(spec: ReadSpec, kind: int) -> ReadSpec:
    return spec if kind == 0 else replace(spec, decimal_mark=",", thousands_mark=" " if kind == 2 else ".")


def _evidence(
    rows: pa.Table, names: Sequence[str], money: Sequence[str], file_of: NDArray[np.int64]
) -> dict[str, NDArray[np.bool_]]:
    """Return, for each pattern, the files with a cell that matches it."""
    in_amounts = {pattern: _files_with(rows, names, pattern, file_of) for pattern in _IN_ALL_AMOUNTS}
    return in_amounts | {pattern: _files_with(rows, money, pattern, file_of) for pattern in _IN_MONEY}


def _decided(found: Mapping[str, NDArray[np.bool_]], *, as_text: bool) -> NumberForms:
    point, comma = found[_POINT], found[_COMMA]
    unclear = found[_THOUSANDS_OR_DECIMALS]
    if not as_text:
        unclear = unclear & found[_MONEY_IN_TEXT]
    undecided = unclear & ~comma & ~point & ~found[_ALSO_POINT]
    return NumberForms(comma & ~point, found[_COMMA_AND_SPACE], (comma & point) | undecided)


def _files_with(rows: pa.Table, names: Sequence[str], pattern: str, file_of: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return, for each file, whether a cell of these columns matches."""
    found = np.zeros(int(file_of.max(initial=-1)) + 1, np.bool_)
    for name in names:
        matches: Any = pc.match_substring_regex(pc.utf8_trim_whitespace(rows[name]), pattern)
        found[file_of[np.asarray(pc.fill_null(matches, pa.scalar(value=False)))]] = True
    return found


def with_unclear_cells(rows: pa.Table, names: Sequence[str], is_doubtful: NDArray[np.bool_]) -> pa.Table:
    """Return the rows with each cell of a doubtful file that may have thousands or decimals as a text no cast reads."""
    if not is_doubtful.any():
        return rows
    for name in names:
        text: Values = pc.utf8_trim_whitespace(rows[name])
        matches: Any = pc.fill_null(pc.match_substring_regex(text, _THOUSANDS_OR_DECIMALS), pa.scalar(value=False))
        unclear: Values = pc.and_(matches, pa.chunked_array([pa.array(is_doubtful)]))
        said: Any = pc.binary_join_element_wise(text, _MARK, ": ")
        rows = with_column(rows, name, pc.if_else(unclear, said, rows[name]))
    return rows
