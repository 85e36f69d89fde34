"""The habits of the project hold: groups are locked, one list of checks is used everywhere, no index has a name."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parents[2]
# The lock of each dependency group; build is locked with the dependencies of the project itself.
LOCKS = {
    "build": "requirements.lock",
    "test": "requirements-test.lock",
    "docs": "requirements-docs.lock",
    "sbom": "requirements-sbom.lock",
    "mutants": "requirements-mutants.lock",
    "bench": "requirements-bench.lock",
}
# Peers that need other versions of what MLflow uses are installed into an environment of their own.
ALONE = {"bench"}
INDEX_ADDRESS = re.compile(
    r"https?://[^\s\"')>]*(?:pypi|pythonhosted|npmjs|/simple\b|mirror|artifactory|nexus)"
    r"|(?<!no-emit-)(?:extra-)?index-url\s*[=:]"
)


def project() -> dict[str, Any]:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))


def pins(lock: str) -> dict[str, set[str]]:
    """Return the pinned versions by package; more than one where they differ by version of Python or by platform."""
    found: dict[str, set[str]] = {}
    text = (CHECKOUT / lock).read_text(encoding="utf-8")
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, flags=re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def unlocked(requirements: list[str], locked: dict[str, set[str]]) -> list[str]:
    """Return the requirements that a lock has no pin for, or another version than they allow."""
    wanted = [Requirement(text) for text in requirements]
    return [
        str(requirement)
        for requirement in wanted
        if not locked.get(canonicalize_name(requirement.name))
        or not all(map(requirement.specifier.contains, locked[canonicalize_name(requirement.name)]))
    ]


def test_every_dependency_group_has_a_lock() -> None:
    assert set(project()["dependency-groups"]) == set(LOCKS)
    assert {path.name for path in CHECKOUT.glob("requirements*.lock")} == set(LOCKS.values())


@pytest.mark.parametrize("group", sorted(LOCKS))
def test_the_lock_of_a_group_pins_what_the_group_asks_for(group: str) -> None:
    entries = project()["dependency-groups"][group]
    asked = [entry for entry in entries if isinstance(entry, str)]
    assert asked
    assert unlocked(asked, pins(LOCKS[group])) == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock", "requirements-bench.lock"])
def test_the_dependencies_of_the_project_are_in_every_lock_that_installs_it(lock: str) -> None:
    assert unlocked(project()["project"]["dependencies"], pins(lock)) == []


def test_a_requirement_without_a_fitting_pin_would_be_noticed() -> None:
    assert unlocked(["Some_Package>=2", "other"], {"some-package": {"1.9"}}) == ["Some_Package>=2", "other"]


def test_locks_that_are_installed_together_agree() -> None:
    first, *rest = (pins(lock) for group, lock in LOCKS.items() if group not in ALONE)
    for locked in rest:
        assert {name: locked[name] for name in first.keys() & locked.keys()} == {
            name: first[name] for name in first.keys() & locked.keys()
        }
        first = first | locked


def kept_files() -> list[Path]:
    """Return the files that git keeps, or skip where there is no git checkout."""
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)
    if listed.returncode:
        pytest.skip("not a git checkout, so nothing says which files are kept")
    return [path for name in listed.stdout.split("\0") if name and (path := CHECKOUT / name).is_file()]


def test_no_file_names_a_package_index() -> None:
    named = {
        path.relative_to(CHECKOUT).as_posix(): found.group()
        for path in kept_files()
        if (found := INDEX_ADDRESS.search(path.read_bytes().decode("utf-8", "replace")))
    }
    assert named == {}


@pytest.mark.parametrize(
    "written", ["SCHEME://pypi.org/simple", "SCHEME://artifactory.local/packages", "SCHEME://host/mirror"]
)
def test_the_address_of_a_package_index_would_be_noticed(written: str) -> None:
    address = written.replace("SCHEME", "https")  # this file names none either
    assert INDEX_ADDRESS.search(f"pip install --find-links {address}")


def test_an_option_that_names_a_package_index_would_be_noticed() -> None:
    assert INDEX_ADDRESS.search("--extra-index-url" + "=x")
    assert not INDEX_ADDRESS.search("uv pip compile --no-emit-index-url --quiet")


def test_no_text_holds_the_marks_of_a_merge_conflict() -> None:
    marks = re.compile(rb"^(?:<{7}|>{7}) ", flags=re.MULTILINE)
    assert marks.search(b"words\n" + b"<" * 7 + b" HEAD\n")
    assert [path.relative_to(CHECKOUT).as_posix() for path in kept_files() if marks.search(path.read_bytes())] == []


def checks() -> list[str]:
    """Return the parts of ``make check``."""
    found = re.search(r"^check: (.*?) ##", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert found is not None
    return found[1].split()


def test_pre_commit_runs_the_commands_of_make_check_from_the_own_environment() -> None:
    settings = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (repository,) = settings["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == [f"make --no-print-directory {name}" for name in checks()]
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    assert not any(hook["pass_filenames"] for hook in repository["hooks"])


def test_ci_runs_the_parts_of_make_check_with_all_tests() -> None:
    text = (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8")
    run = {word for line in re.findall(r"^make (.*)$", text, flags=re.MULTILINE) for word in line.split()}
    assert (set(checks()) - {"test-fast"}) | {"test", "site"} <= run


def test_contributing_explains_every_check_and_every_group() -> None:
    text = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [name for name in checks() if f"| `make {name}` |" not in text] == []
    assert [name for name, lock in LOCKS.items() if f"`{name}`" not in text or f"`{lock}`" not in text] == []
