"""Find the exporter that a file of trade records is about, and see that it is the seller."""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from data_contracts.entities.company_names import parse_company_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from data_contracts.entities.company_names import CompanyName

RULE: Final = "exporter:one"
SELLER_RULE: Final = "exporter:is_seller"
OWN_NAMES: Final = "own_names"
_MOST_SHOWN = 3

_parsed = functools.lru_cache(maxsize=4096)(parse_company_name)


def rows_of_other_exporters(raw: pa.Table) -> pa.Table:
    """Return, as a screen does, the rows of other exporters than the one that their file is about.

    It is the one with a name of the seller, if such names are known: from the account that the delivery names, or from
    other sources. If no exporter has one, and the names can be compared, the file is about another firm, and all its
    rows are returned. If no name is known, it is the exporter with more than half of the rows; without one, nothing
    says whose records they are, and all rows are returned.
    """
    names: list[Any] = raw["exporter_name"].to_pylist()
    places: list[Any] = list(zip(raw["row_order"].to_pylist(), raw["file_order"].to_pylist(), strict=True))
    rows = [(row, file, name) for (row, file), name in zip(places, names, strict=True) if name is not None]
    exporters: dict[int, list[CompanyName]] = {}
    for _, file, name in rows:
        exporters.setdefault(file, []).append(_parsed(name))
    own = _own_names(raw)
    verdicts = {file: _Verdict(named, own[file]) for file, named in exporters.items()}
    strange = [(row, verdicts[file], name) for row, file, name in rows if not verdicts[file].keeps(name)]
    return pa.table(
        {
            "row_order": pa.array([row for row, _, _ in strange], pa.int64()),
            "reason": pa.array([f"{name}{verdict.reason}" for _, verdict, name in strange], pa.string()),
            "rule_id": pa.array([verdict.rule for _, verdict, _ in strange], pa.string()),
        }
    )


class _Verdict:
    """Which exporters of a file are kept, by the keys of their names, and why the others are not."""

    def __init__(self, exporters: Sequence[CompanyName], own: Sequence[CompanyName]) -> None:
        count = Counter(exporter.key for exporter in exporters)
        self.rule, self.reason = RULE, ""
        self._kept = {key for key in count if any(_is_same(key, one) for one in own)}
        if self._kept:
            return
        if own and all(_can_differ(one, exporter) for one in own for exporter in set(exporters)):
            self.rule, self.reason = SELLER_RULE, ": not the seller, by the names that are known of it"
            return
        prevailing = _prevailing(count)
        self._kept = set() if prevailing is None else {prevailing}
        self.reason = _shares(count) if prevailing is None else ""

    def keeps(self, name: str) -> bool:
        return _parsed(name).key in self._kept


def _own_names(raw: pa.Table) -> dict[int, tuple[CompanyName, ...]]:
    """Return, by file, the parsed names of its seller: an account that names a firm, else those of other sources."""
    known: list[Any] = raw[OWN_NAMES].to_pylist() if OWN_NAMES in raw.column_names else [None] * raw.num_rows
    found: dict[int, tuple[CompanyName, ...]] = {}
    files: list[Any] = raw["file_order"].to_pylist()
    for file, account, names in zip(files, raw["account"].to_pylist(), known, strict=True):
        if file not in found:
            named = None if account is None else _parsed(account)
            is_firm = named is not None and named.legal_form is not None
            found[file] = (named,) if named is not None and is_firm else _of_lines(names)
    return found


def _of_lines(names: str | None) -> tuple[CompanyName, ...]:
    return () if names is None else tuple(_parsed(name) for name in names.split("\n"))


def _is_same(key: str, own: CompanyName) -> bool:
    # One of two names may have more words of the trade or the place.
    return bool(key and own.key) and (key.startswith(own.key) or own.key.startswith(key))


def _can_differ(own: CompanyName, exporter: CompanyName) -> bool:
    """Return whether two names that differ are of two firms: a name in characters has another one in English."""
    if own.is_chinese == exporter.is_chinese:
        return True
    return bool(exporter.syllables if own.is_chinese else own.syllables)


def _prevailing(count: Mapping[str, int]) -> str | None:
    most = max(count, key=lambda key: count[key])
    return most if 2 * count[most] > sum(count.values()) else None


def _shares(count: Counter[str]) -> str:
    """Return the largest exporters of a file in which none prevails."""
    ordered = sorted(count.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{number} of {sum(count.values())}" for _, number in ordered[:_MOST_SHOWN])
    return f": no exporter has more than half of the rows ({shown}); export the records of the seller alone"
