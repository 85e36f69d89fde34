"""The form of a file whose contract describes several, told by its first bytes."""

from __future__ import annotations

import codecs
from dataclasses import replace
from typing import TYPE_CHECKING

from data_contracts.reading.parquet_files import PARQUET_START

if TYPE_CHECKING:
    from data_contracts.definition.contract import CompiledContract

_WORKBOOK_START = b"PK\x03\x04"


def single_forms(contract: CompiledContract) -> tuple[CompiledContract, ...]:
    """Return the contract for each form of file that it describes."""
    forms = (contract.read_spec, *contract.other_forms)
    return tuple(replace(contract, read_spec=form, other_forms=()) for form in forms)


def in_form_of(data: bytes, contract: CompiledContract) -> CompiledContract:
    """Return the contract for the form of a file with these bytes, or for its first form if none could be meant."""
    if not contract.other_forms:
        return contract
    kinds = _possible_formats(data[:1024])
    forms = single_forms(contract)
    return next((form for form in forms if form.read_spec is not None and form.read_spec.format in kinds), forms[0])


def _possible_formats(start: bytes) -> set[str]:
    if start.startswith(_WORKBOOK_START):
        return {"xlsx", "tabular"}
    if start.startswith(PARQUET_START):
        return {"jsonl", "tabular"}
    text = start.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith((b"[", b"{")):
        return {"json", "jsonl"}
    return {"xml"} if text.startswith(b"<") else {"delimited", "tabular", "tagged"}
