"""Run functions that read untrusted bytes in a child process, with limits on memory and time.

A parser that crashes, hangs or exhausts memory ends the child, not the run. The child is a fresh interpreter, started
at the first call and reused, because starting it takes longer than reading a small file. The limits contain accidents;
they are no protection against code that has taken over a parser.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import pickle
import resource
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from data_contracts.errors import InternalFault
from pipelines.runs.storage_faults import MemoryLacking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Result = TypeVar("Result")

MEBIBYTE: Final = 2**20
# A file is not to blame for waiting for the disk or other processes, so the clock limit is higher.
CLOCK_SECONDS_A_CPU_SECOND: Final = 10
SECONDS_TO_START: Final = 60
SECONDS_TO_DIE: Final = 5
# Allocators reserve a gigabyte or more of address space in advance; the limit should count only what is used.
_THRIFTY: Final = {"MALLOC_ARENA_MAX": "2", "MIMALLOC_ARENA_RESERVE": "64MiB"}
_ENDED: Final = "the process that read it "
_ENDED_BY_THE_SYSTEM: Final = (
    "the system ended a process that reads files (SIGKILL), as it does when the machine has too little memory"
)
_READY: Final = "ready"


@dataclass(frozen=True)
class Limits:
    """Limits of one call: address space of the child in MiB, and processor seconds.

    The wall-clock limit is ten times the processor limit.
    """

    memory_mib: int
    cpu_seconds: int


DEFAULT_LIMITS: Final = Limits(memory_mib=6144, cpu_seconds=120)


@dataclass(frozen=True)
class Call(Generic[Result]):
    """A module-level function, its arguments, and its limits; all of it is pickled and sent to the child."""

    function: Callable[..., Result]
    arguments: tuple[Any, ...]
    limits: Limits = DEFAULT_LIMITS
    # Relative paths refer to the caller's folder, which may have changed since the child was started.
    working_folder: str = field(default_factory=os.getcwd)


class ChildEnded(Exception):
    """The child ended during a call; ``reason`` says how, ``of_machine`` that the call is not to blame."""

    def __init__(self, call: Call[Any], reason: str, *, of_machine: bool = False) -> None:
        super().__init__(reason)
        self.call, self.reason, self.of_machine = call, reason, of_machine


def run_in_sandbox(call: Call[Result]) -> Result:
    """Return what the function returns, or raise what it raises, in a child process.

    Raises:
        ChildEnded: the child crashed, or exceeded the limits of memory or time.
        MemoryLacking: the machine has too little memory for the child.
    """
    (result,) = run_each_in_sandbox([call], process_count=1)
    return result


def run_each_in_sandbox(calls: Sequence[Call[Result]], process_count: int) -> Iterator[Result]:
    """Yield the results of calls in their order, computed by up to ``process_count`` children in parallel.

    An exception of a call, or ``ChildEnded``, is raised in its turn, so that the first of several bad calls is
    reported.
    """
    waiting = deque(enumerate(calls))
    running: dict[_Child, int] = {}
    done: dict[int, _Reply] = {}
    try:
        for turn in range(len(calls)):
            while turn not in done:
                # Children may run ahead, but only so far that results do not pile up.
                while waiting and len(running) < process_count and waiting[0][0] < turn + 2 * process_count:
                    number, call = waiting.popleft()
                    child = _warm_child()
                    running[child] = number
                    child.start(call)
                for child in _finished(running):
                    number, reply = running.pop(child), child.reply()
                    if isinstance(reply.error, ChildEnded) and child.answered:
                        # Earlier calls may have weakened the child, so a fresh child repeats the call.
                        child = _Child()  # noqa: PLW2901 - the next to make this call
                        running[child] = number
                        child.start(reply.error.call)
                    else:
                        done[number] = reply
            yield done.pop(turn).result()
    finally:
        for child in running:
            child.kill()
        for child in _warm_children()[1:]:
            child.kill()
        del _warm_children()[1:]


def _finished(running: dict[_Child, int]) -> list[_Child]:
    """Wait until a child has answered, ended or run out of time; return all such children."""
    first_deadline = min(child.deadline for child in running)
    ready = wait([child.connection for child in running], timeout=max(first_deadline - time.monotonic(), 0))
    return [child for child in running if child.connection in ready or child.deadline <= time.monotonic()]


@dataclass(frozen=True)
class _Reply:
    """The outcome of a call: its result, or the exception to raise."""

    value: Any = None
    error: BaseException | None = None

    def result(self) -> Any:  # noqa: ANN401 - whatever the function of the call returns
        if isinstance(self.error, ChildEnded) and self.error.of_machine:
            raise MemoryLacking(self.error.reason) from self.error
        if self.error is not None:
            raise self.error
        return self.value


class _Child:
    """A child process: ``start`` a call, wait for ``connection`` or ``deadline``, take the ``reply``."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        command = [sys.executable, "-P", "-m", __name__, str(theirs.fileno())]
        found_at = os.pathsep.join(entry or os.curdir for entry in sys.path)
        # A crashing parser would write to the terminal what its one-line refusal already says.
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **_THRIFTY, "PYTHONPATH": found_at},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        # Starting does not count towards the time of a call.
        self.is_ready = False
        with contextlib.suppress(EOFError, ConnectionResetError):
            if self.connection.poll(SECONDS_TO_START):
                self.is_ready = self.connection.recv() == _READY
        self.call: Call[Any] | None = None
        self.deadline = 0.0
        self.answered = 0

    def start(self, call: Call[Any]) -> None:
        self.call = call
        self.deadline = time.monotonic() + CLOCK_SECONDS_A_CPU_SECOND * call.limits.cpu_seconds
        with contextlib.suppress(BrokenPipeError):  # it has ended; the reply says how
            self.connection.send(call)

    def reply(self) -> _Reply:
        """Return the outcome of the call; the child is reused if it answered and discarded if it did not."""
        if self.call is None:
            raise RuntimeError("a child without a call has nothing to say")
        call, self.call = self.call, None
        if not self.connection.poll():
            self.kill()
            seconds = CLOCK_SECONDS_A_CPU_SECOND * call.limits.cpu_seconds
            return _Reply(error=ChildEnded(call, f"{_ENDED}did not end within {seconds} seconds"))
        try:
            answer: _Reply | _OutOfMemory = self.connection.recv()
        except (EOFError, ConnectionResetError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=SECONDS_TO_DIE)
            self.kill()
            code = self.process.returncode
            if code == -signal.SIGINT:  # the user interrupted both processes
                return _Reply(error=KeyboardInterrupt())
            return _Reply(error=_ended(call, code, is_ready=self.is_ready))
        if isinstance(answer, _OutOfMemory):
            self.kill()
            return _Reply(error=_out_of_memory(call, answer.limit_mib))
        self.answered += 1
        _warm_children().append(self)
        return answer

    def kill(self) -> None:
        """Kill the child, whatever it is doing."""
        self.connection.close()
        self.process.kill()
        self.process.wait()

    def leave(self) -> None:
        """Detach from a child that belongs to the process we were forked from."""
        self.connection.close()
        self.process.returncode = 0


