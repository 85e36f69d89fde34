"""One way to run a stage: hash what goes in, do the work, publish what comes out, record both.

A stage's run folder is named by the digest of its inputs, settings and code. The file ``CURRENT`` names the run in
force and is what Make watches: it changes only when the content it points to changes.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_contracts.digest import sha256_bytes, sha256_file
from data_contracts.errors import ConfigurationRefused
from pipelines.publish import atomic_write_bytes, fsync_path, fsync_tree, json_bytes, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
CURRENT = "CURRENT"
RUN_ID_LENGTH = 16


@dataclass(frozen=True)
class Place:
    """Where a profile's outputs live: one folder a stage under ``out/<profile>``."""

    profile_name: str
    out: Path

    @property
    def root(self) -> Path:
        """The profile's folder."""
        return self.out / self.profile_name

    def stage_dir(self, stage: str) -> Path:
        """The folder of a stage: its run folders and ``CURRENT``."""
        return self.root / stage


@dataclass(frozen=True)
class StageInputs:
    """Everything that decides a stage's output.

    ``files`` maps a name to a file or a folder; ``code`` names our packages, or single modules such as
    ``pipelines/train.py``, whose source the stage runs.
    """

    files: Mapping[str, Path]
    settings: BaseModel | Mapping[str, Any]
    code: tuple[str, ...]


@dataclass(frozen=True)
class StageRecord:
    """Row counts of a stage: ``rows_in == rows_kept + sum(set_aside.values())``, and notes worth keeping."""

    rows_in: int
    rows_kept: int
    set_aside: dict[str, int] = field(default_factory=dict)
    notes: dict[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a record in which rows are missing."""
        if self.rows_in != self.rows_kept + sum(self.set_aside.values()):
            raise ValueError(f"rows are lost: {self.rows_in} in, {self.rows_kept} kept, set aside {self.set_aside}")


@dataclass(frozen=True)
class StageOutcome:
    """What a stage left behind: its run folder, its record, and whether it was already current."""

    run_dir: Path
    record: StageRecord
    was_current: bool


def digest_of_path(path: Path) -> str:
    """SHA-256 of a file, or of a folder as the sorted list of its relative names and file digests."""
    if path.is_file():
        return sha256_file(path)
    if not path.is_dir():
        raise ConfigurationRefused(f"{path} does not exist", "run the stage that makes it, or correct the setting")
    names = sorted(entry.relative_to(path).as_posix() for entry in path.rglob("*") if entry.is_file())
    lines = "".join(f"{name}\t{sha256_file(path / name)}\n" for name in names)
    return sha256_bytes(lines.encode())


def digest_of_code(places: tuple[str, ...]) -> str:
    """SHA-256 over every source, contract and template (profiles left out) of our packages or single modules."""
    root = Path(__file__).resolve().parents[1]
    suffixes = {".py", ".yaml", ".j2", ".css", ".toml", ".json"}
    paths = (path for place in places for path in (sorted((root / place).rglob("*")) or [root / place]))
    sources = (path for path in paths if path.suffix in suffixes and "profiles" not in path.relative_to(root).parts)
    lines = (f"{path.relative_to(root).as_posix()}\t{sha256_file(path)}\n" for path in sources)
    return sha256_bytes("".join(lines).encode())


def run_stage(stage: str, place: Place, inputs: StageInputs, work: Callable[[Path], StageRecord]) -> StageOutcome:
    """Run ``work`` in a fresh folder and publish it, or find that the published run is still right.

    ``work`` receives a temporary folder, writes its files there and returns its row counts. Nothing of it is visible
    under the stage's folder until every file is on disk.
    """
    started = time.perf_counter()
    identity = {
        "stage": stage,
        "inputs": {name: digest_of_path(path) for name, path in sorted(inputs.files.items())},
        "settings": _as_json(inputs.settings),
        "code_sha256": digest_of_code(inputs.code),
    }
    run_id = sha256_bytes(json_bytes(identity))[:RUN_ID_LENGTH]
    folder = place.stage_dir(stage)
    run_dir = folder / run_id
    if _is_intact(run_dir):
        _point_to(folder, run_id)
        record = StageRecord(**read_json(run_dir / MANIFEST)["record"])
        log.info("%s: up to date (%s)", stage, run_id)
        return StageOutcome(run_dir, record, was_current=True)
    record = _publish(run_dir, identity, work, started)
    _point_to(folder, run_id)
    log.info(
        "%s: %d rows in, %d kept, %d set aside, %.1f s (%s)",
        *(stage, record.rows_in, record.rows_kept, sum(record.set_aside.values())),
        *(time.perf_counter() - started, run_id),
    )
    return StageOutcome(run_dir, record, was_current=False)


def current_run(place: Place, stage: str) -> Path:
    """The run folder in force of a stage; refused with the command to run when there is none."""
    pointer = place.stage_dir(stage) / CURRENT
    if not pointer.is_file():
        raise ConfigurationRefused(
            f"stage '{stage}' of profile '{place.profile_name}' has not run under {place.out}",
            f"run: make {stage} PROFILE={place.profile_name} OUT={place.out}",
        )
    return place.stage_dir(stage) / pointer.read_text().strip()


def _publish(
    run_dir: Path, identity: Mapping[str, Any], work: Callable[[Path], StageRecord], started: float
) -> StageRecord:
    """Do the work in a temporary folder beside ``run_dir``, then rename it there with its manifest."""
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=run_dir.parent, prefix=".run-", ignore_cleanup_errors=True) as temporary:
        draft = Path(temporary) / run_dir.name
        draft.mkdir()
        record = work(draft)
        manifest = {
            **identity,
            "record": asdict(record),
            "outputs": _file_digests(draft),
            "seconds": round(time.perf_counter() - started, 3),
        }
        write_json(draft / MANIFEST, manifest)
        fsync_tree(draft)
        if run_dir.exists():  # a run whose files no longer match its manifest
            shutil.rmtree(run_dir)
        draft.rename(run_dir)
    fsync_path(run_dir.parent)
    return record


def _as_json(settings: BaseModel | Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON is any of six types
    return settings.model_dump(mode="json") if hasattr(settings, "model_dump") else dict(settings)


def _file_digests(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in sorted(paths)}


def _is_intact(run_dir: Path) -> bool:
    """Whether a run folder holds exactly the files of its manifest, byte for byte."""
    manifest = run_dir / MANIFEST
    return manifest.is_file() and read_json(manifest)["outputs"] == _file_digests(run_dir)


def _point_to(folder: Path, run_id: str) -> None:
    """Let ``CURRENT`` name ``run_id``, unless the run it names already holds the same files."""
    pointer = folder / CURRENT
    if pointer.is_file():
        present = folder / pointer.read_text().strip() / MANIFEST
        wanted = folder / run_id / MANIFEST
        if present == wanted:
            return
        if present.is_file() and read_json(present)["outputs"] == read_json(wanted)["outputs"]:
            return
    atomic_write_bytes(pointer, f"{run_id}\n".encode())
