"""Run a stage: hash its inputs, do the work, publish the output, record both.

A run folder is named by the digest of its inputs, settings and code. The file ``CURRENT`` names the run in force and is
the Make target; it changes only if the content of the run changes.

``CURRENT`` points to a run whose manifest holds its own digest and one of every file. Published files are read through
``current_output``, which compares them with the manifest, so that damaged data is noticed.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import platform
import re
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from data_contracts.digest import sha256_bytes, sha256_file
from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from pipelines.runs.publish import atomic_write_bytes, fsync_path, fsync_tree, json_bytes, locked
from pipelines.runs.storage_faults import report_disk_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pydantic import BaseModel

log = logging.getLogger(__name__)

GROUND: Final = ("pipelines/profiles", "pipelines/runs", "pipelines/signing")
"""Folders below every stage: settings, publication of runs, and signatures."""
PROJECT = "seller-credit-passport"
MANIFEST = "manifest.json"
CURRENT = "CURRENT"
MANIFEST_DIGEST = "manifest_sha256"
RUN_ID_LENGTH = 16
DRAFT_PREFIX = ".run-"
_SWEPT_PREFIX = f"{DRAFT_PREFIX}swept-"
_POINTER = re.compile(rb"([0-9A-Za-z]+)\n")


@dataclass(frozen=True)
class Place:
    """The folder of a profile's outputs: one folder per stage under ``out/<profile>``."""

    profile_name: str
    out: Path

    @property
    def root(self) -> Path:
        """The profile's folder."""
        return self.out / self.profile_name

    def stage_dir(self, stage: str) -> Path:
        """Return the folder of a stage, with its run folders and ``CURRENT``."""
        return self.root / stage


@dataclass(frozen=True)
class StageInputs:
    """Everything that decides a stage's output.

    ``files`` maps a name to a file or a folder; ``code`` names the folders whose source the stage runs.
    """

    files: Mapping[str, Path]
    settings: BaseModel | Mapping[str, Any]
    code: tuple[str, ...]


