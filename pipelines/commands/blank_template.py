"""Command ``passport template``: an empty file of one of our own templates, to be filled in."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Literal

from data_contracts.definition.compiler import source_contract, table_contract, table_template, template_names
from data_contracts.definition.templates import PREFIX
from data_contracts.errors import ConfigurationRefused
from pipelines.runs.publish import atomic_write_bytes

if TYPE_CHECKING:
    from pathlib import Path

_MARK = "\ufeff"


def blank_template(table: str, language: Literal["en", "zh"] = "en") -> str:
    """Return the header line of a table's template as CSV, with canonical or Chinese column names; both can be read.

    Raises:
        ConfigurationRefused: the table has no template.
    """
    table_template(table)
    columns = source_contract(f"{PREFIX}{table}").columns
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(
        column.header if language == "en" else column.synonyms[0] for column in columns
    )
    return text.getvalue()


def write_blank_template(path: Path, text: str) -> None:
    """Write a template with a byte-order mark, so that spreadsheets read it as UTF-8.

    Raises:
        ConfigurationRefused: the file exists; it may have been filled in.
    """
    if path.exists():
        raise ConfigurationRefused(f"{path} exists and may have been filled in", "name another file")
    atomic_write_bytes(path, (_MARK + text).encode())


def template_list() -> str:
    """Return one line per template: the table, and what one row means."""
    width = max(map(len, template_names()))
    return "\n".join(f"{name:{width}}  {table_contract(name).title}" for name in template_names())
