"""The checks of proselint that this project uses, over documents, command-line help and report pages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from proselint import checks as shipped
from proselint.config import DEFAULT, Config
from proselint.registry import CheckRegistry
from proselint.tools import LintFile

from tools.prose.phrases import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tools.prose.passages import Passage

SETTINGS = Path(__file__).with_name("proselint.toml")
KINDS = ("document", "help", "page")


def read_settings(path: Path = SETTINGS) -> tuple[dict[str, bool], frozenset[str]]:
    """Read which checks run, the most specific first as proselint expects them, and which phrases are allowed."""
    settings = tomllib.loads(path.read_text(encoding="utf-8"))
    checks = DEFAULT["checks"] | dict.fromkeys(settings["off"], False)
    by_depth = dict(sorted(checks.items(), key=lambda item: item[0].count("."), reverse=True))
    return by_depth, frozenset(settings["allowed"])


def proselint_findings(passages: Sequence[Passage]) -> Iterator[Finding]:
    """Yield what proselint finds in the documents, the help and the pages."""
    checks, allowed = read_settings()
    registry = CheckRegistry()
    if not registry.checks:
        registry.register_many(shipped.__register__)
    config = Config(max_errors=10_000, checks=checks)
    for passage in passages:
        if passage.kind in KINDS:
            for line, paragraph in _paragraphs(passage):
                yield from _findings(LintFile(passage.place, paragraph), line, config, allowed)


def _paragraphs(passage: Passage) -> Iterator[tuple[int, str]]:
    """Yield the first line and the text of each paragraph: a heading and what follows repeat words for good reason."""
    for found in re.finditer(r"(?:[^\n]+(?:\n|\Z))+", passage.text):
        yield passage.line + passage.text.count("\n", 0, found.start()), found.group()


def _findings(paragraph: LintFile, first: int, config: Config, allowed: frozenset[str]) -> Iterator[Finding]:
    """Yield what the checks find in one paragraph, which begins on the given line."""
    for result, (line, _) in paragraph.lint(config):
        found = paragraph.content[slice(*result.span)].strip()
        if found.lower() not in allowed:
            advice = f"{' '.join(result.message.split())} ({result.check_path})"
            yield Finding(paragraph.source_name, first + line - 1, found, advice)
