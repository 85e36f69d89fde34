"""A bar on the terminal: what is counted, how much of it is done, and how long the rest will take."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TextColumn
from rich.progress import Progress as Display
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Task, TaskID

    from data_contracts.progress import Progress

# From here on a count is easier to read in millions.
_MANY = 10_000_000
_MILLION = 1_000_000
_FRAMES_A_SECOND = 5
_BAR_WIDTH = 30


@contextmanager
def bar(title: str) -> Iterator[Progress]:
    """Show a bar on standard error while the work lasts, and remove it afterwards.

    Args:
        title: name of the work.
    """
    console = Console(stderr=True, force_terminal=True, force_interactive=True)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=_BAR_WIDTH), _Count(), _TimeLeft())
    with Display(
        *columns,
        console=console,
        transient=True,
        refresh_per_second=_FRAMES_A_SECOND,
        # Results go to standard output, which may be a file.
        redirect_stdout=False,
    ) as display:
        yield _Bar(display, display.add_task(title, total=None, what=""))


class _Bar:
    """Progress that moves one bar."""

    def __init__(self, display: Display, task: TaskID) -> None:
        self._display, self._task = display, task

    def start(self, what: str, total: int) -> None:
        self._display.reset(self._task, total=total, what=what)

    def advance(self, units: int = 1) -> None:
        self._display.advance(self._task, units)


class _Count(ProgressColumn):
    """How much of how much, such as ``7 of 19 dates built``."""

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("starting")
        return Text(f"{count_text(task.completed, task.total)} {task.fields['what']}")


class _TimeLeft(ProgressColumn):
    """Time passed, or the time that the rest takes at the pace of the phase so far."""

    def render(self, task: Task) -> Text:
        elapsed = task.elapsed or 0.0
        if task.total is None or task.completed == 0:
            return Text(_minutes(elapsed))
        return Text(f"{_minutes(elapsed * (task.total - task.completed) / task.completed)} left")


def count_text(done: float, total: float) -> str:
    """Return how much of how much is done.

    >>> count_text(1200, 40_000), count_text(3_160_000, 147_200_000)
    ('1,200 of 40,000', '3.2 of 147.2 million')
    """
    if total >= _MANY:
        return f"{done / _MILLION:,.1f} of {total / _MILLION:,.1f} million"
    return f"{done:,.0f} of {total:,.0f}"


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
