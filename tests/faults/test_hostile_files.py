"""Corrupted copies of a valid file of every delimited source: refused in one line, set aside, or read unchanged.

The variant generator of the test data, beside the real data folder, makes the copies. An even selection of copies and
sources is read; ``HOSTILE_FILES=all`` reads all. ``HOSTILE_FILES_COUNTS=FILE`` writes the outcomes by source into a
JSON file that later runs extend.
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest

from data_contracts.definition.compiler import source_contract
from data_contracts.definition.contract import Column
from data_contracts.definition.templates import PREFIX
from data_contracts.reading.headers import match_headers
from data_contracts.sources.registry import REFERENCE_LISTS
from tests.factories.faults.hostile_files import Reading, read_spoilt
from tests.factories.files.delimited_samples import DelimitedSample, delimited_samples

csv.field_size_limit(2**24)
SAMPLES = {sample.source: sample for sample in delimited_samples()}
SHARE = 1 if os.environ.get("HOSTILE_FILES") == "all" else 16
# Rows of a group that fall with the spoilt one: they are right in themselves, and set aside with it by contract.
GROUP_RULES = {"settlement_adds_up", "settlement_has_totals", "group:whole", "balance:chain"}
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
# Points group the digits before a comma.
_WITH_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+")


@dataclass(frozen=True)
class Variant:
    """A line of the generator's manifest."""

    file: str
    category: str
    expect: str
    bad_rows: int


@dataclass(frozen=True)
class Case:
    """A corrupted copy beside its original."""

    sample: DelimitedSample
    variant: Variant
    data: bytes
    clean: Reading
    found: Reading


@pytest.fixture(scope="session")
def generator(shared_data: Path) -> Path:
    """Return the variant generator."""
    path = shared_data.parent / "tools" / "mutate_csv.py"
    if not path.is_file():
        pytest.skip(f"the variant generator of the test data is not at {path}")
    return path


def variants(generator: Path, sample: DelimitedSample, folder: Path) -> Iterator[Variant]:
    """Write every corrupted copy of a sample into ``folder`` in the form of its source."""
    good = folder / "good"
    good.write_bytes(sample.as_csv())
    kinds = {"id": sample.identifier, "amount": sample.amount, "date": sample.date, "name": sample.name}
    options = [word for kind, header in kinds.items() for word in (f"--{kind}", header)]
    subprocess.run([sys.executable, str(generator), str(good), str(folder), *options], check=True, capture_output=True)
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as manifest:
        for row in csv.DictReader(manifest):
            path = folder / row["file"]
            path.write_bytes(sample.as_delivered(path.read_bytes()))
            yield Variant(row["file"], row["category"], row["expect"], int(row["bad_rows"]))


@pytest.mark.parametrize("number", range(len(SAMPLES)), ids=list(SAMPLES))
def test_a_corrupted_file_is_refused_set_aside_or_read_unchanged(generator: Path, tmp_path: Path, number: int) -> None:
    sample = list(SAMPLES.values())[number]
    (tmp_path / "clean").write_bytes(sample.as_delivered(sample.as_csv()))
    faults: list[str] = []
    became: Counter[str] = Counter()
    clean = read_spoilt(tmp_path, "clean", sample.source)
    assert clean.refusal is None, clean.refusal
    assert len(clean.accepted) == len(sample.rows), clean.account
    for place, variant in enumerate(variants(generator, sample, tmp_path)):
        if (place + number) % SHARE == 0 and is_founded(variant, sample):
            found = read_spoilt(tmp_path, variant.file, sample.source)
            case = Case(sample, variant, (tmp_path / variant.file).read_bytes(), clean, found)
            faults += [f"{variant.file}: {fault}" for fault in violations(case)]
            became[outcome(found)] += 1
    write_counts(sample.source, {**became, "violations": len(faults)})
    assert not faults, "\n".join(faults)


def outcome(found: Reading) -> str:
    """Return what happened to a copy as a whole."""
    if found.account is None:
        return "refused"
    return "rows set aside" if found.account.set_aside else "every row accepted"


def write_counts(source: str, counts: Mapping[str, int]) -> None:
    """Add the counts of one source to the file named by the environment, if any."""
    if name := os.environ.get("HOSTILE_FILES_COUNTS"):
        path = Path(name)
        known = json.loads(path.read_text())["sources"] if path.is_file() else {}
        sources = dict(sorted({**known, source: dict(sorted(counts.items()))}.items()))
        total: Counter[str] = Counter()
        for one in sources.values():
            total.update(one)
        copies = sum(count for what, count in total.items() if what != "violations")
        document = {"total": {"contracts": len(sources), "copies": copies, **total}, "sources": sources}
        path.write_text(json.dumps(document, indent=2) + "\n")


def is_founded(variant: Variant, sample: DelimitedSample) -> bool:
    """Return whether the contract needs the column that the generator removes."""
    amounts = [column for column in source_contract(sample.source).columns if sample.amount in shown(column)]
    return variant.file != "st_col_missing.csv" or not any(column.cell.header_optional for column in amounts)


def shown(column: Column) -> set[str]:
    """Return the possible names of a column."""
    return {column.header, *column.synonyms, *(words for words, _ in column.locales)}


