"""A receiver of progress that remembers every report."""

from __future__ import annotations


class Recorder:
    """Phases in order: what was counted, how much was announced, and how much was reported."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, int]] = []
        self.reported: list[int] = []

    def start(self, what: str, total: int) -> None:
        self.phases.append((what, total))
        self.reported.append(0)

    def advance(self, units: int = 1) -> None:
        self.reported[-1] += units

    @property
    def names(self) -> list[str]:
        return [what for what, _ in self.phases]

    @property
    def is_complete(self) -> bool:
        """Whether every phase counted something and reached what it announced."""
        return bool(self.phases) and all(
            total == done > 0 for (_, total), done in zip(self.phases, self.reported, strict=True)
        )
