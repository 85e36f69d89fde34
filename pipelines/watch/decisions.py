"""What people decided about alerts: acknowledged, or closed with a reason. An append-only, signed log keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from models.registry.chained_log import ChainedEntry, ChainedLog
from pipelines.signing.ledgers import LEDGER_FOLDER, head_folders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from pipelines.runs.stages import Place

DECISIONS_FILE: Final = "alerts.jsonl"
State = Literal["open", "acknowledged", "closed"]
_GRAVER: Final = {"watch": 0, "severe": 1}


class AlertDecision(BaseModel):
    """What a person decided about an alert as it was seen on a day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    loan_id: str
    rule: str
    state: Literal["acknowledged", "closed"]
    severity: Literal["watch", "severe"]
    first_seen: str
    as_of: str
    decided_by: str = Field(min_length=1)
    decided_at: AwareDatetime
    reason: str = Field(min_length=1)


class AlertEntry(ChainedEntry, AlertDecision):
    """A decision in its place in the chain."""


@dataclass(frozen=True)
class AlertState:
    """The state of an alert, and the decision that made it so; None while nobody has decided."""

    state: State
    decision: AlertDecision | None = None


def alert_log(place: Place, environment: Mapping[str, str]) -> ChainedLog[AlertEntry]:
    """Return the log of decisions about the alerts of a place."""
    heads = head_folders(place.profile_name, environment)
    return ChainedLog(place.root / LEDGER_FOLDER / DECISIONS_FILE, AlertEntry, "log of alerts", heads)


def decide(log: ChainedLog[AlertEntry], decision: AlertDecision, key: Ed25519PrivateKey) -> AlertEntry | None:
    """Append a decision.

    Raises:
        IntegrityRefused: the log is broken or was set back.
    """

    def made(_: tuple[AlertEntry, ...], sequence: int, previous_sha256: str) -> AlertEntry:
        return AlertEntry(**dict(decision), sequence=sequence, previous_sha256=previous_sha256)

    return log.append(made, key)


def state_of(loan_id: str, alert: Mapping[str, Any], decisions: Sequence[AlertDecision]) -> AlertState:
    """Return the state of an alert of ``watch.json`` after all decisions.

    A decision counts for the alert that it was about: one that was there on the decision's day. An alert that has
    become graver since is open again, and so is one that was over and has come back.
    """
    last = next((one for one in reversed(decisions) if (one.loan_id, one.rule) == (loan_id, alert["rule"])), None)
    is_another = last is None or last.as_of < alert["first_seen"]
    if last is None or is_another or _GRAVER[alert["severity"]] > _GRAVER[last.severity]:
        return AlertState("open")
    return AlertState(last.state, last)
