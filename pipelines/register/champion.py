"""The champion by the ledger: which version it is or was, and how a person puts another version in its place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from data_contracts.errors import ConfigurationRefused
from models.registry.mlflow_client import DATABASE
from models.registry.mlflow_registry import CHALLENGER, CHAMPION, drop_alias, set_alias
from models.registry.promotion_ledger import (
    Decision,
    LedgerEntry,
    challenger_in_force,
    champion_before,
    champion_in_force,
    promotions_of,
)
from pipelines.register.incumbent import registered_bundle
from pipelines.runs.storage_faults import report_sqlite_faults
from pipelines.signing.keys import report_other_keys

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pipelines.register.decision import Registrar


@dataclass(frozen=True)
class Restored:
    """A person made a version champion: the entry before, and the new one; ``entry`` is None if nothing changed."""

    before: LedgerEntry
    version: LedgerEntry
    entry: LedgerEntry | None


def champion_lines(entries: Sequence[LedgerEntry], model_name: str, on: date | None) -> list[str]:
    """Return what the ledger says of the champion on a day, or now.

    Raises:
        ConfigurationRefused: there was no champion.
    """
    entry = champion_in_force(entries, model_name, on)
    when = "now" if on is None else f"on {on}"
    if entry is None:
        raise ConfigurationRefused(f"{model_name} has no champion {when}", "run: passport register")
    how = "restored" if entry.outcome == "restored" else "promoted"
    return [
        f"{model_name}: version {entry.version} is champion"
        if on is None
        else f"{model_name}: version {entry.version} was champion at the end of {on} (UTC)",
        *entry_lines(entry, how),
    ]


def entry_lines(entry: LedgerEntry, how: str) -> list[str]:
    """Return what an entry says: the bundle, since when it is what it is and how, by whom and why."""
    return [
        f"  bundle    {entry.bundle_sha256}",
        f"  since     {entry.decided_at:%Y-%m-%d %H:%M} UTC, {how}",
        f"  approver  {entry.approver}",
        f"  reason    {entry.reason}",
    ]


def restore_version(registrar: Registrar, version: str) -> Restored:
    """Make a version champion that passed its gates before, as candidate or challenger; its bundle is verified first.

    Raises:
        ConfigurationRefused: the version never passed its gates, or no reason or approver is given; or it is a
            challenger that failed a gate, or was compared with another champion than the one in force.
        IntegrityRefused: its bundle is not the one that passed them.
    """
    with report_other_keys(registrar.place):
        entries, name = registrar.entries(), registrar.profile.model.name
        passed = [one for one in promotions_of(entries, name) if one.version == version and one.outcome == "promoted"]
        if passed:
            return _in_force(registrar, entries, passed[-1], "restored")
        return _in_force(registrar, entries, _passed_challenger(entries, name, version), "promoted")


def roll_back(registrar: Registrar) -> Restored:
    """Make the version champion again that the champion in force replaced when it passed its gates.

    Raises:
        ConfigurationRefused: there is none, or no reason or approver is given.
        IntegrityRefused: its bundle is not the one that passed its gates.
    """
    with report_other_keys(registrar.place):
        entries, name = registrar.entries(), registrar.profile.model.name
        before = champion_before(entries, name)
        if before is None:
            raise ConfigurationRefused(
                f"the champion of {name} has replaced no other version", "passport promote VERSION names a version"
            )
        return _in_force(registrar, entries, before, "restored")


def _passed_challenger(entries: Sequence[LedgerEntry], name: str, version: str) -> LedgerEntry:
    """Return the challenger with this version if it may become champion."""
    challenger = challenger_in_force(entries, name)
    if challenger is None or challenger.version != version:
        known = sorted({str(one.version) for one in promotions_of(entries, name)}, key=int)
        raise ConfigurationRefused(
            f"version {version!r} of {name} never passed the gates, by the promotion ledger",
            f"name one of {', '.join(known)}" if known else "run: passport register",
        )
    failed = [gate.gate for gate in challenger.gates if not gate.passed]
    if failed:
        raise ConfigurationRefused(
            f"version {version}, the challenger, failed {', '.join(failed)}", "promote a version that passed every gate"
        )
    champion = champion_in_force(entries, name)
    if champion is None or champion.bundle_sha256 != challenger.previous_champion_sha256:
        raise ConfigurationRefused(
            f"version {version}, the challenger, was compared with another champion than the one in force",
            "run: passport register --challenger",
        )
    return challenger


def _in_force(
    registrar: Registrar, entries: Sequence[LedgerEntry], passed: LedgerEntry, outcome: Literal["promoted", "restored"]
) -> Restored:
    words, champion = registrar.words, champion_in_force(entries, passed.model_name)
    if not words.approver or not words.reason:
        raise ConfigurationRefused("a version is promoted by a person and for a reason", "give --approver and --reason")
    registered_bundle(passed, registrar.registry, registrar.keys.public_key)
    decision = Decision(
        outcome=outcome,
        model_name=passed.model_name,
        version=passed.version,
        bundle_sha256=passed.bundle_sha256,
        decided_at=datetime.now(UTC).replace(microsecond=0),
        approver=words.approver,
        reason=words.reason,
        gates=passed.gates,
    )
    entry = registrar.ledger.append(decision, registrar.keys.signing_key)
    with report_sqlite_faults(registrar.place.root / DATABASE):
        set_alias(registrar.registry, CHAMPION, str(passed.version))
        if passed.outcome == "challenger":
            drop_alias(registrar.registry, CHALLENGER)
    return Restored(champion or passed, passed, entry)
