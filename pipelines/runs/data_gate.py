"""The gate between validated data and the stages that use it.

The stage ``validate`` records in its manifest whether its gate is open, and why not. Later stages read its output only
through an open gate, also if somebody runs them directly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from data_contracts.errors import GateFailed
from pipelines.runs.stages import current_output, read_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipelines.runs.stages import Place

VALIDATE: Final = "validate"
GATE: Final = "gate"
GATE_REASONS: Final = "gate_reasons"
OPEN, CLOSED = "open", "closed"


def gate_notes(reasons: Sequence[str]) -> dict[str, str]:
    """Return the notes of the manifest that state the gate; it is open if there is no reason against the data."""
    return {GATE: CLOSED, GATE_REASONS: "; ".join(reasons)} if reasons else {GATE: OPEN}


def validated_output(place: Place, name: str = "") -> Path:
    """Return a file or folder of the current validation, unchanged and through an open gate.

    Raises:
        GateFailed: the data failed its validation or was not validated; names the reasons and the report.
        ConfigurationRefused: the stage has not run.
        IntegrityRefused: a file is changed, missing or foreign.
    """
    path = current_output(place, VALIDATE, name)
    run_dir = path if not name else path.parents[name.count("/")]
    require_open_gate(run_dir)
    return path


def require_open_gate(run_dir: Path) -> None:
    """Raise GateFailed unless the manifest of a validation says that its gate is open."""
    notes = read_manifest(run_dir).get("record", {}).get("notes", {})
    if notes.get(GATE) != OPEN:
        reasons = notes.get(GATE_REASONS) or "the run does not say that its gate is open"
        raise GateFailed(
            f"the validated data may not be used: {reasons}; see {run_dir / 'data.en.html'}; "
            "remedy: correct the data or the fault, then run passport validate again"
        )
