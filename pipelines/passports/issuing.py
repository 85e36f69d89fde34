"""Passports of a whole score file: one per seller with its pages, and the salts that go to the sellers."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.passports.passport import IssuedPassport, issue_passport
from pipelines.runs.publish import atomic_write_bytes
from pipelines.runs.spreadsheet_text import cell_text
from pipelines.score_rows import REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from data_contracts.arrow import Values
    from models.registry.bundle import Bundle
    from pipelines.passports.passport import Evidence, Row
    from pipelines.passports.terms import PassportTerms

PASSPORTS_FOLDER: Final = "passports"
SALTS_FILE: Final = "subject_salts.csv"


def issue_passports(
    scores: Path, chosen: list[int], bundle: Bundle, evidence: Evidence, terms: PassportTerms
) -> Iterator[IssuedPassport]:
    """Yield the passport of each chosen row of a score file (ascending positions, see ``chosen_rows``)."""
    for row in rows_at(scores, chosen):
        yield issue_passport(row, bundle, evidence, terms)


def write_passports(passports: Iterator[IssuedPassport], folder: Path) -> int:
    """Write each passport and its pages below ``folder``, and the salts; return the number of passports."""
    salts = io.StringIO()
    sheet = csv.writer(salts, lineterminator="\n")
    sheet.writerow(("pseudonym", "seller_id", "salt"))
    number = 0
    for passport in passports:
        stem = folder / PASSPORTS_FOLDER / passport.pseudonym
        atomic_write_bytes(stem.with_name(f"{passport.pseudonym}.json"), passport.data)
        for language, page in passport.pages.items():
            atomic_write_bytes(stem.with_name(f"{passport.pseudonym}.{language}.html"), page.encode())
        sheet.writerow((passport.pseudonym, cell_text(passport.seller_id), passport.salt))
        number += 1
    if number:
        atomic_write_bytes(folder / SALTS_FILE, salts.getvalue().encode(), private=True)
    return number


def chosen_rows(scores: pa.Table, count: int | None) -> list[int]:
    """Return the positions of the rows that get a passport: each seller's latest scored date, in file order."""
    status: Values = pc.cast(scores["status"], pa.string())
    positions = np.flatnonzero(np.asarray(pc.not_equal(status, pa.scalar(REFUSED)), dtype=np.bool_))
    scored = scores.take(pa.array(positions, pa.int64()))
    days: Values = scored["as_of"].to_numpy().astype(np.int64)
    latest: dict[str, tuple[int, int]] = {}
    for position, seller, day in zip(positions.tolist(), scored["seller_id"].to_pylist(), days.tolist(), strict=True):
        if seller not in latest or day > latest[seller][0]:
            # A seller keeps the place of its first row, whichever of its dates is the latest.
            latest[str(seller)] = (day, position)
    return sorted(position for _, position in list(latest.values())[:count])


def rows_at(scores: Path, positions: list[int]) -> Iterator[Row]:
    """Yield the rows of a score file at these ascending positions, reading one row group at a time."""
    with pq.ParquetFile(scores, page_checksum_verification=True) as file:
        wanted = np.asarray(positions, dtype=np.int64)
        start = 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            here = wanted[(wanted >= start) & (wanted < stop)] - start
            if len(here):
                yield from file.read_row_group(group).take(pa.array(here, pa.int64())).to_pylist()
            start = stop
