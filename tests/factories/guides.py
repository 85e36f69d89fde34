"""The commands of a guide, with the output that the guide shows, run as a reader would run them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.factories.small_run import CHECKOUT, environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# What differs from run to run in an expected output: seconds, runs, pseudonyms, and what the page leaves out.
_VARIES = re.compile(r"\b[\d,.]+ s\b|\b(?:[0-9a-f]{16}){1,2}\b|\s*…\s*")
_FENCE = re.compile(r"^ *```(?P<info>.*)\n(?P<text>(?:.*\n)*?) *```$", re.MULTILINE)
_TITLE = re.compile(r'title="([^"]+)"')
_EXIT = re.compile(r"exit code (\d+)")
_NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".keys", "artifacts", "dist", "__pycache__", ".*_cache", "*.egg-info"
)
_READY = (".run-ready", ".test-ready", ".docs-ready")


@dataclass(frozen=True)
class Block:
    """A fenced block of a guide.

    Attributes:
        guide: file name of the guide, for messages.
        line: line of its opening fence.
        language: ``shell``, ``text``, …; empty if the guide states none.
        title: the file that the block shows, or the exit code that its commands end with; empty if there is none.
        text: its lines.
        output: the ``text`` block directly after it, which a command prints; empty if there is none.
    """

    guide: str
    line: int
    language: str
    title: str
    text: str
    output: str = ""

    @property
    def place(self) -> str:
        """The place of the block, as an editor opens it."""
        return f"{self.guide}:{self.line}"

    @property
    def exit_code(self) -> int:
        """The exit code that the guide promises."""
        found = _EXIT.fullmatch(self.title)
        return int(found[1]) if found else 0


def blocks(guide: Path) -> tuple[Block, ...]:
    """Return the fenced blocks of a guide in order; a shell block takes the output directly below it with it."""
    page = guide.read_text(encoding="utf-8")
    found: list[Block] = []
    end = 0
    for match in _FENCE.finditer(page):
        language, _, rest = match["info"].strip().partition(" ")
        if language == "text" and found and found[-1].language == "shell" and not page[end : match.start()].strip():
            found.append(replace(found.pop(), output=match["text"]))
        else:
            title = _TITLE.search(rest)
            line = page.count("\n", 0, match.start()) + 1
            found.append(Block(guide.name, line, language, title[1] if title else "", match["text"]))
        end = match.end()
    return tuple(found)


def run_block(block: Block, folder: Path, found: Mapping[str, str], printed_before: str = "") -> None:
    """Run the commands of a block, and compare with what the guide promises.

    ``printed_before`` is what the guide may show too, because a command of the block had been run already.
    """
    command = ["bash", "-euo", "pipefail", "-c", block.text]
    done = subprocess.run(command, cwd=folder, env=dict(found), capture_output=True, text=True, check=False)
    printed = done.stdout + done.stderr
    assert done.returncode == block.exit_code, f"{block.place}: exit code {done.returncode}\n{block.text}\n{printed}"
    for expected in missing_lines(block.output, printed_before + printed):
        raise AssertionError(f"{block.place}: the output has no line like\n{expected}\nbut\n{printed}")


def missing_lines(expected: str, printed: str) -> list[str]:
    """Return the lines of an expected output that are not among the printed ones; spaces at their ends do not count."""
    lines = [line.strip() for line in printed.splitlines()]
    return [line for line in expected.splitlines() if line.strip() and not any(_is_like(line, one) for one in lines)]


def _is_like(expected: str, line: str) -> bool:
    parts = (re.escape(part) for part in _VARIES.split(expected.strip()))
    return re.fullmatch(".*".join(parts), line) is not None


def copy_checkout(folder: Path) -> Path:
    """Copy the checkout without its outputs; its ``.venv`` is the environment that runs the tests."""
    copy = folder / "seller-credit-passport"
    shutil.copytree(CHECKOUT, copy, ignore=_NOT_COPIED)
    (copy / ".venv").symlink_to(sys.prefix)
    return copy


def readers_environment(checkout: Path) -> dict[str, str]:
    """Return the environment of a reader with a checkout in the home folder who has activated its environment.

    Make takes the environment for set up, so that nothing is installed.
    """
    commands = checkout.parent / "commands"
    commands.mkdir()
    ready = " ".join(f"-o .venv/{name}" for name in _READY)
    make = commands / "make"
    make.write_text(f'#!/bin/sh\nexec {shutil.which("make")} --no-print-directory {ready} "$@"\n')
    make.chmod(0o755)
    found = environment(checkout / ".keys", MLFLOW_DISABLE_TELEMETRY="true", PYTHONPATH=str(checkout))
    del found["KEYS_DIR"]
    paths = (str(commands), f"{checkout}/.venv/bin", found["PATH"])
    return {**found, "HOME": str(checkout.parent), "PATH": os.pathsep.join(paths)}
