"""The folder that ``passport score --out`` writes: replaced whole, and only if nothing else is in it.

The list ``files.json`` names every file of the results with its digest. Work in progress is in a hidden folder beside
the results, which holds a mark of its own. Nothing without list or mark is ever deleted.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from data_contracts.digest import sha256_file
from data_contracts.errors import ConfigurationRefused
from pipelines.runs.publish import atomic_write_bytes, fsync_path, fsync_tree, read_json, write_json
from pipelines.runs.storage_faults import refuse_unusable_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES_FILE: Final = "files.json"
_MARK: Final = "of_passport_score"
_REMEDY: Final = "give --out a new or empty folder"


def list_files(folder: Path) -> None:
    """Write the list of finished results, with the SHA-256 of each file."""
    files = {path.relative_to(folder).as_posix(): sha256_file(path) for path in _entries(folder) if path.is_file()}
    write_json(folder / FILES_FILE, {"written_by": "passport score", "files": files})


def refuse_foreign_files(out: Path) -> None:
    """Refuse to replace a folder that holds anything but the unchanged results of an earlier run.

    Raises:
        ConfigurationRefused: ``out`` is a file, or a folder that we are in, or holds a file that the program did not
            write; names it.
    """
    is_no_folder = False
    with refuse_unusable_folder(out), contextlib.suppress(FileNotFoundError):
        out.lstat()
        is_no_folder = out.is_symlink() or not out.is_dir()
    if Path.cwd().is_relative_to(out.resolve()):
        raise ConfigurationRefused(f"{out} is the folder you are in, or one above it, and would be replaced", _REMEDY)
    if is_no_folder:
        raise ConfigurationRefused(f"{out} is not a folder", _REMEDY)
    if not out.exists():
        return
    listed = _listed(out)
    for path in _entries(out):
        name = path.relative_to(out).as_posix()
        if name == FILES_FILE and listed:
            continue
        if name not in listed or path.is_symlink():
            raise ConfigurationRefused(f"{out} holds {name!r}, which passport score did not write", _REMEDY)
        if sha256_file(path) != listed[name]:
            raise ConfigurationRefused(f"{name!r} in {out} was changed after passport score wrote it", _REMEDY)


def _entries(folder: Path) -> list[Path]:
    """Return all files and links below a folder, and the folders that are empty."""
    found = sorted(folder.rglob("*"))
    return [path for path in found if path.is_symlink() or not path.is_dir() or not any(path.iterdir())]


def _listed(out: Path) -> Mapping[str, Any]:
    """Return the digests of the listed files; none if there is no list that can be read."""
    try:
        found = read_json(out / FILES_FILE)
    except (OSError, ValueError):
        return {}
    files = found.get("files") if isinstance(found, dict) else None
    return files if isinstance(files, dict) else {}


def work_folder(out: Path) -> Path:
    """Return the hidden folder beside ``out`` for work in progress; only its owner may open it.

    Raises:
        ConfigurationRefused: a folder of that name exists and is not one of ours.
    """
    folder = out.with_name(f".{out.name}.scoring")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        atomic_write_bytes(folder / _MARK, b"Work in progress of passport score. It is deleted when the run ends.\n")
    if not (folder / _MARK).is_file() or folder.is_symlink():
        raise ConfigurationRefused(f"{folder} exists and is no folder of passport score", "use another --out")
    return folder


def replace_folder(draft: Path, out: Path) -> None:
    """Replace ``out`` with the finished ``draft``, a folder in the work folder."""
    fsync_tree(draft)
    refuse_foreign_files(out)
    old = draft.with_name("old")
    if out.exists():
        out.rename(old)
    draft.rename(out)
    fsync_path(out.parent)
    shutil.rmtree(old, ignore_errors=True)
