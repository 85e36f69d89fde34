"""The delivery log: the files of every ingest run, so that later changes to evidence are noticed.

``ledger/deliveries.jsonl`` (``models.registry.chained_log``) has one entry per run: the digest of the whole delivery,
and of each file that is new or changed since it was last logged. A rerun with the same files adds no entry.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pydantic import AwareDatetime  # noqa: TC002 - the model reads its annotations

from data_contracts.digest import sha256_bytes, sha256_file
from data_contracts.errors import IntegrityRefused
from models.registry.chained_log import ChainedEntry, ChainedLog
from models.registry.mlflow_client import DATABASE
from pipelines.runs.publish import json_bytes
from pipelines.runs.stages import CURRENT, current_run, read_manifest
from pipelines.signing.keys import report_other_keys
from pipelines.signing.ledgers import LEDGER_FOLDER, head_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pipelines.ingest.deliveries.manifest import DeliveredFile, Deliveries
    from pipelines.runs.file_counts import FileCounts
    from pipelines.runs.stages import Place
    from pipelines.signing.keys import KeyRing

LOG_FILE: Final = "deliveries.jsonl"
EVIDENCE_CHANGED: Final = "evidence changed: the file differs from the one last logged under this name"
LOGGED_NOTE: Final = "delivery_log"
_STAGE: Final = "ingest"


class LoggedRun(ChainedEntry):
    """The files of one ingest run.

    ``list_sha256``: digest of the delivery manifest, or None. ``files_sha256``: digest of the names and digests of all
    files. ``files``: digests of new or changed files by name. ``changed``: names of changed files.
    """

    run_id: str
    recorded_at: AwareDatetime
    list_sha256: str | None
    files_sha256: str
    files: dict[str, str]
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """The files of a run, compared with the log.

    Attributes:
        digests: digest of every file, by its name in the log.
        paths: path of every file below the raw folder, by the same name.
        list_sha256: digest of the delivery manifest, or None.
        earlier: by name, the digest last logged of the files that have changed since.
    """

    digests: Mapping[str, str]
    paths: Mapping[str, str]
    list_sha256: str | None
    earlier: Mapping[str, str]

    @property
    def files_sha256(self) -> str:
        """Digest of all names and digests."""
        return _digest_of_all(self.digests)

    @property
    def changed_paths(self) -> tuple[str, ...]:
        """Paths of the files that have changed since they were last logged."""
        return tuple(sorted(self.paths[name] for name in self.earlier))


def listed_name(_file: DeliveredFile, path: str) -> str:
    """Return the log name of a listed file: its path below the raw folder, as in the delivery manifest."""
    return path


class DeliveryLog:
    """The delivery log in a place's ``ledger`` folder, signed with the keys of its profile."""

    def __init__(self, place: Place, keys: KeyRing) -> None:
        self._place, self._keys = place, keys
        self._log = ChainedLog(
            place.root / LEDGER_FOLDER / LOG_FILE,
            LoggedRun,
            "delivery log",
            head_folders(place.profile_name, os.environ),
            place.root / DATABASE,
        )

    def evidence(
        self, raw_dir: Path, deliveries: Deliveries, name_of: Callable[[DeliveredFile, str], str] = listed_name
    ) -> Evidence:
        """Compare the files of a delivery with the log; ``name_of`` returns the log name of a file.

        Raises:
            IntegrityRefused: the log was changed or cut off.
        """
        with report_other_keys(self._place):
            entries = self._log.read(self._keys.public_key)
        self._require_run_in_force(entries)
        paths: dict[str, str] = {}
        digests: dict[str, str] = {}
        for file in deliveries.files:
            path = file.container or file.name
            name = name_of(file, path)
            if name not in paths:
                paths[name] = path
                digests[name] = file.listed_sha256 or sha256_file(raw_dir / path)
        before = _logged(_before(entries, _digest_of_all(digests)))
        earlier = {name: before[name] for name in sorted(digests) if before.get(name, digests[name]) != digests[name]}
        lists = sorted({file.evidence.sha256 for file in deliveries.files if file.evidence.sha256 is not None})
        list_sha256 = lists[0] if len(lists) == 1 else sha256_bytes(json_bytes(lists)) if lists else None
        return Evidence(digests, paths, list_sha256, earlier)

    def add(self, evidence: Evidence, run_id: str, recorded_at: datetime) -> None:
        """Log a run, unless it is the last one logged."""

        def made(entries: tuple[LoggedRun, ...], sequence: int, previous_sha256: str) -> LoggedRun | None:
            if entries and entries[-1].run_id == run_id:
                return None
            known = _logged(entries)
            return LoggedRun(
                sequence=sequence,
                previous_sha256=previous_sha256,
                run_id=run_id,
                recorded_at=recorded_at,
                list_sha256=evidence.list_sha256,
                files_sha256=evidence.files_sha256,
                files={name: digest for name, digest in evidence.digests.items() if known.get(name) != digest},
                changed=tuple(evidence.earlier),
            )

        self._log.append(made, self._keys.signing_key)

    def _require_run_in_force(self, entries: Sequence[LoggedRun]) -> None:
        """Refuse a log without the run in force, which was logged before it was published."""
        if not (self._place.stage_dir(_STAGE) / CURRENT).is_file():
            return
        try:
            run_dir = current_run(self._place, _STAGE)
        except IntegrityRefused:  # the stage repeats a damaged run
            return
        is_logged = LOGGED_NOTE in read_manifest(run_dir)["record"]["notes"]
        if is_logged and run_dir.name not in {entry.run_id for entry in entries}:
            raise IntegrityRefused(
                f"{self._log.path}: it lacks the run in force, {run_dir.name}; remedy: restore the log from a backup"
            )


def with_changes_noted(all_counts: Sequence[FileCounts], evidence: Evidence) -> tuple[FileCounts, ...]:
    """Return row counts with a note on each file that has changed since it was logged."""
    changed = set(evidence.changed_paths)
    archives = tuple(f"{path}/" for path in changed)
    return tuple(
        replace(counts, notes=(*counts.notes, EVIDENCE_CHANGED))
        if counts.file in changed or counts.file.startswith(archives)
        else counts
        for counts in all_counts
    )


def _digest_of_all(digests: Mapping[str, str]) -> str:
    return sha256_bytes(json_bytes(dict(digests)))


def _before(entries: Sequence[LoggedRun], files_sha256: str) -> Sequence[LoggedRun]:
    """Return the entries before the last ones that logged exactly these files."""
    end = len(entries)
    while end and entries[end - 1].files_sha256 == files_sha256:
        end -= 1
    return entries[:end]


def _logged(entries: Sequence[LoggedRun]) -> dict[str, Any]:
    """Return the digest last logged of every file."""
    return {name: digest for entry in entries for name, digest in entry.files.items()}
