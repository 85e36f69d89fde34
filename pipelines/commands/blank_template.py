"""Command ``passport template``: an empty file of one of our own forms, to be filled in.

Most are templates of canonical tables. The wallet statement is a source of its own, for wallets whose layout is not
public. The list of applicants is what ``passport score`` takes.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Literal

from data_contracts.definition.compiler import source_contract, table_contract, table_template, template_names
from data_contracts.definition.templates import PREFIX
from data_contracts.errors import ConfigurationRefused
from pipelines.runs.publish import atomic_write_bytes
from pipelines.score_rows import APPLICANT_SPELLINGS

if TYPE_CHECKING:
    from pathlib import Path

_MARK = "\ufeff"
_OWN_FORMS = ("wallet_statement",)
APPLICANTS = "applicants"
_EXAMPLE = ("A-1", "S-1042", "2024-12-31")


def template_source(form: str) -> str:
    """Return the source that a filled-in form is: a form of our own by name, or the template of a canonical table.

    Raises:
        ConfigurationRefused: there is no such form.
    """
    if form in _OWN_FORMS:
        return form
    table_template(form)
    return f"{PREFIX}{form}"


def blank_template(form: str, language: Literal["en", "zh"] = "en") -> str:
    """Return the header line of a form as CSV, with English or Chinese column names; both can be read.

    The list of applicants also has an example row.

    Raises:
        ConfigurationRefused: there is no such form.
    """
    if form == APPLICANTS:
        header = APPLICANT_SPELLINGS if language == "en" else [names[0] for names in APPLICANT_SPELLINGS.values()]
        return f"{','.join(header)}\n{','.join(_EXAMPLE)}\n"
    columns = source_contract(template_source(form)).columns
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
    """Return one line per form: its name, and what it holds."""
    titles = {name: table_contract(name).title for name in template_names()}
    titles |= {name: source_contract(name).title for name in _OWN_FORMS}
    titles[APPLICANTS] = "Whom to score, for passport score"
    width = max(map(len, titles))
    return "\n".join(f"{name:{width}}  {title}" for name, title in titles.items())
