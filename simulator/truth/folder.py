"""A folder of truth tables as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import pyarrow.csv as pacsv

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa


class TruthFolder:
    """A folder of CSV tables, filled district by district, with a note that explains them."""

    def __init__(self, folder: Path, note: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._writers: dict[str, pacsv.CSVWriter] = {}
        (folder / "README.txt").write_text(note, encoding="utf-8")

    def __enter__(self) -> Self:
        """Return the folder; files are created when their first rows come."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all files."""
        for writer in self._writers.values():
            writer.close()

    def add(self, tables: Mapping[str, pa.Table]) -> None:
        """Append the rows of a district."""
        for name, table in tables.items():
            if name not in self._writers:
                self._writers[name] = pacsv.CSVWriter(self._folder / f"{name}.csv", table.schema)
            self._writers[name].write_table(table)
