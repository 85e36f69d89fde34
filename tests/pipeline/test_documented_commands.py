"""Every command in the README and the guides runs and prints what the page shows.

A page is followed from top to bottom in a copy of the checkout with a finished run of the profile ``small``. A command
runs exactly as it is written, unless ``INSTEAD`` says otherwise and why. To document a command that cannot run here,
add a row there; a row that is no longer needed fails.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from tests.factories.guides import Block, blocks, copy_checkout, readers_environment, run_block
from tests.factories.small_run import CHECKOUT, FinishedRun

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PAGES = (*(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")), *CHECKOUT.glob("docs/*.md"))
ELSEWHERE = {"your_own_data.md": "test_own_data_guide.py follows it on files that no profile knows"}


@dataclass(frozen=True)
class Instead:
    """What runs in the place of a text in the commands of a page, and why."""

    text: str
    runs: str
    reason: str


_DEMO = "the demonstration takes a quarter of an hour; the profile small is the same in small"
_TESTS = "this is one of the tests that it would run"
_PLACEHOLDER = "the reader names a file or folder of their own"
INSTEAD: dict[str, tuple[Instead, ...]] = {
    "README.md": (
        Instead("make run  ", "make -n run  ", _DEMO),
        Instead("make test  ", "make -n test  ", _TESTS),
        Instead("make train  ", "make -n train  ", _DEMO),
        Instead("make run PROFILE=cumcm2020c", "make -n run PROFILE=cumcm2020c", "its files are not in the repository"),
        Instead("passport summary", "passport summary --profile small", _DEMO),
        Instead("passport show S000002", "passport show S000001 --profile small", _DEMO),
        Instead("passport score applicants.csv", "passport score applicants.csv --profile small", _DEMO),
        Instead(".keys/demo/", ".keys/small/", _DEMO),
    ),
    "add_a_feature.md": (
        Instead(
            "make run PROFILE=small",
            "make -o artifacts/small/validate/CURRENT run PROFILE=small",
            "it would validate the same rows again, which takes as long as all stages after it",
        ),
    ),
    "CONTRIBUTING.md": (
        Instead(
            ".venv/bin/pre-commit install",
            "git init --quiet && .venv/bin/pre-commit install",
            "the copy of the checkout is no repository",
        ),
    ),
    "results.md": (
        Instead("make run  ", "make -n run  ", _DEMO),
        Instead("make run PROFILE=cumcm2020c", "make -n run PROFILE=cumcm2020c", "its files are not in the repository"),
    ),
    "lenders.zh.md": (
        Instead(
            "passport score APPLICANTS",
            "printf 'applicant_id,seller_id\\nA-1,S000001\\n' > applicants.csv; passport score applicants.csv",
            _PLACEHOLDER,
        ),
        Instead("exports/ ", "artifacts/small/world/*/raw/amazon_settlement_v2/S000001/ ", _PLACEHOLDER),
        Instead("--from 2024-01-01", "--from 2019-01-01", "the exports of this seller begin in 2019"),
    ),
}


def with_commands() -> list[Path]:
    """Return the pages with commands that are not followed by another test."""
    pages = [page for page in sorted(PAGES) if any(block.language == "shell" for block in blocks(page))]
    return [page for page in pages if page.name not in ELSEWHERE]


@pytest.fixture
def reader(small_run: FinishedRun, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Return a checkout with a finished run that a page may change, and the environment of its reader."""
    checkout = copy_checkout(tmp_path)
    shutil.copytree(small_run.place.out, checkout / "artifacts")
    shutil.copytree(small_run.keys, checkout / ".keys")
    return checkout, readers_environment(checkout)


@pytest.mark.parametrize("page", with_commands(), ids=lambda page: page.name)
def test_the_commands_of_a_page_run(page: Path, reader: tuple[Path, dict[str, str]], small_run: FinishedRun) -> None:
    checkout, found = reader
    for block in runnable(blocks(page), INSTEAD.get(page.name, ())):
        made_before = small_run.printed if "make run PROFILE=small" in block.text else ""
        run_block(block, checkout, found, made_before)


def runnable(found: Sequence[Block], changes: Sequence[Instead]) -> Iterator[Block]:
    """Yield the shell blocks with what runs in the place of some of their texts."""
    for block in (one for one in found if one.language == "shell"):
        text = block.text
        for change in changes:
            text = text.replace(change.text, change.runs)
        # The output that a page shows is that of the command as it is written.
        yield block if text == block.text else replace(block, text=text, output="")


@pytest.mark.parametrize("page", sorted(PAGES), ids=lambda page: page.name)
def test_every_block_says_what_it_is(page: Path) -> None:
    """A block without a language could hold commands that no test runs."""
    assert [block.place for block in blocks(page) if not block.language] == []
    assert {block.language for block in blocks(page)}.isdisjoint({"bash", "sh", "console", "zsh"})


def test_nothing_is_replaced_without_need() -> None:
    pages = {page.name: page for page in PAGES}
    assert {*INSTEAD, *ELSEWHERE} <= pages.keys()
    for name, changes in INSTEAD.items():
        commands = "".join(block.text for block in blocks(pages[name]) if block.language == "shell")
        assert [change.text for change in changes if change.text not in commands] == []
        assert all(change.reason for change in changes)


@pytest.mark.parametrize(
    ("title", "output"),
    [("", "a 1 c"), ("", "a … d"), (' title="exit code 1"', "a b c")],
    ids=["other output", "other output after a gap", "other exit code"],
)
def test_a_page_that_promises_something_else_fails(tmp_path: Path, title: str, output: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```shell{title}\necho a b c\n```\n\n```text\n{output}\n```\n", encoding="utf-8")
    (block,) = blocks(page)
    run_block(replace(block, title="", output="a … c"), tmp_path, os.environ)
    with pytest.raises(AssertionError, match=r"page\.md:1: "):
        run_block(block, tmp_path, os.environ)
