"""Our own word list: phrases that a reader has to read twice, and the verbs that begin a function's docstring."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from tools.prose.passages import Kind, Passage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WORD_LIST = Path(__file__).with_name("words.toml")
VERBS = Path(__file__).with_name("verbs.txt")


@dataclass(frozen=True, slots=True)
class Finding:
    """A place where a text should be written differently."""

    place: str
    line: int
    found: str
    advice: str

    def __str__(self) -> str:
        return f"{self.place}:{self.line}: '{' '.join(self.found.split())}': {self.advice}"


@dataclass(frozen=True, slots=True)
class Phrase:
    """One entry of the word list.

    Attributes:
        pattern: What must not be written; a space matches a line break too.
        use: What to write instead.
        why: Why the phrase is on the list.
        kinds: The kinds of text in which it counts.
        bad: A sentence in which the pattern must be found.
        good: A sentence in which it must not.
    """

    pattern: re.Pattern[str]
    use: str
    why: str
    kinds: frozenset[Kind]
    bad: str
    good: str

    def findings(self, passage: Passage) -> Iterator[Finding]:
        """Yield each place of the passage where the phrase is written."""
        if passage.kind not in self.kinds:
            return
        for found in self.pattern.finditer(passage.text):
            line = passage.line + passage.text.count("\n", 0, found.start())
            yield Finding(passage.place, line, found.group(), f"use {self.use} ({self.why})")


def read_phrases(path: Path = WORD_LIST) -> list[Phrase]:
    """Read the word list.

    Raises:
        ValueError: An entry names a kind of text that does not exist.
        KeyError: An entry lacks a field.
    """
    return [_phrase(entry) for entry in tomllib.loads(path.read_text(encoding="utf-8"))["phrase"]]


def _phrase(entry: dict[str, str | list[str]]) -> Phrase:
    """Build a phrase from its entry in the word list."""
    every = frozenset(get_args(Kind))
    kinds = frozenset(entry.get("kinds", every))
    if not kinds <= every:
        message = f"word list: unknown kinds of text {sorted(kinds - every)}"
        raise ValueError(message)
    pattern = re.compile(str(entry["pattern"]).replace(" ", r"\s+"), re.IGNORECASE)
    use, why, bad, good = (str(entry[name]) for name in ("use", "why", "bad", "good"))
    return Phrase(pattern, use, why, kinds, bad, good)


def phrase_findings(passages: Sequence[Passage], phrases: Sequence[Phrase]) -> Iterator[Finding]:
    """Yield each place in the passages where a phrase of the word list is written."""
    for passage in passages:
        for phrase in phrases:
            yield from phrase.findings(passage)


def read_verbs(path: Path = VERBS) -> frozenset[str]:
    """Read the verbs that may begin the docstring of a function."""
    return frozenset(path.read_text(encoding="utf-8").split())


def mood_findings(passages: Sequence[Passage], verbs: frozenset[str]) -> Iterator[Finding]:
    """Yield each function whose docstring does not begin with one of the verbs.

    Ruff's D401 knows only verbs in another form, such as "Returns"; it lets "The paths" and "Whether" pass.
    """
    for passage in passages:
        if passage.kind != "function":
            continue
        first = (passage.text.split() or [""])[0].rstrip(".,:;")
        if first not in verbs:
            advice = (
                "begin with an imperative, such as Return, Read or Check (a verb that is missing belongs in verbs.txt)"
            )
            yield Finding(passage.place, passage.line, first, advice)
