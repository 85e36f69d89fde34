"""Links as their rows state them, and the paths that they make from a seller to another party."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

# A link that is no row: two sellers that are one firm, by their names.
SAME_FIRM: Final = "same_firm"


@dataclass(frozen=True)
class Tie:
    """A link as its row states it.

    Attributes:
        start: who holds, uses or guarantees: the seller's id, or the pseudonym of another party.
        end: who or what is held, used or guaranteed.
        link_type: type of the link.
        amount_usd: amount of a guarantee.
        valid_from: first day of the link; the day of a login, an invoice, a declaration or a pledge.
        source_file: file that states it.
        source_row: row of the file.
        valid_to: last day of the link; None while it lasts.
        known_at: when it could be known.
        lender: for a pledge, who holds it.
    """

    start: str
    end: str
    link_type: str
    amount_usd: float | None = None
    valid_from: dt.date | None = None
    source_file: str | None = None
    source_row: int | None = None
    valid_to: dt.date | None = None
    known_at: dt.datetime | None = None
    lender: str | None = None


@dataclass(frozen=True)
class Path:
    """A chain of links from the seller to another seller, or back to itself.

    Attributes:
        ties: the links, in the order in which the path takes them.
        reaches: the seller at its end; None for an asset or a party that is no seller.
        default_date: day of the known default of that seller, if the signal is about defaults.
        days_late: days late of that seller's worst payment, if the signal is about late payments.
    """

    ties: tuple[Tie, ...]
    reaches: str | None
    default_date: dt.date | None = None
    days_late: int | None = None

    def named(self, name: Callable[[str], str]) -> Path:
        """Return the path with every party and lender under another name."""
        ties = tuple(
            replace(
                tie, start=name(tie.start), end=name(tie.end), lender=None if tie.lender is None else name(tie.lender)
            )
            for tie in self.ties
        )
        return replace(self, ties=ties, reaches=None if self.reaches is None else name(self.reaches))


@dataclass(frozen=True)
class Hub:
    """A link that counts for nothing, because it leads to a service of many sellers.

    Attributes:
        tie: the seller's link to the service.
        sellers: sellers that are linked to it.
    """

    tie: Tie
    sellers: int
