"""Zip and gz archives of raw files: their entries, and the bytes of one entry.

An archive inside an archive is not opened; its bytes match no source and are refused.
"""

from __future__ import annotations

import contextlib
import gzip
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from data_contracts.errors import InputRefused

if TYPE_CHECKING:
    from pathlib import Path

ZIP_SUFFIX, GZIP_SUFFIX = ".zip", ".gz"
LARGEST_FILE_BYTES = 2**30
MOST_ENTRIES = 10_000
_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Entry:
    """A file in an archive: its name, and its unpacked size (of a gz the packed size, the only one known)."""

    name: str
    size_bytes: int

    @property
    def is_hidden(self) -> bool:
        """Whether the operating system added the file, not the deliverer."""
        parts = PurePosixPath(self.name).parts
        return "__MACOSX" in parts or any(part.startswith(".") for part in parts)


def is_archive(name: str) -> bool:
    """Return whether a file is a zip or gz by its name; workbooks are zips too, but have other names."""
    return name.casefold().endswith((ZIP_SUFFIX, GZIP_SUFFIX))


def entries_of(path: Path, name: str) -> tuple[Entry, ...]:
    """Return the files in an archive, in order of their names; ``name`` is used in messages.

    Raises:
        InputRefused: the archive is broken or empty, or has too many files or two with the same name.
    """
    if not name.casefold().endswith(ZIP_SUFFIX):
        return (Entry(PurePosixPath(name).name[: -len(GZIP_SUFFIX)], path.stat().st_size),)
    try:
        with zipfile.ZipFile(path) as archive:
            found = [Entry(entry.filename, entry.file_size) for entry in archive.infolist() if not entry.is_dir()]
    except _BROKEN as error:
        raise _unreadable(name, error) from error
    if not 0 < len(found) <= MOST_ENTRIES:
        raise InputRefused(
            file=name, rule=f"the zip contains {len(found)} files", remedy=f"put 1 to {MOST_ENTRIES} files into a zip"
        )
    if len({entry.name for entry in found}) < len(found):
        raise InputRefused(file=name, rule="the zip contains two files with the same name", remedy="pack it again")
    return tuple(sorted(found, key=lambda entry: entry.name))


class OpenArchives:
    """Archives below a folder, each opened once; a context manager that closes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._zips: dict[str, zipfile.ZipFile] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> OpenArchives:
        """Return the archives."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the archives."""
        self._stack.close()

    def read(self, container: str, entry: str) -> bytes:
        """Return the bytes of a file in an archive.

        Raises:
            InputRefused: the archive or the file is broken, missing or too large.
        """
        name = f"{container}/{entry}"
        try:
            if container.casefold().endswith(GZIP_SUFFIX):
                with gzip.open(self._folder / container) as unpacked:
                    data = unpacked.read(LARGEST_FILE_BYTES + 1)
            else:
                data = self._zip(container).read(entry)
        except FileNotFoundError as error:
            raise InputRefused(file=container, rule="the archive is missing", remedy="deliver it again") from error
        except (*_BROKEN, KeyError) as error:
            raise _unreadable(name, error) from error
        require_size(name, len(data))
        return data

    def _zip(self, container: str) -> zipfile.ZipFile:
        if container not in self._zips:
            self._zips[container] = self._stack.enter_context(zipfile.ZipFile(self._folder / container))
        return self._zips[container]


def require_size(name: str, size_bytes: int) -> None:
    """Raise InputRefused if a file is too large to be read whole."""
    if size_bytes > LARGEST_FILE_BYTES:
        raise InputRefused(
            file=name,
            rule=f"the file has at least {size_bytes} bytes unpacked, more than {LARGEST_FILE_BYTES}",
            remedy="split the file",
        )


def _unreadable(name: str, error: BaseException) -> InputRefused:
    return InputRefused(file=name, rule=f"the archive cannot be read: {error}", remedy="deliver it again")
