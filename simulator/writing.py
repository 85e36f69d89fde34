"""Writes a world's raw files: everything a pipeline may read of it, in real source formats, with a delivery list.

What is written here passes through ``simulator.observation``: late, refused, dirty. The truth is written elsewhere
(``simulator.truth``) and no pipeline reads it.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.amazon_files import amazon_files
from simulator.company_link_files import company_link_files
from simulator.customs_files import customs_files
from simulator.lender_files import lender_files
from simulator.observation import Observation, observe
from simulator.raw_files import RawFile, View
from simulator.shopify_files import shopify_files
from simulator.text_columns import clock_text, day_text
from simulator.traffic_files import traffic_files
from simulator.vat_files import vat_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from simulator.world import World

log = logging.getLogger(__name__)

DELIVERY_HEADER = "File,Seller ref,Source,Account,Period start,Period end,Delivered at (UTC),SHA-256"
_SELLERS_AT_ONCE = 400
_PER_SELLER: tuple[Callable[[View], Iterator[RawFile]], ...] = (
    amazon_files, shopify_files, traffic_files, customs_files, vat_files,
)  # fmt: skip


@dataclass(frozen=True)
class WorldRecord:
    """What was written.

    Attributes:
        files: Number of files by source.
        rows: Data rows by source, planted and repeated ones included.
        planted: Defective rows planted, by source.
        repeated: Rows that repeat rows of another file or of the same one, by source.
        bytes_written: Bytes by source.
    """

    files: Mapping[str, int]
    rows: Mapping[str, int]
    planted: Mapping[str, int]
    repeated: Mapping[str, int]
    bytes_written: Mapping[str, int]


def _raw_files(world: World, observation: Observation) -> Iterator[RawFile]:
    sellers = np.arange(world.firms.count)
    for start in range(0, len(sellers), _SELLERS_AT_ONCE):
        view = View(world, observation, sellers[start : start + _SELLERS_AT_ONCE])
        for files in _PER_SELLER:
            yield from files(view)
    yield from lender_files(world, observation)
    yield from company_link_files(world, observation)


def _write(raw_dir: Path, file: RawFile) -> tuple[str, int]:
    """Writes one file and gives its SHA-256 and size."""
    path = raw_dir / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as target:
        for part in file.parts:
            target.write(part)
            digest.update(part)
            size += len(part)
    return digest.hexdigest(), size


def _delivery_line(world: World, file: RawFile, digest: str) -> str:
    first = world.timeline.first_day
    start, end, day = day_text(first, np.array([*file.period, file.delivered[0]])).to_pylist()
    second = clock_text(np.array([file.delivered[1]])).to_pylist()[0]
    return f"{file.path},{file.seller_ref},{file.source},{file.account},{start},{end},{day} {second},{digest}"


def write_world(world: World, raw_dir: Path) -> WorldRecord:
    """Writes all raw files of a world and ``deliveries.csv``.

    Args:
        world: The simulated world.
        raw_dir: Folder to write into; made when absent. Files of the same name are overwritten.

    Returns:
        Counts of what was written, planted defects among it.
    """
    observation = observe(world)
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("files", "rows", "planted", "repeated", "bytes")}
    deliveries = [DELIVERY_HEADER]
    for file in _raw_files(world, observation):
        digest, size = _write(raw_dir, file)
        deliveries.append(_delivery_line(world, file, digest))
        for name, amount in (
            ("files", 1), ("rows", file.rows), ("planted", file.planted), ("repeated", file.repeated), ("bytes", size),
        ):  # fmt: skip
            counts[name][file.source] += amount
    (raw_dir / "deliveries.csv").write_text("\n".join(deliveries) + "\n", encoding="utf-8")
    log.info("wrote %d raw files to %s", len(deliveries) - 1, raw_dir)
    return WorldRecord(
        files=counts["files"], rows=counts["rows"], planted=counts["planted"], repeated=counts["repeated"],
        bytes_written=counts["bytes"],
    )  # fmt: skip