@dataclass(frozen=True)
class StageRecord:
    """Row counts of a stage, with ``rows_in == rows_kept + sum(set_aside.values())``, and notes."""

    rows_in: int
    rows_kept: int
    set_aside: dict[str, int] = field(default_factory=dict)
    notes: dict[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a record whose rows do not add up."""
        if self.rows_in != self.rows_kept + sum(self.set_aside.values()):
            raise ValueError(f"rows are lost: {self.rows_in} in, {self.rows_kept} kept, set aside {self.set_aside}")


@dataclass(frozen=True)
class StageOutcome:
    """The outcome of a stage: its run folder, its record, and whether it was up to date."""

    run_dir: Path
    record: StageRecord
    was_current: bool


def digest_of_path(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder as its sorted relative names and file digests."""
    if path.is_file():
        return sha256_file(path)
    if not path.is_dir():
        raise ConfigurationRefused(f"{path} does not exist", "run the stage that makes it, or correct the setting")
    names = sorted(entry.relative_to(path).as_posix() for entry in path.rglob("*") if entry.is_file())
    lines = "".join(f"{name}\t{sha256_file(path / name)}\n" for name in names)
    return sha256_bytes(lines.encode())


def digest_of_code(folders: tuple[str, ...]) -> str:
    """Return the SHA-256 of all sources, contracts, templates and texts in folders or modules, without profiles."""
    root = Path(__file__).resolve().parents[2]
    suffixes = {".py", ".yaml", ".j2", ".css", ".toml", ".json"}
    profiles = root / "pipelines" / "profiles"
    places = (root / folder for folder in folders)
    found = (path for place in places for path in (place.rglob("*") if place.is_dir() else (place,)))
    paths = sorted({path for path in found if path.suffix in suffixes})
    sources = (path for path in paths if path.parent != profiles or path.suffix == ".py")
    lines = (f"{path.relative_to(root).as_posix()}\t{sha256_file(path)}\n" for path in sources)
    return sha256_bytes("".join(lines).encode())


@functools.cache
def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries of the project, because others may yield other results."""
    names = {re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0] for text in metadata.requires(PROJECT) or ()}
    installed = {name: metadata.version(name) for name in sorted(names)}
    return {"python": platform.python_version(), **installed}


def run_stage(stage: str, place: Place, inputs: StageInputs, work: Callable[[Path], StageRecord]) -> StageOutcome:
    """Run ``work`` in a new folder and publish it, or find that the published run is still valid.

    ``work`` receives a temporary folder, writes its files there and returns its row counts. Nothing appears in the
    stage's folder until every file is on disk.
    """
    started = time.perf_counter()
    folder = place.stage_dir(stage)
    with report_disk_faults(folder):
        identity = {
            "stage": stage,
            "inputs": {name: digest_of_path(path) for name, path in sorted(inputs.files.items())},
            "settings": _as_json(inputs.settings),
            "code_sha256": digest_of_code(inputs.code),
            "libraries": library_versions(),
        }
        facts = {**identity, "origins": _origins(place, inputs.files)}
        run_dir = folder / sha256_bytes(json_bytes(identity))[:RUN_ID_LENGTH]
        with locked(folder):
            _sweep(folder)
            was_current = is_intact(run_dir)
            record = _record(run_dir) if was_current else _publish(run_dir, facts, work, started)
            _point_to(run_dir)
    if was_current:
        log.info("%s: up to date (%s)", stage, run_dir.name)
    else:
        log.info(
            "%s: %d rows in, %d kept, %d set aside, %.1f s (%s)",
            *(stage, record.rows_in, record.rows_kept, sum(record.set_aside.values())),
            *(time.perf_counter() - started, run_dir.name),
        )
    return StageOutcome(run_dir, record, was_current)


def current_run(place: Place, stage: str) -> Path:
    """Return the run folder in force, with its manifest checked; ``current_output`` checks its files.

    Raises:
        ConfigurationRefused: the stage has not run; names the command that runs it.
        IntegrityRefused: ``CURRENT`` or the manifest was changed.
    """
    pointer = place.stage_dir(stage) / CURRENT
    if not pointer.is_file():
        raise ConfigurationRefused(
            f"stage '{stage}' of profile '{place.profile_name}' has not run under {place.out}",
            f"run it first: passport {stage} --profile {place.profile_name} --out {place.out}",
        )
    run_dir = _pointed_to(pointer)
    if run_dir is None:
        raise _rotten(place, stage, f"{pointer} names no run")
    try:
        read_manifest(run_dir)
    except IntegrityRefused as error:
        raise _rotten(place, stage, str(error)) from error
    return run_dir


def current_output(place: Place, stage: str, name: str = "") -> Path:
    """Return a file or folder of the run in force, unchanged since it was published; without ``name``, the run folder.

    If the run published nothing under that name and nothing exists there, the path is returned unchecked.

    Raises:
        ConfigurationRefused: the stage has not run.
        IntegrityRefused: a file is changed, missing or foreign; names it, and the command that repairs it.
    """
    run_dir = current_run(place, stage)
    listed = read_manifest(run_dir)["outputs"]
    published = {path: listed[path] for path in listed if not name or path == name or path.startswith(f"{name}/")}
    present = _file_digests(run_dir, name)
    for path in sorted(published.keys() | present.keys()):
        if published.get(path) != present.get(path):
            what = "is missing" if path not in present else "is changed" if path in published else "does not belong"
            raise _rotten(place, stage, f"{run_dir / path} {what}, by the manifest of its run")
    return run_dir / name


def read_manifest(run_dir: Path) -> dict[str, Any]:
    """Return the manifest of a run, which other callers share.

    Raises:
        IntegrityRefused: it is missing or was changed.
    """
    path = run_dir / MANIFEST
    try:
        facts, is_whole = _facts_in(path.read_bytes())
    except (FileNotFoundError, ValueError, AttributeError) as error:
        raise IntegrityRefused(f"{path} cannot be read as a manifest") from error
    if not is_whole:
        raise IntegrityRefused(f"{path} is not as it was written")
    return facts


# A stage asks for the same manifests many times, and that of a world lists tens of thousands of files.
@functools.lru_cache(maxsize=64)
def _facts_in(data: bytes) -> tuple[dict[str, Any], bool]:
    """Return the facts of a manifest, and whether it is as it was written."""
    manifest: dict[str, Any] = json.loads(data)
    facts = {name: value for name, value in manifest.items() if name != MANIFEST_DIGEST}
    return facts, manifest_bytes(facts) == data


def outdated_inputs(place: Place, stage: str) -> tuple[str, ...]:
    """Return the stages whose run in force has other content than the run in force of ``stage`` was made from.

    Manifests are compared, and no file is read. A stage before it that has not run is left out.

    Raises:
        ConfigurationRefused: the stage itself has not run.
        IntegrityRefused: a manifest was changed.
    """
    in_force = read_manifest(current_run(place, stage))
    # A later run with the same result leaves the earlier one in force.
    equal = [one for one in _intact_manifests(place.stage_dir(stage)) if one["outputs"] == in_force["outputs"]]
    return min((_changed_since(place, one) for one in equal), key=len)


def _intact_manifests(folder: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted(folder.glob(f"[!.]*/{MANIFEST}")):
        with contextlib.suppress(IntegrityRefused):
            found.append(read_manifest(path.parent))
    return found


def _changed_since(place: Place, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    found = set()
    for name, origin in manifest.get("origins", {}).items():
        earlier, _, path = origin.partition("/")
        has_run = (place.stage_dir(earlier) / CURRENT).is_file()
        if has_run and _published_digest(current_run(place, earlier), path) != manifest["inputs"][name]:
            found.add(earlier)
    return tuple(sorted(found))


def _origins(place: Place, files: Mapping[str, Path]) -> dict[str, str]:
    """Return, for each input that is an output of another stage, ``<stage>/<path in its run>``."""
    inside = {
        name: path.relative_to(place.root).parts for name, path in files.items() if path.is_relative_to(place.root)
    }
    return {name: "/".join((parts[0], *parts[2:])) for name, parts in sorted(inside.items()) if len(parts) > 1}


def _published_digest(run_dir: Path, name: str) -> str | None:
    """Return what ``digest_of_path`` returns for a published file or folder, from the manifest, or None."""
    listed: dict[str, str] = read_manifest(run_dir)["outputs"]
    if name in listed:
        return listed[name]
    folder = f"{name}/" if name else ""
    digests = {path.removeprefix(folder): digest for path, digest in listed.items() if path.startswith(folder)}
    if not name:
        digests[MANIFEST] = sha256_file(run_dir / MANIFEST)
    lines = "".join(f"{path}\t{digests[path]}\n" for path in sorted(digests))
    return sha256_bytes(lines.encode()) if digests else None


def manifest_bytes(facts: Mapping[str, Any]) -> bytes:
    """Return a manifest with a digest of its own facts, so that a changed manifest is noticed."""
    return json_bytes({**facts, MANIFEST_DIGEST: sha256_bytes(json_bytes(facts))})


def write_manifest(run_dir: Path, facts: Mapping[str, Any]) -> None:
    """Write the manifest of a run folder: ``facts`` and the digest of every file."""
    atomic_write_bytes(run_dir / MANIFEST, manifest_bytes({**facts, "outputs": _file_digests(run_dir)}))


def _rotten(place: Place, stage: str, what: str) -> IntegrityRefused:
    remedy = f"passport {stage} --profile {place.profile_name} --out {place.out}"
    return IntegrityRefused(f"stored data refused: {what}; remedy: make it again with {remedy}")


def _sweep(folder: Path) -> None:
    """Remove what a killed run left behind; the lock guarantees that no run is working in it."""
    for draft in sorted(folder.glob(f"{DRAFT_PREFIX}*")):
        swept = draft if draft.name.startswith(_SWEPT_PREFIX) else draft.with_name(f"{_SWEPT_PREFIX}{draft.name}")
        # Renamed first, so that a sandbox process that is about to end cannot write into it any more.
        draft.rename(swept)
        shutil.rmtree(swept)
    for draft in sorted(folder.glob(f".{CURRENT}.*")):
        draft.unlink()


def _publish(
    run_dir: Path, facts: Mapping[str, Any], work: Callable[[Path], StageRecord], started: float
) -> StageRecord:
    """Work in a temporary folder beside ``run_dir``, then rename it to ``run_dir`` with its manifest."""
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=run_dir.parent, prefix=DRAFT_PREFIX, ignore_cleanup_errors=True) as temporary:
        draft = Path(temporary) / run_dir.name
        draft.mkdir()
        record = work(draft)
        seconds = round(time.perf_counter() - started, 3)
        write_manifest(draft, {**facts, "record": asdict(record), "seconds": seconds})
        fsync_tree(draft)
        if run_dir.exists():  # a run whose files no longer match its manifest
            shutil.rmtree(run_dir)
        draft.rename(run_dir)
    fsync_path(run_dir.parent)
    return record


def _record(run_dir: Path) -> StageRecord:
    return StageRecord(**read_manifest(run_dir)["record"])


def _as_json(settings: BaseModel | Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON is any of six types
    return settings.model_dump(mode="json") if hasattr(settings, "model_dump") else dict(settings)


def _file_digests(run_dir: Path, name: str = "") -> dict[str, str]:
    """Return the digest of every file of a run except its manifest, or of one file or folder in it."""
    chosen = run_dir / name
    paths: Iterable[Path] = [chosen] if chosen.is_file() else chosen.rglob("*")
    manifest = run_dir / MANIFEST
    files = sorted(path for path in paths if path.is_file() and path != manifest)
    return {path.relative_to(run_dir).as_posix(): sha256_file(path) for path in files}


def is_intact(run_dir: Path) -> bool:
    """Return whether a run folder contains exactly the files of its manifest, unchanged."""
    try:
        outputs: dict[str, str] = read_manifest(run_dir)["outputs"]
    except IntegrityRefused:
        return False
    return outputs == _file_digests(run_dir)


def _pointed_to(pointer: Path) -> Path | None:
    """Return the run folder that a pointer names, or None."""
    found = _POINTER.fullmatch(pointer.read_bytes()) if pointer.is_file() else None
    run_dir = pointer.with_name(found.group(1).decode()) if found else pointer
    return run_dir if run_dir.is_dir() else None


def _point_to(run_dir: Path) -> None:
    """Point ``CURRENT`` to a run, unless the run it names has the same files, unchanged."""
    pointer = run_dir.with_name(CURRENT)
    present = _pointed_to(pointer)
    if present == run_dir:
        return
    outputs = read_manifest(run_dir)["outputs"]
    if present is not None and is_intact(present) and read_manifest(present)["outputs"] == outputs:
        return
    atomic_write_bytes(pointer, f"{run_dir.name}\n".encode())
