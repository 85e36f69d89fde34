"""Errors a user can do something about: each carries an exit code and reads as one line."""

from __future__ import annotations

from typing import ClassVar


def one_line(text: str) -> str:
    """Gives ``text`` with every character that could break or forge a line written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class PassportError(Exception):
    """A fault with an exit code of its own. Its text is always a single line."""

    exit_code: ClassVar[int] = 3

    def __str__(self) -> str:
        return one_line(super().__str__())

    def __reduce__(self) -> tuple[object, ...]:
        # Crossing from a child process must not call __init__, whose arguments the text does not give back.
        return _revived, (type(self), self.args, self.__dict__)


def _revived(kind: type[PassportError], arguments: tuple[object, ...], attributes: dict[str, object]) -> PassportError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(attributes)
    return error


class InputRefused(PassportError):
    """An input that cannot be used at all: names file, row, column, the rule broken and what to do about it."""

    exit_code: ClassVar[int] = 2

    def __init__(self, *, file: str, rule: str, remedy: str, row: int | None = None, column: str | None = None) -> None:
        self.file, self.row, self.column, self.rule, self.remedy = file, row, column, rule, remedy
        where = [f"file {file}"]
        if row is not None:
            where.append(f"row {row}")
        if column is not None:
            where.append(f"column {column!r}")
        super().__init__(f"input refused: {', '.join(where)}: {rule}; remedy: {remedy}")


class ConfigurationRefused(PassportError):
    """A setting, profile or contract that makes no sense, and what to change."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, remedy: str) -> None:
        self.message, self.remedy = message, remedy
        super().__init__(f"configuration refused: {message}; remedy: {remedy}")


class IntegrityRefused(PassportError):
    """A bundle, passport or stored file that is not what its digest or signature says."""

    exit_code: ClassVar[int] = 2


class GateFailed(PassportError):
    """A model or data gate said no."""

    exit_code: ClassVar[int] = 1


class QuarantineLimitExceeded(PassportError):
    """More rows were set aside than the profile allows."""

    exit_code: ClassVar[int] = 1


class InternalFault(PassportError):
    """A promise of the program itself is broken, such as rows that do not add up."""

    exit_code: ClassVar[int] = 3
