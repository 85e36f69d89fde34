"""Detect identifiers that a spreadsheet converted to scientific notation: only six of 18 digits are left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data_contracts.arrow import Values
    from data_contracts.reading.delimited.byte_masks import Positions

DAMAGED_RULE = "cell:digits_lost"
# The form in which spreadsheets, and in small letters programs, write a number with too many digits: 5.12346E+17.
_POWER_OF_TEN = r"[0-9](\.[0-9]+)?[Ee]\+[0-9]{2,3}"
# In the key of a record with several rows, the number is between the account and the position in the file.
_DAMAGED = rf"^({_POWER_OF_TEN}|(.*:)?{_POWER_OF_TEN}@[0-9]+(:[0-9]+)?)$"
_TELLTALES = (b"E+", b"e+")


def damaged_cells(rows: pa.Table, names: tuple[str, ...]) -> Iterator[tuple[str, Positions]]:
    """Yield the name of each text column of ``names`` with such cells, and their positions in ``rows``."""
    for name in names:
        column: Values = rows[name]
        damaged = [_damaged(chunk) for chunk in column.chunks]
        positions = np.flatnonzero(np.concatenate(damaged)) if damaged else np.zeros(0, np.int64)
        if len(positions):
            yield name, positions


def _damaged(chunk: Values) -> Values:
    """Return a mask of the damaged cells of an array."""
    if pa.types.is_dictionary(chunk.type):
        found = _damaged(chunk.dictionary)
        codes = chunk.indices.fill_null(0).to_numpy()
        return (
            found[codes] & chunk.is_valid().to_numpy(zero_copy_only=False)
            if found.any()
            else np.zeros(len(chunk), bool)
        )
    data = chunk.buffers()[2] if pa.types.is_string(chunk.type) else None
    # Searching all bytes at once for this sequence is much cheaper than matching cells, as hardly any is damaged.
    text = b"" if data is None else data.to_pybytes()
    if not any(telltale in text for telltale in _TELLTALES):
        return np.zeros(len(chunk), bool)
    matched: Values = pc.match_substring_regex(chunk, _DAMAGED)
    return matched.fill_null(False).to_numpy(zero_copy_only=False)  # noqa: FBT003 - Arrow takes it by place alone
