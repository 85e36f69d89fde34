"""Write a world's raw files: everything a pipeline may read, in real source formats, with a list of deliveries.

Raw files show the world through ``simulator.observation``: late, incomplete and with defects. The truth is written to
its own folder (``simulator.truth``), which no pipeline stage reads.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from data_contracts.progress import SILENT
from simulator.economy.simulation import simulate
from simulator.files.amazon import amazon_files
from simulator.files.bank_statements import bank_consents, bank_files
from simulator.files.company_links import company_link_files
from simulator.files.customs import customs_files
from simulator.files.hosted_platforms import hosted_files
from simulator.files.lenders import lender_files
from simulator.files.pool.all_tables import pool_files
from simulator.files.raw_file import RawFile, View
from simulator.files.shopify import shopify_files
from simulator.files.traffic import traffic_files
from simulator.files.vat_invoices import vat_files
from simulator.observation.availability import Observation, observe
from simulator.population.districts import District, districts
from simulator.truth.folder import TruthFolder
from simulator.truth.observation_tables import OBSERVATION_NOTE, observation_tables
from simulator.truth.world_tables import TRUTH_NOTE, shock_table, truth_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from data_contracts.progress import Progress
    from simulator.economy.simulated_world import World
    from simulator.observation.defects import Defect
    from simulator.settings import WorldSettings

log = logging.getLogger(__name__)

DELIVERY_HEADER = "File,Seller ref,Source,Account,Period start,Period end,Delivered at (UTC),SHA-256"
_SELLERS_AT_ONCE = 400
_COUNTED = ("files", "rows", "planted", "repeated", "bytes_written")
_PER_SELLER: tuple[Callable[[View], Iterator[RawFile]], ...] = (
    amazon_files, hosted_files, shopify_files, traffic_files, customs_files, vat_files,
)  # fmt: skip


@dataclass(frozen=True)
class WorldRecord:
    """Counts of what was written.

    Attributes:
        sellers: Number of sellers.
        defaults: Number of sellers that default within the world's time.
        files: Number of files by source.
        rows: Data rows by source, planted and repeated ones included.
        planted: Planted defective rows by source.
        repeated: Rows that repeat rows of the same or another file, by source.
        bytes_written: Bytes by source.
    """

    sellers: int
    defaults: int
    files: Mapping[str, int]
    rows: Mapping[str, int]
    planted: Mapping[str, int]
    repeated: Mapping[str, int]
    bytes_written: Mapping[str, int]


@dataclass(frozen=True)
class _DistrictRecord:
    """Counts of what was written of a district, and the tables that are still to be written."""

    sellers: int
    defaults: int
    counts: Mapping[str, Counter[str]]
    delivery_lines: Sequence[str]
    truth: Mapping[str, pa.Table]
    observed: Mapping[str, pa.Table]


def _raw_files(world: World, observation: Observation, progress: Progress = SILENT) -> Iterator[RawFile]:
    sellers = np.arange(world.firms.count)
    for start in range(0, len(sellers), _SELLERS_AT_ONCE):
        view = View(world, observation, sellers[start : start + _SELLERS_AT_ONCE])
        for files in _PER_SELLER:
            yield from files(view)
        progress.advance(len(sellers[start : start + _SELLERS_AT_ONCE]))
    yield from lender_files(world, observation)
    yield from company_link_files(world, observation)
    yield from pool_files(world, observation)
    # Banks come last: what was written before does not depend on them.
    yield from bank_files(View(world, observation, np.arange(world.firms.count)))
    yield from bank_consents(world)


def _write(raw_dir: Path, file: RawFile) -> tuple[str, int]:
    """Write one file and return its SHA-256 and size."""
    path = raw_dir / file.path
    digest, size = hashlib.sha256(), 0
    with _opened(path) as target:
        for part in file.parts:
            target.write(part)
            digest.update(part)
            size += len(part)
    return digest.hexdigest(), size


def _opened(path: Path) -> BinaryIO:
    """Open a file for writing; create its folder only if it is missing, once for its many files."""
    try:
        return path.open("wb")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("wb")


def _delivery_line(world: World, file: RawFile, digest: str) -> str:
    first = world.timeline.first_day
    (start, end), (day, second) = file.period, file.delivered
    moment = f"{first + day} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    return f"{file.path},{file.seller_ref},{file.source},{file.account},{first + start},{first + end},{moment},{digest}"


def _write_district(raw_dir: Path, district: District, progress: Progress = SILENT) -> _DistrictRecord:
    """Simulate a district and write its raw files; other processes may write other districts at the same time."""
    world = simulate(district.settings, district.first_seller)
    counts: dict[str, Counter[str]] = {name: Counter() for name in _COUNTED}
    lines: list[str] = []
    defects: list[tuple[str, Defect]] = []
    observation = observe(world)
    for file in _raw_files(world, observation, progress):
        digest, size = _write(raw_dir, file)
        lines.append(_delivery_line(world, file, digest))
        defects += [(file.path, defect) for defect in file.defects]
        for name, amount in zip(_COUNTED, (1, file.rows, file.planted, file.repeated, size), strict=True):
            counts[name][file.source] += amount
    return _DistrictRecord(
        sellers=world.firms.count, defaults=int((world.default_day >= 0).sum()), counts=counts, delivery_lines=lines,
        truth=truth_tables(world), observed=observation_tables(world, observation, defects),
    )  # fmt: skip


def _written_districts(
    settings: WorldSettings, raw_dir: Path, processes: int, progress: Progress
) -> Iterator[_DistrictRecord]:
    found = districts(settings)
    progress.start("sellers written", settings.seller_count)
    if processes == 1 or len(found) == 1:
        yield from (_write_district(raw_dir, district, progress) for district in found)
        return
    with ProcessPoolExecutor(min(processes, len(found)), mp_context=get_context("spawn")) as pool:
        for record in pool.map(partial(_write_district, raw_dir), found):
            # A district reports from its own process only when it is finished.
            progress.advance(record.sellers)
            yield record


def write_world(settings: WorldSettings, folder: Path, processes: int = 1, progress: Progress = SILENT) -> WorldRecord:
    """Simulate a world and write ``raw/`` (raw files and ``deliveries.csv``) and ``truth/`` with ``observation/``.

    The memory needed is that of one district per process, whatever the size of the world.

    Args:
        settings: The world's settings.
        folder: Folder to write into; created if missing. Files of the same name are overwritten.
        processes: Number of processes; the bytes written do not depend on it.
        progress: Receives the number of sellers written.

    Returns:
        Counts of what was written, planted defects included.
    """
    raw_dir = folder / "raw"
    raw_dir.mkdir(parents=True, exist_ok=True)
    counts: dict[str, Counter[str]] = {name: Counter() for name in _COUNTED}
    sellers = defaults = 0
    with (
        (raw_dir / "deliveries.csv").open("w", encoding="utf-8") as deliveries,
        TruthFolder(folder / "truth", TRUTH_NOTE) as truth,
        TruthFolder(folder / "truth" / "observation", OBSERVATION_NOTE) as observed,
    ):
        deliveries.write(DELIVERY_HEADER + "\n")
        truth.add({"shocks": shock_table()})
        for district in _written_districts(settings, raw_dir, processes, progress):
            deliveries.writelines(line + "\n" for line in district.delivery_lines)
            truth.add(district.truth)
            observed.add(district.observed)
            sellers, defaults = sellers + district.sellers, defaults + district.defaults
            for name in _COUNTED:
                counts[name].update(district.counts[name])
    log.info("wrote %d raw files of %d sellers to %s", counts["files"].total(), sellers, raw_dir)
    files, rows, planted, repeated, bytes_written = (dict(counts[name]) for name in _COUNTED)
    return WorldRecord(sellers, defaults, files, rows, planted, repeated, bytes_written)
