"""Remove content from published runs on purpose, so that no later command takes it for damage.

A run whose content is removed keeps its name. Its new manifest holds the digests of what is left and, under
``removed``, what was taken out, when and why.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any, Final

from pipelines.runs.publish import atomic_write_bytes, fsync_path, fsync_tree, write_parquet
from pipelines.runs.stages import CURRENT, DRAFT_PREFIX, read_manifest, write_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

REMOVED: Final = "removed"


def rewrite_run(run_dir: Path, changed: Mapping[str, pa.Table | bytes | None], removal: Mapping[str, Any]) -> None:
    """Replace or remove files of a published run, and record in its manifest what was removed.

    The new folder is complete on disk before it takes the place of the old one. If the run is in force, ``CURRENT`` is
    written again, so that Make repeats the stages that depend on it.

    Args:
        run_dir: the run folder; the caller holds the lock of its stage.
        changed: what to write instead of the files in the run, by path within the run; None removes the file.
        removal: what was removed, as plain values.
    """
    facts = {name: value for name, value in read_manifest(run_dir).items() if name != "outputs"}
    draft = run_dir.with_name(f"{DRAFT_PREFIX}{run_dir.name}-without")
    shutil.rmtree(draft, ignore_errors=True)
    # Hard links are enough: a changed file is written anew and then renamed over its link.
    shutil.copytree(run_dir, draft, copy_function=os.link)
    for name, content in changed.items():
        _replace(draft / name, content)
    (draft / "manifest.json").unlink()
    write_manifest(draft, {**facts, REMOVED: [*facts.get(REMOVED, []), dict(removal)]})
    fsync_tree(draft)
    old = run_dir.with_name(f"{DRAFT_PREFIX}{run_dir.name}-before")
    run_dir.rename(old)
    draft.rename(run_dir)
    shutil.rmtree(old)
    fsync_path(run_dir.parent)
    pointer = run_dir.with_name(CURRENT)
    if pointer.is_file() and pointer.read_bytes().decode().strip() == run_dir.name:
        atomic_write_bytes(pointer, f"{run_dir.name}\n".encode())


def _replace(path: Path, content: pa.Table | bytes | None) -> None:
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        atomic_write_bytes(path, content)
    else:
        write_parquet(path, content)
