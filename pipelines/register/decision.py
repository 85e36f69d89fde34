"""What follows from the gates: the entry in the ledger, the version in the registry, and what changed by it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from models.registry.mlflow_registry import CHAMPION, register_bundle, set_alias
from models.registry.promotion_ledger import Decision, GateLine, champion_in_force, incumbent_of, promotions_of
from pipelines.register.mlflow_run import served_model, training_record
from pipelines.register.registry import registry_of
from pipelines.runs.stages import current_output

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from models.registry.bundle import Bundle
    from models.registry.gates import GateResult
    from models.registry.mlflow_client import Registry
    from models.registry.mlflow_registry import RegisteredVersion
    from models.registry.promotion_ledger import Ledger, LedgerEntry
    from pipelines.profiles import Profile
    from pipelines.runs.stages import Place
    from pipelines.signing.keys import KeyRing


@dataclass(frozen=True)
class Words:
    """Who answers for a promotion and why, as given with the command; None where nothing was given."""

    approver: str | None = None
    reason: str | None = None


UNNAMED: Final = Words()


@dataclass(frozen=True)
class Judged:
    """A candidate and the results of its gates.

    ``bundle`` is None if it could not be loaded. ``measures`` are those of its evaluation, with intervals. ``before``
    is what is known of the champion that it would replace.
    """

    bundle: Bundle | None
    bundle_sha256: str
    kind: str | None
    gates: tuple[GateResult, ...]
    failed: tuple[str, ...]
    measures: Mapping[str, Any]
    before: dict[str, Any] | None


@dataclass(frozen=True)
class Registrar:
    """Who decides, where, and with which words."""

    profile: Profile
    place: Place
    keys: KeyRing
    ledger: Ledger
    words: Words = UNNAMED

    @property
    def registry(self) -> Registry:
        """The registry of the place."""
        return registry_of(self.place, self.profile.model.name)

    def entries(self) -> tuple[LedgerEntry, ...]:
        """Read the ledger."""
        return self.ledger.read(self.keys.public_key)


def decide(judged: Judged, registrar: Registrar) -> dict[str, Any]:
    """Record the decision in the ledger and carry it out in the registry; return the outcome as JSON values."""
    name = registrar.profile.model.name
    version = None if judged.failed or judged.bundle is None else registered(judged, judged.bundle, registrar)
    registrar.ledger.append(_decision(judged, version, registrar), registrar.keys.signing_key)
    if version is not None:
        # After the ledger: a run that is killed in between leaves an alias that scoring refuses, and is run again.
        set_alias(registrar.registry, CHAMPION, version.version)
    champion = champion_in_force(registrar.entries(), name)
    return {
        "outcome": "refused" if version is None else "promoted",
        "model_name": name,
        "bundle_sha256": judged.bundle_sha256,
        "gates": [asdict(gate) for gate in judged.gates],
        "champion": None
        if champion is None
        else {"version": champion.version, "bundle_sha256": champion.bundle_sha256},
        "change": {
            "before": judged.before,
            "candidate": {
                "version": None if version is None else version.version,
                "kind": judged.kind,
                "auc": judged.measures.get("auc"),
            },
        },
    }


def registered(judged: Judged, bundle: Bundle, registrar: Registrar) -> RegisteredVersion:
    """Register the candidate's bundle as a version of its training run, with its gates."""
    profile, place = registrar.profile, registrar.place
    return register_bundle(
        current_output(place, "train", "bundle"),
        training_record(profile, place, bundle),
        {gate.gate: gate.measured for gate in judged.gates},
        served_model(profile, bundle),
        registrar.registry,
    )


def _decision(judged: Judged, version: RegisteredVersion | None, registrar: Registrar) -> Decision:
    approver, reason = _words(judged, registrar)
    return Decision(
        outcome="refused" if version is None else "promoted",
        model_name=registrar.profile.model.name,
        version=None if version is None else version.version,
        bundle_sha256=judged.bundle_sha256,
        # The only use of the clock in this stage: a ledger records when somebody decided.
        decided_at=datetime.now(UTC).replace(microsecond=0),
        approver=approver,
        reason=reason,
        gates=gate_lines(judged.gates),
    )


def gate_lines(gates: Iterable[GateResult]) -> tuple[GateLine, ...]:
    """Return the results of gates as the ledger keeps them."""
    return tuple(GateLine(gate=g.gate, passed=g.passed, measured=g.measured, limit=g.limit) for g in gates)


def _words(judged: Judged, registrar: Registrar) -> tuple[str, str]:
    """Return approver and reason: as given; else the profile's for a first promotion, else what is simply true."""
    profile, given, entries = registrar.profile, registrar.words, registrar.entries()
    before = incumbent_of(entries, profile.model.name, judged.bundle_sha256)
    is_first = before is None and not promotions_of(entries, profile.model.name)
    approver = given.approver or (
        profile.registration.approver if is_first else f"nobody named (profile {profile.name})"
    )
    if judged.failed:
        stays = "there is no champion" if before is None else f"version {before.version} stays champion"
        return approver, f"failed {', '.join(judged.failed)}; {stays}"
    if given.reason is not None:
        return approver, given.reason
    if is_first:
        return approver, profile.registration.reason
    return approver, "passed every gate" if before is None else f"passed every gate; replaces version {before.version}"
