"""Errors that users can act on: each has an exit code and a one-line message."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_NAME: Final = 120
_MOST_NAMES: Final = 50


def one_line(text: str) -> str:
    """Return ``text`` on one line, with every unprintable character escaped so that it cannot break or forge a line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def shown(text: str) -> str:
    """Return a name from a file as it is shown in a message: quoted, and shortened if it is longer than any name.

    >>> shown("Amount"), len(shown("x" * 2**20))
    ("'Amount'", 123)
    """
    return repr(text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…")


def listed(names: Sequence[str]) -> str:
    """Return names from a file as a list for a message; the first fifty of more.

    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    more = [f"and {len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
    return ", ".join([*map(shown, names[:_MOST_NAMES]), *more])


class PassportError(Exception):
    """Base class of all errors with an exit code. The message is always one line."""

    exit_code: ClassVar[int] = 3

    def __str__(self) -> str:
        return one_line(super().__str__())

    def __reduce__(self) -> tuple[object, ...]:
        # Unpickling in the parent process must not call __init__, because its arguments are not in the message.
        return _revived, (type(self), self.args, self.__dict__)


def _revived(kind: type[PassportError], arguments: tuple[object, ...], attributes: dict[str, object]) -> PassportError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(attributes)
    return error


class InputRefused(PassportError):
    """An input file that cannot be used. The message names file, row, column, the broken rule and the remedy."""

    exit_code: ClassVar[int] = 2

    def __init__(self, *, file: str, rule: str, remedy: str, row: int | None = None, column: str | None = None) -> None:
        self.file, self.row, self.column, self.rule, self.remedy = file, row, column, rule, remedy
        where = [f"file {file}"]
        if row is not None:
            where.append(f"row {row}")
        if column is not None:
            where.append(f"column {shown(column)}")
        super().__init__(f"input refused: {', '.join(where)}: {rule}; remedy: {remedy}")


class ConfigurationRefused(PassportError):
    """An invalid setting, profile or contract. The message says what to change."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, remedy: str) -> None:
        self.message, self.remedy = message, remedy
        super().__init__(f"configuration refused: {message}; remedy: {remedy}")


class IntegrityRefused(PassportError):
    """A bundle, passport or stored file that does not match its digest or signature."""

    exit_code: ClassVar[int] = 2


class GateFailed(PassportError):
    """A model or data gate failed."""

    exit_code: ClassVar[int] = 1


class QuarantineLimitExceeded(PassportError):
    """More rows were quarantined than the profile allows."""

    exit_code: ClassVar[int] = 1


class InternalFault(PassportError):
    """A broken internal guarantee, such as row counts that do not add up."""

    exit_code: ClassVar[int] = 3
