"""The challenger: a version that runs beside the champion, and is promoted only by a person.

A challenger passes every gate but one: it may be worse than the champion on the test rows, or not comparable with it,
because new data decide which of the two is better.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from data_contracts.errors import ConfigurationRefused, GateFailed
from data_contracts.progress import SILENT
from models.registry.gates import AGAINST_CHAMPION
from models.registry.mlflow_client import DATABASE
from models.registry.mlflow_registry import CHALLENGER, set_alias
from models.registry.promotion_ledger import Decision, challenger_in_force, champion_in_force
from pipelines.register.champion import entry_lines
from pipelines.register.decision import gate_lines, registered
from pipelines.register.stage import CandidateFiles, incumbent_of_candidate, judge_against
from pipelines.runs.storage_faults import report_sqlite_faults
from pipelines.signing.keys import report_other_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.progress import Progress
    from models.registry.promotion_ledger import LedgerEntry
    from pipelines.register.decision import Judged, Registrar

_MAY_FAIL: Final = frozenset({AGAINST_CHAMPION})


def register_challenger(registrar: Registrar, progress: Progress = SILENT) -> LedgerEntry:
    """Register the current candidate as challenger, and return its entry in the ledger. The champion stays.

    Raises:
        ConfigurationRefused: there is no champion, the candidate is the champion, or no reason or approver is given.
        GateFailed: the candidate failed another gate than the comparison with the champion.
    """
    _refuse_without_words(registrar)
    files = CandidateFiles.of(registrar.place)
    with report_other_keys(registrar.place), report_sqlite_faults(registrar.place.root / DATABASE):
        champion = champion_in_force(registrar.entries(), registrar.profile.model.name)
        judged = judge_against(incumbent_of_candidate(registrar, files), files, registrar, progress)
        _refuse_the_champion_itself(judged, champion, registrar)
        failed = [gate for gate in judged.failed if gate not in _MAY_FAIL]
        if failed or judged.bundle is None:
            raise GateFailed(f"not registered as challenger: failed {', '.join(failed)}")
        version = registered(judged, judged.bundle, registrar).version
        registrar.ledger.append(_decision(judged, version, registrar), registrar.keys.signing_key)
        set_alias(registrar.registry, CHALLENGER, version)
        entry = challenger_in_force(registrar.entries(), registrar.profile.model.name)
    assert entry is not None  # noqa: S101 - written above
    return entry


def challenger_lines(entries: Sequence[LedgerEntry], model_name: str) -> list[str]:
    """Return what the ledger says of the challenger, and which gate it has failed.

    Raises:
        ConfigurationRefused: there is no challenger.
    """
    entry = challenger_in_force(entries, model_name)
    if entry is None:
        raise ConfigurationRefused(f"{model_name} has no challenger", "run: passport register --challenger")
    failed = [gate for gate in entry.gates if not gate.passed]
    gates = "; ".join(f"failed {gate.gate}: {gate.measured}" for gate in failed) or f"all {len(entry.gates)} passed"
    return [
        f"{model_name}: version {entry.version} is challenger",
        *entry_lines(entry, "registered"),
        f"  gates     {gates}",
    ]


def _refuse_without_words(registrar: Registrar) -> None:
    if not registrar.words.approver or not registrar.words.reason:
        raise ConfigurationRefused(
            "a challenger is registered by a person and for a reason", "give --approver and --reason"
        )


def _refuse_the_champion_itself(judged: Judged, champion: LedgerEntry | None, registrar: Registrar) -> None:
    name = registrar.profile.model.name
    if champion is None:
        raise ConfigurationRefused(f"{name} has no champion that could be challenged", "run: passport register")
    if champion.bundle_sha256 == judged.bundle_sha256:
        raise ConfigurationRefused(
            f"the candidate is version {champion.version}, the champion of {name}", "train another model first"
        )


def _decision(judged: Judged, version: str, registrar: Registrar) -> Decision:
    return Decision(
        outcome="challenger",
        model_name=registrar.profile.model.name,
        version=version,
        bundle_sha256=judged.bundle_sha256,
        decided_at=datetime.now(UTC).replace(microsecond=0),
        approver=registrar.words.approver or "",
        reason=registrar.words.reason or "",
        gates=gate_lines(judged.gates),
    )