@dataclass(frozen=True)
class _OutOfMemory:
    """The child's message that it ran out of memory, with its limit; it must not be used again."""

    limit_mib: int


def _ended(call: Call[Any], code: int, *, is_ready: bool) -> ChildEnded:
    """Return how a child ended; a machine that lacks memory does not let it start, or kills it."""
    if not is_ready:
        return ChildEnded(call, "the machine could not start a process that reads files", of_machine=True)
    if code == -signal.SIGKILL:
        return ChildEnded(call, _ENDED_BY_THE_SYSTEM, of_machine=True)
    return ChildEnded(call, _how_it_ended(code, call.limits))


def _out_of_memory(call: Call[Any], limit_mib: int) -> ChildEnded:
    """Return whether the limit of the call was reached, or a lower one that the program was started with."""
    if limit_mib < call.limits.memory_mib:
        return ChildEnded(call, _beyond_inherited(limit_mib, call.limits), of_machine=True)
    return ChildEnded(call, _beyond_memory(call.limits))


def _how_it_ended(code: int, limits: Limits) -> str:
    if code == -signal.SIGXCPU:
        return f"{_ENDED}needed more than {limits.cpu_seconds} seconds of processor time"
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"{_ENDED}ended abnormally ({name}) within {limits.memory_mib} MiB"


