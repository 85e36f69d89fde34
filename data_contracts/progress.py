"""How a long piece of work reports how far it has come.

Work that takes long accepts a ``Progress`` and reports finished units to it. The caller decides what
happens to the reports: the command line draws a bar, everyone else leaves the silent default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Item = TypeVar("Item")


class Progress(Protocol):
    """Receives reports on one piece of work, phase after phase."""

    def start(self, what: str, total: int) -> None:
        """Begin a phase of ``total`` units; ``what`` names them with what happens to them, such as "rows checked"."""

    def advance(self, units: int = 1) -> None:
        """Count more units of the current phase as done."""


class _Silent:
    """A receiver that ignores every report."""

    def start(self, what: str, total: int) -> None:
        """Ignore the phase."""

    def advance(self, units: int = 1) -> None:
        """Ignore the units."""


SILENT: Final[Progress] = _Silent()
"""The default of all work: nobody watches."""


def counted(items: Iterable[Item], what: str, total: int, progress: Progress) -> Iterator[Item]:
    """Yield the items as a phase of their own, and report each one as done when the next one is asked for."""
    progress.start(what, total)
    for item in items:
        yield item
        progress.advance()
