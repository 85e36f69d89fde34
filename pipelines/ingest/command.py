"""Command ``passport ingest PATH…``: recognise files by their content and ingest them like the stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_contracts.errors import InputRefused
from data_contracts.progress import SILENT
from pipelines.ingest.deliveries.unlisted import common_folder, could_be_recorded, find_by_content
from pipelines.ingest.set_aside_rows import lines_of_run
from pipelines.ingest.stage import Delivery, run_delivery
from pipelines.runs.file_counts import counts_of_document
from pipelines.runs.publish import read_json
from pipelines.runs.stages import Place, StageOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from data_contracts.progress import Progress
    from pipelines.ingest.deliveries.manifest import DeliveredFile
    from pipelines.ingest.deliveries.unlisted import Terms
    from pipelines.profiles.ingest_settings import IngestSettings
    from pipelines.runs.file_counts import FileCounts
    from pipelines.signing.keys import KeyRing

ADHOC = "adhoc"
"""Folder below OUT for these runs, which belong to no profile."""


@dataclass(frozen=True)
class Reader:
    """How files are read: the settings, the keys for pseudonyms and for the log, and who follows the reading."""

    settings: IngestSettings
    keys: KeyRing
    progress: Progress = SILENT


def ingest_paths(paths: Sequence[Path], terms: Terms, reader: Reader, out: Path) -> StageOutcome:
    """Ingest the files at and below the paths into ``OUT/adhoc/ingest``, laid out like the stage's own runs.

    The moment of recording is the latest delivery, or the end of the latest period if that is later. The clock is never
    read, so the same call produces the same bytes again.

    Raises:
        InputRefused: a file matches no contract, or several equally well; names how it differs from the nearest.
        ConfigurationRefused: the seller, period or delivery time of a file is unknown.
        QuarantineLimitExceeded: as in the stage.
    """
    base = common_folder(paths)
    deliveries = find_by_content(paths, base, terms, reader.settings)
    if not deliveries.files:
        raise InputRefused(file=str(base), rule="there are no files to ingest", remedy="name files or a folder")
    recorded_at = max(could_be_recorded(file) for file in deliveries.files)
    changes = {"layout": "deliveries", "sources": (), "recorded_at": recorded_at}
    settings = reader.settings.model_copy(update=changes)
    names = sorted(path.absolute().relative_to(base).as_posix() for path in paths)
    files = {f"raw {name}": base / name for name in names}
    delivery = Delivery(base, deliveries, settings, reader.keys, _logged_name, terms.stated())
    return run_delivery(delivery, files, Place(ADHOC, out), reader.progress)


def file_lines(run_dir: Path) -> list[str]:
    """Return one line per file, with where its rows went and all remarks; then which rows were set aside and why."""
    counts = [_line(account) for account in counts_of_document(read_json(run_dir / "row_counts.json"))]
    return [*counts, *lines_of_run(run_dir)]


def _line(account: FileCounts) -> str:
    if account.status != "read":
        return f"{account.file}: not read: {account.status}"
    aside = {**account.quarantined, **account.duplicates}
    told = f" ({', '.join(f'{reason}: {rows:,}' for reason, rows in sorted(aside.items()))})" if aside else ""
    counts = f"rows in {account.rows_in:,}, accepted {account.accepted:,}, set aside {account.set_aside:,}"
    remarked = [f"{remark}: {rows:,}" for remark, rows in account.warnings.items()]
    return "; ".join([f"{account.file}: {account.source}: {counts}{told}", *account.notes, *remarked])


def _logged_name(file: DeliveredFile, path: str) -> str:
    """Return the log name of a file; two sellers or two months may deliver files with the same name."""
    return f"{file.seller or 'many'}/{file.source}/{file.covered_from}..{file.covered_to}/{path}"