def _beyond_inherited(limit_mib: int, limits: Limits) -> str:
    return (
        f"a process that reads files may take {limits.memory_mib} MiB of memory, and the shell or container that it "
        f"runs in allows {limit_mib} MiB, which did not suffice"
    )


def _beyond_memory(limits: Limits) -> str:
    return f"{_ENDED}needed more than {limits.memory_mib} MiB of memory"


@functools.cache
def _warm_children() -> list[_Child]:
    """Return the idle children of this process."""
    warm: list[_Child] = []
    # If two processes shared a child, each would read the other's answers.
    os.register_at_fork(after_in_child=lambda: _leave_all(warm))
    return warm


def _leave_all(children: list[_Child]) -> None:
    while children:
        children.pop().leave()


def _warm_child() -> _Child:
    """Return an idle child that is alive, or a new one."""
    children = _warm_children()
    while children:
        child = children.pop()
        if child.process.poll() is None:
            return child
        child.kill()
    return _Child()


def serve(connection: Connection) -> None:
    """Answer calls until the caller goes away; this is all that a child does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with_caller, args=(connection.fileno(),), daemon=True).start()
    connection.send(_READY)
    while True:
        try:
            call = connection.recv()
        except EOFError:
            return
        _limit(call.limits)
        try:
            connection.send_bytes(pickle.dumps(_answer(call), protocol=pickle.HIGHEST_PROTOCOL))
        except MemoryError:
            connection.send(_OutOfMemory(resource.getrlimit(resource.RLIMIT_AS)[0] // MEBIBYTE))
            return


def _end_with_caller(descriptor: int) -> None:
    """End this process as soon as the caller goes away, even during a call: nobody needs the answer."""
    poll = select.poll()
    poll.register(descriptor, 0)  # only to learn that it was closed
    poll.poll()
    os._exit(0)


def _answer(call: Call[Any]) -> _Reply:
    try:
        os.chdir(call.working_folder)
        return _Reply(value=call.function(*call.arguments))
    except MemoryError:
        raise
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryException":  # DuckDB's, without importing it
            raise MemoryError from error
        return _Reply(error=_portable(error))


def _portable(error: Exception) -> Exception:
    """Return the exception in a form that can be pickled, with its traceback as a note."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - its own way of being built decides what can go wrong
        return InternalFault(f"{type(error).__name__}: {error}")
    return error


def _limit(limits: Limits) -> None:
    """Set the limits of the next call; processor time counts from the start of the child, so the limit moves on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_seconds = math.ceil(used.ru_utime + used.ru_stime) + limits.cpu_seconds
    _lower(resource.RLIMIT_CPU, cpu_seconds)
    _lower(resource.RLIMIT_AS, limits.memory_mib * MEBIBYTE)


def _lower(kind: int, wanted: int) -> None:
    """Set a limit, but not beyond the one that the shell or the container sets."""
    _, most = resource.getrlimit(kind)
    resource.setrlimit(kind, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


if __name__ == "__main__":
    # Pickle needs the module name under which other modules import these classes.
    from pipelines.runs.sandbox import serve as serve_calls

    serve_calls(Connection(int(sys.argv[1])))
