"""Numbers that a spreadsheet has turned into powers of ten: of an identifier of 18 digits, six are left."""

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
# As spreadsheets write a number that is too long for a cell of text: 5.12346E+17.
_POWER_OF_TEN = r"[0-9](\.[0-9]+)?E\+[0-9]{2,3}"
# The key of a record of several rows stands between the account and the place in the file that make it unique.
_DAMAGED = rf"^({_POWER_OF_TEN}|(.*:)?{_POWER_OF_TEN}@[0-9]+(:[0-9]+)?)$"
_TELLTALE = b"E+"


def damaged_cells(rows: pa.Table, names: tuple[str, ...]) -> Iterator[tuple[str, Positions]]:
    """Gives for each text column of ``names`` that holds such numbers its name and their positions in ``rows``."""
    for name in names:
        column: Values = rows[name]
        damaged = [_damaged(chunk) for chunk in column.chunks]
        positions = np.flatnonzero(np.concatenate(damaged)) if damaged else np.zeros(0, np.int64)
        if len(positions):
            yield name, positions


def _damaged(chunk: Values) -> Values:
    """Gives which cells of an array are such numbers."""
    if pa.types.is_dictionary(chunk.type):
        found = _damaged(chunk.dictionary)
        codes = chunk.indices.fill_null(0).to_numpy()
        return (
            found[codes] & chunk.is_valid().to_numpy(zero_copy_only=False)
            if found.any()
            else np.zeros(len(chunk), bool)
        )
    data = chunk.buffers()[2] if pa.types.is_string(chunk.type) else None
    # Looking for the sign in all bytes at once is far cheaper than matching cells, of which hardly any is damaged.
    if data is None or _TELLTALE not in data.to_pybytes():
        return np.zeros(len(chunk), bool)
    matched: Values = pc.match_substring_regex(chunk, _DAMAGED)
    return matched.fill_null(False).to_numpy(zero_copy_only=False)  # noqa: FBT003 - Arrow takes it by place alone
