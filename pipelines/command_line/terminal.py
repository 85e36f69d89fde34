"""What commands print: results to standard output, progress to standard error and only on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TextIO

import typer

from data_contracts.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data_contracts.progress import Progress
    from pipelines.runs.stages import StageOutcome, StageRecord

# What a stage counts, and what happened to it; rows in, kept and set aside where nothing else is said.
_COUNTED: dict[str, tuple[str, str, str]] = {
    "features": ("observations in", "kept", "set aside"),
    "train": ("observations in", "kept", "set aside"),
    "explain": ("observations in", "explained", "set aside"),
    "register": ("gates", "passed", "failed"),
    "score": ("applicants", "scored", "refused"),
    "watch": ("open loans", "watched", "in default"),
    "monitor": ("applicants", "compared", "set aside"),
}
_ROWS = ("rows in", "kept", "set aside")
_NAMES_SHOWN = 4


@dataclass(frozen=True)
class Terminal:
    """How much a command prints.

    Attributes:
        volume: ``quiet`` prints errors and nothing else, except for commands whose only purpose is to print;
            ``verbose`` adds the reasons for which rows were set aside, and the folder of each output.
    """

    volume: Literal["quiet", "normal", "verbose"] = "normal"

    def say(self, text: str) -> None:
        """Print a result, unless quiet."""
        if self.volume != "quiet":
            typer.echo(text)

    def detail(self, text: str) -> None:
        """Print what only a verbose command prints."""
        if self.volume == "verbose":
            typer.echo(text)

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        """Show a bar for the reports it receives until the work is over; show nothing when quiet or not on a terminal.

        Args:
            title: name of the work, such as the stage.
        """
        if self.volume == "quiet" or not _is_terminal(sys.stderr):
            yield SILENT
            return
        from pipelines.command_line.progress_bar import bar

        with bar(title) as shown:
            yield shown


def stage_lines(stage: str, outcome: StageOutcome, seconds: float) -> tuple[str, list[str]]:
    """Return the line that reports a stage, and the lines of detail below it.

    Args:
        stage: name of the stage.
        outcome: its result.
        seconds: how long it took.
    """
    record = outcome.record
    state = "up to date, " if outcome.was_current else ""
    line = f"{stage}: {state}{_counts(stage, record)}, {seconds_text(seconds)}"
    reasons = [f"  {reason}: {rows:,}" for reason, rows in sorted(record.set_aside.items()) if rows]
    return "\n".join([line, *_about_features(record)]), [*reasons, f"  output: {outcome.run_dir}"]


_ABOUT_FEATURES: Final = {
    "features_set_aside_because": "set aside",
    "features_to_look_at": "worth a look",
    "features_waived": "waived in the leak check",
}
"""Notes of a training about features, and what they say of them."""


def _about_features(record: StageRecord) -> list[str]:
    """Return a line for each reason that a training notes about features: how many, and the first names."""
    lines = []
    for note, said in _ABOUT_FEATURES.items():
        for reason in filter(None, str(record.notes.get(note, "")).split("; ")):
            words, _, names = reason.rpartition(": ")
            columns = names.split(", ")
            more = f" and {len(columns) - _NAMES_SHOWN} more" if len(columns) > _NAMES_SHOWN else ""
            what = "1 feature" if len(columns) == 1 else f"{len(columns)} features"
            lines.append(f"  {what} {said}, {words}: {', '.join(columns[:_NAMES_SHOWN])}{more}")
    return lines


def _counts(stage: str, record: StageRecord) -> str:
    if stage == "world":
        return f"{record.rows_kept:,} rows written"
    what, kept, aside = _COUNTED.get(stage, _ROWS)
    counts = [f"{record.rows_in:,} {what}", f"{record.rows_kept:,} {kept}"]
    reasons = sum(rows > 0 for rows in record.set_aside.values())
    if reasons:
        number = sum(record.set_aside.values())
        counts.append(f"{number:,} {aside} ({reasons} {'reason' if reasons == 1 else 'reasons'})")
    return ", ".join(counts)


def seconds_text(seconds: float) -> str:
    """Return a duration as people read it: tenths below ten seconds, then whole seconds.

    >>> seconds_text(2.345), seconds_text(62.4)
    ('2.3 s', '62 s')
    """
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:,.0f} s"


def program() -> str:
    """Return how to call ``passport`` again: by its name if the shell finds it, else as it was called."""
    called = sys.argv[0]
    found = shutil.which("passport")
    return "passport" if found is not None and Path(found).resolve() == Path(called).resolve() else called


def file_link(path: Path) -> str:
    """Return a path that a terminal opens on a click; elsewhere the plain path."""
    if not _is_terminal(sys.stdout):
        return str(path)
    # OSC 8, the escape sequence for hyperlinks; terminals that do not know it print the text alone.
    return f"\x1b]8;;{path.absolute().as_uri()}\x1b\\{path}\x1b]8;;\x1b\\"


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"
