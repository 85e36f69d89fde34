from __future__ import annotations

import math
import operator
import os
import signal
import subprocess
import time
from pathlib import Path
from unittest import mock

import pytest

from data_contracts.errors import InputRefused, InternalFault
from pipelines.ingest.deliveries.manifest import find_deliveries
from pipelines.runs.sandbox import Call, ChildEnded, Limits, run_each_in_sandbox, run_in_sandbox
from pipelines.runs.storage_faults import MemoryLacking
from tests.factories.raw_files import ingest_settings

LITTLE = Limits(memory_mib=1024, cpu_seconds=1)


def test_a_call_returns_its_result_from_another_process() -> None:
    assert run_in_sandbox(Call(os.getpid, ())) != os.getpid()


def test_calls_one_after_the_other_share_a_child() -> None:
    assert run_in_sandbox(Call(os.getpid, ())) == run_in_sandbox(Call(os.getpid, ()))


def test_results_come_in_the_order_of_the_calls() -> None:
    assert list(run_each_in_sandbox([Call(math.sqrt, (n * n,)) for n in range(20)], process_count=2)) == list(range(20))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "says"),
    [
        (Call(os.abort, ()), r"ended abnormally \(SIGABRT\)"),
        (Call(os._exit, (3,)), r"ended abnormally \(exit code 3\)"),
        (Call(bytearray, (2**40,)), "needed more than 6144 MiB of memory"),
        (Call(operator.mul, (b"x" * 2**20, 2**11), LITTLE), "needed more than 1024 MiB of memory"),
        (Call(math.factorial, (10**8,), LITTLE), "needed more than 1 seconds of processor time"),
        (Call(time.sleep, (60,), LITTLE), "did not end within 10 seconds"),
    ],
    ids=["crash", "exit", "absurd memory", "too much memory", "endless work", "endless wait"],
)
def test_a_call_that_ends_its_child_reports_how_and_the_next_one_works(call: Call[object], says: str) -> None:
    with pytest.raises(ChildEnded, match=says):
        run_in_sandbox(call)
    assert run_in_sandbox(Call(math.sqrt, (4,))) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "call", "says"),
    [
        (None, Call(signal.raise_signal, (signal.SIGKILL,)), r"SIGKILL.*the machine has too little memory"),
        (1500, Call(bytearray, (2**31,)), "may take 6144 MiB of memory, and the shell .* allows 1500 MiB"),
        (20, Call(math.sqrt, (4,)), "could not start a process that reads files"),
    ],
    ids=["killed by the system", "limit of the shell", "no room to start"],
)
def test_a_machine_with_too_little_memory_is_not_blamed_on_the_file(
    limit: int | None, call: Call[object], says: str
) -> None:
    real = subprocess.Popen
    limited = [] if limit is None else ["prlimit", f"--as={limit * 2**20}"]
    started = mock.patch.object(subprocess, "Popen", lambda command, **named: real([*limited, *command], **named))
    fresh = mock.patch("pipelines.runs.sandbox._warm_children", list)
    with fresh, started, pytest.raises(MemoryLacking, match=says) as lacking:
        run_in_sandbox(call)
    assert lacking.value.exit_code == 3
    assert "ulimit -v" in str(lacking.value)
    assert "\n" not in str(lacking.value)


_HELD: list[bytearray] = []


def held(mebibytes: int) -> int:
    _HELD.append(bytearray(mebibytes * 2**20))
    return len(_HELD)


@pytest.mark.slow
def test_memory_of_an_earlier_call_does_not_count_against_the_next() -> None:
    half = Call(held, (900,), Limits(memory_mib=2048, cpu_seconds=60))
    run_in_sandbox(Call(math.sqrt, (4,)))
    assert [run_in_sandbox(half), run_in_sandbox(half)] == [1, 1]  # the second time in a child of its own


def test_of_several_calls_that_fail_the_first_in_order_is_raised() -> None:
    slow_then_bad = [Call(find_deliveries, (Path("nowhere"), ingest_settings())), Call(os.abort, ())]
    with pytest.raises(InputRefused, match="nowhere"):
        list(run_each_in_sandbox(slow_then_bad, process_count=2))


def test_a_refusal_keeps_all_its_text_between_processes() -> None:
    with pytest.raises(InputRefused) as refusal:
        run_in_sandbox(Call(find_deliveries, (Path("nowhere"), ingest_settings())))
    assert (refusal.value.file, refusal.value.rule) == ("nowhere", "no such folder")
    assert "find_deliveries" in refusal.value.__notes__[0]


def test_an_error_that_cannot_cross_is_an_internal_fault_with_its_words() -> None:
    raising = "class Strange(Exception): ...\nraise Strange('as it was said')"
    with pytest.raises(InternalFault, match="Strange: as it was said"):
        run_in_sandbox(Call(exec, (raising, {})))


def test_paths_are_those_of_the_caller_even_after_he_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_in_sandbox(Call(os.getcwd, ()))
    monkeypatch.chdir(tmp_path)
    assert Path(run_in_sandbox(Call(os.getcwd, ()))) == Path.cwd()


def test_output_of_a_child_does_not_reach_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    run_in_sandbox(Call(os.write, (2, b"said by the child\n")))
    assert capfd.readouterr() == ("", "")


def test_a_forked_process_leaves_the_child_to_its_parent() -> None:
    kept = run_in_sandbox(Call(os.getpid, ()))
    forked = os.fork()
    if forked == 0:
        os._exit(0 if run_in_sandbox(Call(os.getpid, ())) != kept else 1)
    _, status = os.waitpid(forked, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert run_in_sandbox(Call(os.getpid, ())) == kept


def slept(told: Path) -> None:
    told.write_text(str(os.getpid()))
    told.rename(told.with_suffix(".pid"))
    time.sleep(120)


def test_a_child_in_the_middle_of_a_call_ends_with_the_process_that_called_it(tmp_path: Path) -> None:
    caller = os.fork()
    if caller == 0:
        run_in_sandbox(Call(slept, (tmp_path / "told",)))
    while not (tmp_path / "told.pid").exists():
        assert os.waitpid(caller, os.WNOHANG) == (0, 0)
        time.sleep(0.05)
    os.kill(caller, signal.SIGKILL)
    os.waitpid(caller, 0)
    child = Path("/proc", (tmp_path / "told.pid").read_text(), "stat")
    deadline = time.monotonic() + 30
    # Whoever inherits a process that has ended may leave it there, as a zombie.
    while child.exists() and child.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)
