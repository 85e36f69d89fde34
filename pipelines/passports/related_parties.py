"""The related parties of a seller on a passport: which links are behind its features, every party by pseudonym."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.passports.document import MOST_PATHS
from pipelines.signing.keys import party_pseudonym, pseudonym

if TYPE_CHECKING:
    from collections.abc import Callable

    from features.graph.paths import Path, Tie
    from features.related_parties import RelatedParties, SignalPaths


def related_signals(found: RelatedParties, hmac_key: bytes) -> tuple[dict[str, Any], ...] | None:
    """Return the signals of a passport with their paths; None if no links are behind any.

    A passport leaves the house, so no identifier of a third party does: sellers get the pseudonym that their own
    passports bear, and owners, addresses, assets and lenders one that holds for the passports of this seller alone.
    Files and rows are left out, because their names hold identifiers.
    """

    def name(party: str) -> str:
        if party in found.sellers or party == found.seller:
            return f"urn:seller-pseudonym:{pseudonym(hmac_key, party)}"
        return f"urn:party-pseudonym:{party_pseudonym(hmac_key, found.seller, party)}"

    own = name(found.seller)
    return tuple(_signal(one, name, own) for one in found.signals) or None


def _signal(signal: SignalPaths, name: Callable[[str], str], own: str) -> dict[str, Any]:
    # Ordered by pseudonyms: the order of identifiers would tell something of them.
    renamed = replace(signal, paths=tuple(sorted((path.named(name) for path in signal.paths), key=_order)))
    return {
        "feature": signal.record.name,
        "en": signal.record.title_en,
        "zh": signal.record.title_zh,
        "paths_found": str(len(signal.paths)),
        "paths": tuple(_path(path, own) for path in renamed.first(MOST_PATHS)),
    }


def _order(path: Path) -> tuple[int, list[tuple[str, str, str, str]]]:
    return len(path.ties), [(tie.start, tie.end, tie.link_type, str(tie.valid_from)) for tie in path.ties]


def _path(path: Path, own: str) -> dict[str, Any]:
    return {
        "links": tuple(_link(tie, own) for tie in path.ties),
        "reaches": path.reaches,
        "in_default_since": None if path.default_date is None else path.default_date.isoformat(),
        "days_late": None if path.days_late is None else str(path.days_late),
    }


def _link(tie: Tie, own: str) -> dict[str, Any]:
    # What two other firms guarantee each other is their own affair; that they do is what makes the circle.
    is_own = own in {tie.start, tie.end}
    amount = tie.amount_usd if is_own else None
    return {
        "from": tie.start,
        "to": tie.end,
        "link_type": tie.link_type,
        "amount_usd": None if amount is None else np.format_float_positional(amount, unique=True, trim="-"),
        "valid_from": None if tie.valid_from is None else tie.valid_from.isoformat(),
        "valid_to": None if tie.valid_to is None else tie.valid_to.isoformat(),
        "lender": tie.lender,
    }
