"""A disk that can be watched, filled, broken or killed under the program, and child processes that die on it.

Every call of Python that changes the disk passes through here: create, open, write, rename, link, remove, change mode
and sync. Writes by C libraries are not seen; our own Parquet files are written through a Python file for that reason.
Every commit of MLflow's database is seen before it is made.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
import sqlite3
import sys
import traceback
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from unittest import mock

from sqlalchemy.engine.default import DefaultDialect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_SECONDS_TO_LIVE = 120
_CALLS = ("mkdir", "rmdir", "rename", "replace", "unlink", "remove", "link", "symlink", "chmod", "fsync", "sync")
# What needs room on the disk; the others a full disk still does.
_GROWING = {"mkdir", "create", "write", "link", "symlink", "fsync", "commit"}
# How SQLite says what the system says of a disk.
_SQLITE_WORDS = {
    errno.ENOSPC: (sqlite3.SQLITE_FULL, "database or disk is full"),
    errno.EIO: (sqlite3.SQLITE_IOERR, "disk I/O error"),
}


@dataclass(frozen=True)
class DiskCall:
    """One call: its number from 1, its kind, and for a write a function that writes half of it."""

    number: int
    kind: str
    write_half: Callable[[], None] | None = None


@contextmanager
def watched_disk(before: Callable[[DiskCall], None]) -> Iterator[list[str]]:
    """Call ``before`` for each call that changes the disk, before it is made; yield the growing list of kinds."""
    watch = _Watch(before)
    with ExitStack() as patches:
        for name in _CALLS:
            patches.enter_context(mock.patch.object(os, name, watch.call(name, getattr(os, name))))
        patches.enter_context(mock.patch.object(os, "open", watch.low_level_open(os.open)))
        patches.enter_context(mock.patch.object(os, "fdopen", watch.opened(os.fdopen)))
        patches.enter_context(mock.patch.object(DefaultDialect, "do_commit", watch.commit(DefaultDialect.do_commit)))
        real_open = io.open
        for module in (io, builtins):
            patches.enter_context(mock.patch.object(module, "open", watch.opened(real_open)))
        yield watch.kinds


class _Watch:
    """Wrapper that announces the real calls."""

    def __init__(self, before: Callable[[DiskCall], None]) -> None:
        self._before = before
        self.kinds: list[str] = []

    def announce(self, kind: str, write_half: Callable[[], None] | None = None) -> None:
        self.kinds.append(kind)
        self._before(DiskCall(len(self.kinds), kind, write_half))

    def call(self, kind: str, real: Callable[..., object]) -> Callable[..., object]:
        def announced(*arguments: object, **named: object) -> object:
            self.announce(kind)
            return real(*arguments, **named)

        return announced

    def commit(self, real: Callable[..., None]) -> Callable[..., None]:
        def announced(dialect: object, connection: object) -> None:
            try:
                self.announce("commit")
            except OSError as fault:
                raise _as_sqlite_says(fault) from fault
            real(dialect, connection)

        return announced

    def opened(self, real: Callable[..., IO[Any]]) -> Callable[..., object]:
        def announced(file: object, mode: str = "r", *arguments: object, **named: object) -> object:
            if not set(mode) & set("wax+"):
                return real(file, mode, *arguments, **named)
            if not isinstance(file, int):
                self.announce("create")
            return _WatchedFile(real(file, mode, *arguments, **named), self)

        return announced

    def low_level_open(self, real: Callable[..., int]) -> Callable[..., int]:
        def announced(path: object, flags: int, *arguments: object, **named: object) -> int:
            if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
                self.announce("create")
            return real(path, flags, *arguments, **named)

        return announced


def _as_sqlite_says(fault: OSError) -> sqlite3.OperationalError:
    code, words = _SQLITE_WORDS[fault.errno or 0]
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code
    return error


class _WatchedFile:
    """A file that announces its writes."""

    def __init__(self, file: IO[Any], watch: _Watch) -> None:
        self._file, self._watch = file, watch

    def write(self, data: bytes | str) -> int:
        def half() -> None:
            self._file.write(data[: len(data) // 2])
            self._file.flush()

        self._watch.announce("write", half)
        return self._file.write(data)

    def writelines(self, lines: Iterable[bytes | str]) -> None:
        for line in lines:
            self.write(line)

    def __enter__(self) -> _WatchedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def dying_at(number: int, *, half_written: bool = False) -> Callable[[DiskCall], None]:
    """Kill this process, as ``kill -9`` does, before call ``number``, or in the middle of it if it is a write."""

    def before(call: DiskCall) -> None:
        if call.number == number:
            if half_written and call.write_half is not None:
                call.write_half()
            os.kill(os.getpid(), signal.SIGKILL)

    return before


def full_from(number: int) -> Callable[[DiskCall], None]:
    """Simulate a disk that is full from call ``number`` on: everything that needs space fails."""

    def before(call: DiskCall) -> None:
        if call.number == number or (call.number > number and call.kind in _GROWING):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return before


def failing_at(number: int) -> Callable[[DiskCall], None]:
    """Simulate a disk that fails once, at call ``number``."""

    def before(call: DiskCall) -> None:
        if call.number == number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    return before


def untroubled(_: DiskCall) -> None:
    """Simulate a disk without faults."""


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code, or minus the signal that killed it, and its text."""

    code: int
    said: str


def in_a_child(work: Callable[[], object]) -> Ended:
    """Run ``work`` in a fork of this process, which has all imports already; the text it returns is the child's text.

    The system's alarm ends a child that hangs, which its exit code shows.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(_SECONDS_TO_LIVE)
        os.close(reading)
        code, said = 0, ""
        try:
            answer = work()
            said = answer if isinstance(answer, str) else ""
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        except BaseException:  # noqa: BLE001 - it is told to the parent
            code, said = 70, traceback.format_exc()
        # Where nobody listens any more, this process is not to go on as a second run of the tests.
        with suppress(BrokenPipeError):
            _say(writing, said)
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), said)


def _say(descriptor: int, text: str) -> None:
    rest = text.encode()
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def typed(*arguments: object) -> str:
    """Run a ``passport`` command line and leave by ``SystemExit`` with its exit code and output.

    Call it only in a child: it takes over the streams of the process. Pages over the whole run are not refreshed: they
    are no part of a stage's run, and the profiles of these tests are not whole.
    """
    from pipelines.cli import main

    said = io.StringIO()
    sys.argv = ["passport", *map(str, arguments)]
    sys.stdout = sys.stderr = said
    try:
        with mock.patch("pipelines.index.refresh.refreshed_pages", return_value=nullcontext()):
            main()
    except SystemExit as stop:
        return f"{stop.code or 0}\n{said.getvalue()}"
    return f"0\n{said.getvalue()}"
