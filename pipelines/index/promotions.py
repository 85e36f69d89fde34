"""The promotion ledger as the pages read it: with the profile's key where there is one, and without making any."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from models.registry.promotion_ledger import LedgerEntry, champion_in_force
from pipelines.reports.lights import LedgerState
from pipelines.signing.keys import load_keys
from pipelines.signing.ledgers import promotion_ledger

if TYPE_CHECKING:
    from pipelines.profiles import Profile
    from pipelines.runs.stages import Place


@dataclass(frozen=True)
class Promotions:
    """Decisions in order, and whether the chain and its signature hold; no decision is shown of a broken ledger."""

    entries: tuple[LedgerEntry, ...] = ()
    state: LedgerState = field(default_factory=LedgerState)

    def champion(self, model_name: str) -> LedgerEntry | None:
        """Return the promotion in force of a model name."""
        return champion_in_force(self.entries, model_name)


def read_promotions(profile: Profile, place: Place) -> Promotions:
    """Read the ledger of a profile; without the key that it is signed with, it counts as not checked."""
    ledger = promotion_ledger(place, os.environ)
    try:
        # Only a demonstration makes keys, so that a profile that is treated as none never does.
        keys = load_keys(profile.name, is_demonstration=False, environment=os.environ)
    except ConfigurationRefused:
        return Promotions(state=LedgerState(is_checked=not ledger.log.path.is_file()))
    try:
        return Promotions(ledger.read(keys.public_key))
    except IntegrityRefused as error:
        return Promotions(state=LedgerState(fault=str(error)))
