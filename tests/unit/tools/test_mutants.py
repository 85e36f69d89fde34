"""Small faults are put where they can change a result, drawn evenly, and tried in a copy of the checkout."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cosmic_ray", reason="mutation testing is not installed; make mutants installs it")

from data_contracts.errors import ConfigurationRefused
from tools.mutants.changes import Mutant, faults, mutant
from tools.mutants.command import document
from tools.mutants.equivalents import read_equivalents, set_apart
from tools.mutants.modules import GUARDED
from tools.mutants.sample import sample
from tools.mutants.trial import Outcome, Workplace, copied_checkout

CHECKOUT = Path(__file__).resolve().parents[3]


def changed(source: str) -> list[str]:
    """Return the changed line of every mutant of a module."""
    found = (mutant("m.py", source, fault) for fault in faults(source))
    return sorted(one.becomes.replace("  ", " ") for one in found if one is not None)


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("a = b + 1", ["a = b + 0", "a = b + 2", "a = b - 1"]),
        ("a = b < c", ["a = b <= c", "a = b >= c"]),
        ("a = b is None", ["a = b is not None"]),
        ("a = b and not c", ["a = b and c", "a = b or not c"]),
        ("a = [b for b in c if b]", ["a = [b for b in c if False]", "a = [b for b in c if True]"]),
        ("a = b if c else d", ["a = b if False else d", "a = b if True else d", "a = b if not c else d"]),
        ("a = True", ["a = False"]),
    ],
)
def test_a_line_is_changed_in_the_ways_that_one_could_have_got_it_wrong(line: str, becomes: list[str]) -> None:
    assert changed(line + "\n") == becomes


def test_every_branch_of_a_choice_can_be_always_or_never_taken() -> None:
    source = "if a:\n    b()\nelif c:\n    d()\n"
    assert {"if True:", "if False:", "elif True:", "elif False:"} <= set(changed(source))


def test_annotations_and_what_only_type_checkers_read_are_left_alone() -> None:
    source = (
        "from dataclasses import dataclass\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    LIMIT = 7\n"
        "class P(Protocol):\n    @property\n    def kind(self) -> str: ...\n"
        "@dataclass(frozen=True)\nclass A:\n    b: int | None\n    名称: Literal[3] | None\n"
        "def f(a: int | str, *, b: Literal[3]) -> int | None:\n    return zip(a, b, strict=True)\n"
    )
    assert changed(source) == []


def test_an_exception_with_a_dotted_name_is_left_alone() -> None:
    source = "try:\n    a()\nexcept (json.JSONDecodeError, OSError):\n    b()\n"
    assert changed(source) == ["except (json.JSONDecodeError, CosmicRayTestingException):"]


def test_a_sample_is_even_over_modules_and_the_same_for_the_same_seed() -> None:
    sources = {"a.py": "x = 1\n" * 40, "b.py": "y = 1\n" * 40, "c.py": "z = 1\n"}
    drawn = sample(sources, 21, seed=3)
    assert [sum(one.path == path for one in drawn) for path in sources] == [10, 10, 1]
    assert drawn == sample(sources, 21, seed=3)
    assert {(one.path, one.line) for one in drawn} != {(one.path, one.line) for one in sample(sources, 21, seed=4)}
    assert len({(one.path, one.line) for one in drawn}) == 21
    assert len(sample(sources, 999, seed=3)) == 81


def test_every_guarded_module_and_its_tests_exist() -> None:
    named = {*GUARDED, *(test for tests in GUARDED.values() for test in tests)}
    assert {name for name in named if not (CHECKOUT / name).is_file()} == set()
    assert len(GUARDED) >= 30
    assert all(GUARDED.values())


@pytest.mark.slow
def test_every_fault_that_is_called_equivalent_can_still_be_made() -> None:
    listed = set(read_equivalents())
    assert {module for module, *_ in listed} <= set(GUARDED)
    possible = set()
    for module in {module for module, *_ in listed}:
        source = (CHECKOUT / module).read_text(encoding="utf-8")
        lines, changed_lines = source.splitlines(), {was for path, was, _ in listed if path == module}
        wanted = (fault for fault in faults(source) if lines[fault.start[0] - 1].strip() in changed_lines)
        made = (mutant(module, source, fault) for fault in wanted)
        possible |= {(one.path, one.was, one.becomes) for one in made if one is not None}
    assert listed - possible == set()


ONE = Mutant("m.py", 1, "LIMIT = 1", "LIMIT = 2", "LIMIT = 2\n")


def test_a_fault_that_changes_nothing_is_set_apart_with_its_reason() -> None:
    reasons = {("m.py", "LIMIT = 1", "LIMIT = 2"): "nobody reads it"}
    other = Mutant("n.py", 1, "LIMIT = 1", "LIMIT = 2", "LIMIT = 2\n")
    assert set_apart([ONE, other], reasons) == ([other], [(ONE, "nobody reads it")])


def test_a_record_names_what_survived_and_counts_what_took_too_long_as_noticed() -> None:
    results = [(ONE, Outcome.NOTICED), (ONE, Outcome.NOTICED), (ONE, Outcome.TIMED_OUT), (ONE, Outcome.SURVIVED)]
    record: dict[str, Any] = json.loads(json.dumps(document(results, [(ONE, "nobody reads it")], seed=7)))
    assert (record["noticed"], record["timed_out"], record["share_noticed"], record["meets_bars"]) == (
        2,
        1,
        0.75,
        False,
    )
    assert record["survived"] == [{"place": "m.py:1", "was": "LIMIT = 1", "becomes": "LIMIT = 2"}]
    assert record["equivalent"][0]["reason"] == "nobody reads it"
    assert (record["settings"]["sample"], record["settings"]["seed"]) == (5, 7)
    assert document([(ONE, Outcome.NOTICED)] * 19 + [(ONE, Outcome.SURVIVED)], [], 1)["meets_bars"] is True
    assert document([], [], 1)["meets_bars"] is False


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """Return a copy of a checkout of one module and its tests."""
    checkout, copy = tmp_path / "checkout", tmp_path / "copy"
    checkout.mkdir()
    (checkout / "m.py").write_text("LIMIT = 1\n\n\ndef more(a):\n    return a + LIMIT\n", encoding="utf-8")
    test = "import m\n\n\ndef test_more():\n    assert m.more(1) == 2\n"
    # A process that a test starts has to see the fault too.
    command = "[sys.executable, '-c', 'import m; assert m.LIMIT < 3']"
    started = f"def test_started():\n    subprocess.run({command}, check=True)\n"
    (checkout / "test_m.py").write_text(test, encoding="utf-8")
    (checkout / "test_started.py").write_text("import subprocess, sys\n" + started, encoding="utf-8")
    (checkout / "test_none.py").write_text("import m\n", encoding="utf-8")
    subprocess.run(["git", "init", "-q", str(checkout)], check=True)  # noqa: S607 - as the tool does
    return copied_checkout(checkout, copy)


@pytest.mark.slow
def test_a_mutant_is_noticed_survives_or_takes_too_long_and_the_copy_is_put_back(workplace: Workplace) -> None:
    original = (workplace.folder / "m.py").read_text(encoding="utf-8")

    def said(source: str, test: str, limit: float = 60.0) -> Outcome:
        return workplace.outcome(Mutant("m.py", 1, "", "", source), [test], limit)

    assert workplace.usual_seconds(["test_m.py", "test_started.py"]) > 0
    # Of the same length, so that only what was compiled could hide it.
    assert said(original.replace("LIMIT = 1", "LIMIT = 2"), "test_m.py") is Outcome.NOTICED
    assert said(original.replace("LIMIT = 1", "LIMIT = 2"), "test_started.py") is Outcome.SURVIVED
    assert said(original.replace("LIMIT = 1", "LIMIT = 3"), "test_started.py") is Outcome.NOTICED
    assert said("while True:\n    pass\n", "test_m.py", 5.0) is Outcome.TIMED_OUT
    assert said("def more(:\n", "test_m.py") is Outcome.NOTICED
    assert (workplace.folder / "m.py").read_text(encoding="utf-8") == original
    assert not (workplace.checkout / "__pycache__").exists()
    with pytest.raises(ConfigurationRefused, match="fail without a mutant"):
        workplace.usual_seconds(["test_none.py"])
