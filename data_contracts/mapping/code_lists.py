"""Code lists that sources keep as TOML beside their contract, such as country codes by name."""

from __future__ import annotations

import tomllib
from importlib import resources

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column


def code_list(package: str, file: str, section: str, names: tuple[str, str]) -> pa.Table:
    """Return a section of a TOML file in a package as a table of two text columns, sorted by key.

    Args:
        package: package that contains the file.
        file: name of the file.
        section: table of the file that maps keys to codes.
        names: names of the key column and the code column.
    """
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    keys, codes = zip(*sorted(tomllib.loads(text)[section].items()), strict=True)
    return pa.table({names[0]: pa.array(keys, pa.string()), names[1]: pa.array(codes, pa.string())})


def country_names(package: str) -> pa.Table:
    """Return the ``countries.toml`` of a package: ``folded_name``, in lower case, and its ISO 3166 code ``alpha_2``."""
    codes = code_list(package, "countries.toml", "alpha_2_of", ("folded_name", "alpha_2"))
    return with_column(codes, "folded_name", pc.utf8_lower(codes["folded_name"]))