def violations(case: Case) -> Iterator[str]:
    """Return what the generator's manifest forbids but still happened."""
    variant, found = case.variant, case.found
    if found.refusal is not None:
        yield from unclear(str(found.refusal), variant.file)
        # One bad row spoils a list that describes other files.
        spoils = variant.expect == "quarantine" and case.sample.source in REFERENCE_LISTS
        if variant.expect not in {"reject", "safe"} and not spoils:
            yield f"refused: {found.refusal}"
        return
    if variant.expect == "reject":
        yield f"read: {found.account}"
    yield from lost(case)
    assert found.account is not None
    aside = sum(rows for rule, rows in found.account.quarantined.items() if rule not in GROUP_RULES)
    if variant.expect == "accept" and (aside or found.account.duplicates or found.accepted != case.clean.accepted):
        yield f"not accepted as it was: {found.account}"
    if variant.expect == "quarantine" and aside != variant.bad_rows:
        yield f"{aside} rows set aside instead of {variant.bad_rows}: {found.account}"
    yield from wrong_rows(case)


def unclear(message: str, file: str) -> Iterator[str]:
    """Return what a refusal leaves out."""
    shown = file.encode("unicode_escape").decode() if "\n" in file else file
    if "\n" in message or not all(word in message for word in ("input refused: ", f"file {shown}", "; remedy: ")):
        yield f"unclear refusal {message!r}"


def _is_in(original: bytes, case: Case) -> bool:
    """Return whether a file holds the bytes of a row, of which only the first may be kept."""
    return original.partition(b"\n[shortened: ")[0] in case.data


def lost(case: Case) -> Iterator[str]:
    """Return rows or bytes that are neither accepted nor set aside."""
    found = case.found
    assert found.account is not None
    assert found.quarantine is not None
    assert found.duplicates is not None
    kept = len(found.accepted) + found.quarantine.num_rows + found.duplicates.num_rows
    if kept != found.account.rows_in:
        yield f"{found.account.rows_in} rows in, {kept} accounted for"
    if not any(column.classification == "personal" for column in source_contract(case.sample.source).columns):
        originals = found.quarantine["original"].to_pylist()
        yield from (f"{one!r} are not bytes of the file" for one in originals if one is None or not _is_in(one, case))


def wrong_rows(case: Case) -> Iterator[str]:
    """Return accepted rows that match neither the clean file nor the corrupted cell."""
    known = Counter(map(repr, case.clean.accepted))
    changed = [row for row in case.found.accepted if not _taken(known, repr(row))]
    cut_off = any("cut off" in note for note in case.found.account.notes) if case.found.account else False
    if case.variant.file == "st_truncated.csv" and cut_off:
        changed = changed[:-1]  # the last row is reported as doubtful
    for row in changed:
        if not any(is_told(row, clean, case) for clean in case.clean.accepted):
            yield f"wrong row accepted: {row}"


def _taken(known: Counter[str], row: str) -> bool:
    known[row] -= 1
    return known[row] >= 0


def is_told(row: Mapping[str, Any], clean: Mapping[str, Any], case: Case) -> bool:
    """Return whether a row differs from a clean one only by the content of a corrupted cell."""
    contract = source_contract(case.sample.source)
    places = match_headers(list(case.sample.header), contract).positions
    differing = [name for name in row if row[name] != clean[name] and name in places]
    texts = {cell for line in spoilt_cells(case) for cell in line}
    return all(
        is_default(name, row, case) or any(says(text, row[name], contract.column(name)) for text in texts)
        for name in differing
    )


def is_default(name: str, row: Mapping[str, Any], case: Case) -> bool:
    """Return whether a template row without a time of knowledge has the contract's default."""
    contract = source_contract(case.sample.source)
    if name != "known_at" or not case.sample.source.startswith(PREFIX):
        return False
    begin = datetime.combine(row["event_date"], time(), UTC)
    return bool(row[name] == begin + timedelta(days=contract.known_lag_days))


def spoilt_cells(case: Case) -> Iterator[list[str]]:
    """Return the cells of the corrupted file, read by another reader than ours."""
    text = case.data.decode("utf-8", "replace").replace("\0", "")
    mark = case.sample.delimiter
    yield from csv.reader(text.removeprefix("\ufeff").splitlines(keepends=True), delimiter=mark)
    # A cell may hold what that reader takes for the end of a line.
    yield from ([cell.strip('"')] for cell in re.split(f"[{mark}\n]", text))


def says(text: str, value: object, column: Column) -> bool:
    """Return whether a cell's text means this value of a column; a contract may ask for fewer decimals."""
    plain = unicodedata.normalize("NFKC", text).strip() if isinstance(value, Decimal) else text.strip()
    if value is None:
        return plain.lower() in {"", "null", "n/a", "na", "nan", "-", "无"}
    if isinstance(value, (bool, str)):
        return str(value) in {text, plain} or str(value).replace('"', "") in {plain.replace('"', "")}
    if isinstance(value, Decimal | int):
        if _WITH_DECIMAL_COMMA.fullmatch(plain):
            plain = plain.replace(".", "").replace(",", ".")
        return _is_number(plain.replace(",", ""), Decimal(value), column.cell.round_to)
    if isinstance(value, datetime | date):
        numbers = {int(part) for part in re.findall(r"\d+", plain)}
        return {value.year, value.day} <= numbers
    return False


def _is_number(text: str, value: Decimal, decimals: int | None) -> bool:
    try:
        return _NUMBER.fullmatch(text) is not None and value in (
            Decimal(text),
            Decimal(text) if decimals is None else round(Decimal(text), decimals),
        )
    except InvalidOperation:
        return False
