"""Strict readers of raw files: rows that were read with certainty, rows that were set aside, or a refusal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from data_contracts.errors import ConfigurationRefused
from data_contracts.lineage import Origin, ReadResult
from data_contracts.reading.delimited.reader import read_delimited
from data_contracts.reading.delimited.tagged import read_tagged
from data_contracts.reading.doubts import absence_doubts
from data_contracts.reading.file_forms import in_form_of
from data_contracts.reading.records.json_reader import read_json_lines, read_json_records
from data_contracts.reading.records.xml_reader import read_xml
from data_contracts.reading.statements.bank_tables import read_bank_table
from data_contracts.reading.statements.camt import read_camt
from data_contracts.reading.statements.mt940 import read_mt940
from data_contracts.reading.statements.ofx import read_ofx
from data_contracts.reading.template_files import read_tabular
from data_contracts.reading.workbooks.reader import read_workbook
from data_contracts.reading.workbooks.sheets import read_sheets

if TYPE_CHECKING:
    from collections.abc import Callable

    from data_contracts.definition.contract import CompiledContract

__all__ = [
    "Origin",
    "ReadResult",
    "read_delimited",
    "read_file",
    "read_json_lines",
    "read_json_records",
    "read_sheets",
    "read_tabular",
    "read_tagged",
    "read_workbook",
    "read_xml",
]

_READERS: dict[str, Callable[[bytes, CompiledContract, str], ReadResult]] = {
    "delimited": read_delimited,
    "json": read_json_records,
    "jsonl": read_json_lines,
    "xlsx": read_workbook,
    "tabular": read_tabular,
    "tagged": read_tagged,
    "xml": read_xml,
    "bank_table": read_bank_table,
    "camt053": read_camt,
    "mt940": read_mt940,
    "ofx": read_ofx,
}


def read_file(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Read a raw file with the reader for the format that its contract declares.

    ``file_name`` is only used in lineage and messages; nothing is opened. Raises the errors of the single readers.
    """
    contract = in_form_of(data, contract)
    if contract.read_spec is None:
        raise ConfigurationRefused(f"{contract.identity} does not describe a raw file", "use a source contract")
    reader = read_sheets if contract.read_spec.sheets else _READERS[contract.read_spec.format]
    result = reader(data, contract, file_name)
    return replace(result, notes=(*result.notes, *absence_doubts(result.headers, contract)))
