"""Write down which of our modules a stage loads, its child processes included, to a file a stage.

Python imports this module at start-up when its folder is on ``PYTHONPATH``; it acts only where ``IMPORT_LOG`` names a
folder. A finder that finds nothing sees every module that is looked for, however it is asked for.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

PACKAGES = frozenset({"data_contracts", "features", "models", "lending", "pipelines", "simulator"})

PAGES = "pipelines.index.publish"
"""Looked for when the stage is done: what is loaded from then on makes the pages over the run."""


class Witness:
    """Notes the names of our modules and leaves finding them to the finders after it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def find_spec(self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None) -> None:
        """Append the name to the file in one write, since child processes write to the same one."""
        if name == PAGES:
            self.file = self.file.with_name("pages.txt")
        if name.partition(".")[0] in PACKAGES:
            with self.file.open("a") as log:
                log.write(f"{name}\n")


def stage_of(command: Sequence[str]) -> str | None:
    """Return the word after the program ``passport`` in a command line."""
    programs = [place for place, word in enumerate(command[:-1]) if Path(word).name == "passport"]
    return command[programs[0] + 1] if programs else None


if "IMPORT_LOG" in os.environ:
    os.environ.setdefault("IMPORT_LOG_STAGE", stage_of(sys.orig_argv) or "other")
    sys.meta_path.insert(0, Witness(Path(os.environ["IMPORT_LOG"]) / f"{os.environ['IMPORT_LOG_STAGE']}.txt"))  # type: ignore[arg-type]
