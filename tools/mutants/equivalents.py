"""The short list of faults that change nothing, each with a reason."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tools.mutants.changes import Mutant


class Equivalent(BaseModel):
    """A fault that changes nothing: its module, the changed line before and after, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    module: str
    was: str
    becomes: str
    reason: str = Field(min_length=20)

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is known by."""
        return self.module, self.was, self.becomes


def read_equivalents() -> dict[tuple[str, str, str], str]:
    """Return the reason of each fault that changes nothing."""
    text = resources.files("tools.mutants").joinpath("equivalent.toml").read_text(encoding="utf-8")
    entries = [Equivalent.model_validate(entry) for entry in tomllib.loads(text).get("equivalent", [])]
    return {entry.key: entry.reason for entry in entries}


def set_apart(
    mutants: Iterable[Mutant], reasons: Mapping[tuple[str, str, str], str]
) -> tuple[list[Mutant], list[tuple[Mutant, str]]]:
    """Return the mutants that have to be noticed, and those that change nothing with the reason."""
    measured, apart = [], []
    for one in mutants:
        reason = reasons.get((one.path, one.was, one.becomes))
        if reason is None:
            measured.append(one)
        else:
            apart.append((one, reason))
    return measured, apart
