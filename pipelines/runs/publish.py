"""Write files so that a reader sees either the old or the new content, never a mixture."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from data_contracts.errors import ConfigurationRefused
from pipelines.runs.storage_faults import refuse_unusable_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa


MANY_FILES = 256


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a results folder for one run; a second run is refused instead of waiting.

    Raises:
        ConfigurationRefused: another run holds the lock, or there can be no such folder.
    """
    with refuse_unusable_folder(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        file = folder.with_name(f".{folder.name}.lock").open("a")
    with file as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationRefused(
                f"{folder} is locked by another run", "wait for it to end, or use another --out"
            ) from error
        yield


def fsync_path(path: Path) -> None:
    """Make a file durable, or the entries of a folder; the fsync of a file does not cover its folder entry."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_tree(folder: Path) -> None:
    """Make every file and every folder below ``folder`` durable."""
    entries = [folder, *folder.rglob("*")]
    if len(entries) > MANY_FILES:
        os.sync()  # one flush of everything is far cheaper than thousands of single ones
        return
    for entry in entries:
        fsync_path(entry)


def atomic_write_bytes(path: Path, data: bytes, *, private: bool = False) -> None:
    """Replace ``path`` with ``data`` in one step: temporary file, fsync, rename, fsync of the folder.

    A private file is readable by its owner alone, from the moment it is created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not private:  # mkstemp creates a private file
            os.chmod(temporary, 0o644)  # noqa: PTH101 - mkstemp gives a name, and published files are for all to read
        os.replace(temporary, path)  # noqa: PTH105 - as above
    except BaseException:
        os.unlink(temporary)  # noqa: PTH108 - as above
        raise
    fsync_path(path.parent)


def json_bytes(value: Mapping[str, Any] | list[Any]) -> bytes:
    """Return JSON with sorted keys, two spaces and a final newline, so that equal values have equal bytes."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)
    return (text + "\n").encode()


def write_json(path: Path, value: Mapping[str, Any] | list[Any]) -> None:
    """Write ``value`` as deterministic JSON, atomically."""
    atomic_write_bytes(path, json_bytes(value))


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON is any of six types; the caller knows which
    """Read a JSON file."""
    return json.loads(path.read_bytes())


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet (zstd, page checksums); equal tables have equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    try:
        # Opened in Python, so that tests can make every write to disk fail.
        with temporary.open("wb") as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_parquet(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read a Parquet file and verify its page checksums, so that a flipped bit raises an error."""
    # On some file systems memory_map returns pages before they are verified; partitioning would guess types.
    table = pq.read_table(path, columns=columns, page_checksum_verification=True, partitioning=None)
    # Each row group has its own dictionaries, which some table operations do not support.
    return table.unify_dictionaries()
