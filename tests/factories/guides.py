"""The commands of a guide, with the output that the guide shows, run as a reader would run them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ANYTHING = "…"
"""In an expected output: a part that differs from run to run."""
_FENCE = re.compile(r"^ *```(?P<info>.*)\n(?P<text>(?:.*\n)*?) *```$", re.MULTILINE)
_OPTION = re.compile(r'(\w+)="?([^"\s]+)"?')


@dataclass(frozen=True)
class Block:
    """A fenced block of a guide.

    Attributes:
        guide: file name of the guide, for messages.
        line: line of its opening fence.
        language: ``shell``, ``text``, …; empty if the guide states none.
        options: what else the fence says, for example ``exit`` (code of a command that fails) or ``title`` (file name).
        text: its lines.
        output: the ``text`` block directly after it, which a command prints; empty if there is none.
    """

    guide: str
    line: int
    language: str
    options: Mapping[str, str]
    text: str
    output: str = ""

    @property
    def place(self) -> str:
        """The place of the block, as an editor opens it."""
        return f"{self.guide}:{self.line}"

    @property
    def exit_code(self) -> int:
        """The exit code that the guide promises."""
        return int(self.options.get("exit", "0"))


def blocks(guide: Path) -> tuple[Block, ...]:
    """Return the fenced blocks of a guide in order; a shell block takes the output directly below it with it."""
    page = guide.read_text(encoding="utf-8")
    found: list[Block] = []
    end = 0
    for match in _FENCE.finditer(page):
        language, _, rest = match["info"].strip().partition(" ")
        is_output = language == "text" and not page[end : match.start()].strip() and bool(found)
        if is_output and found[-1].language == "shell":
            last = found.pop()
            found.append(Block(last.guide, last.line, last.language, last.options, last.text, match["text"]))
        else:
            line = page.count("\n", 0, match.start()) + 1
            found.append(Block(guide.name, line, language, dict(_OPTION.findall(rest)), match["text"]))
        end = match.end()
    return tuple(found)


def run_block(block: Block, script: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Run a script in the place of a block's text, compare with what the guide promises, and return what it printed."""
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=folder, env=dict(environment), capture_output=True, text=True, check=False)
    printed = done.stdout + done.stderr
    assert done.returncode == block.exit_code, f"{block.place}: exit code {done.returncode}\n{script}\n{printed}"
    for expected in missing_lines(block.output, printed):
        raise AssertionError(f"{block.place}: the output has no line like\n{expected}\nbut\n{printed}")
    return printed


def missing_lines(expected: str, printed: str) -> list[str]:
    """Return the lines of an expected output that are not among the printed ones; spaces at their ends do not count."""
    lines = [line.strip() for line in printed.splitlines()]
    return [line for line in expected.splitlines() if line.strip() and not any(_is_like(line, one) for one in lines)]


def _is_like(expected: str, line: str) -> bool:
    parts = (re.escape(part) for part in expected.strip().split(ANYTHING))
    return re.fullmatch(".*".join(parts), line) is not None
