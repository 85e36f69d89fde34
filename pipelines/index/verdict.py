"""The verdict on a run, and what a person has to look at: pure rules over its lights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipelines.reports.lights import (
    SEVERITY,
    Finding,
    Light,
    State,
    data_light,
    drift_light,
    gates_light,
    model_light,
)
from pipelines.reports.rendering import whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.index.run_record import RunRecord

PAGE_OF_LIGHT: Final = {"data": "data", "model": "model", "gates": "promotion", "drift": "health"}
WITHOUT_DECISIONS: Final = frozenset(
    {"data_rules", "data_warnings_not_validated", "data_doubled", "data_unmatched", "data_withheld", "data_unlisted"}
)
"""Findings about rules and files: how many decisions they touch is not known."""


@dataclass(frozen=True)
class Concern:
    """Something a person has to look at: the finding, the decisions it touches (None: unknown) and its page."""

    finding: Finding
    decisions: int | None
    page: str | None


@dataclass(frozen=True)
class Verdict:
    """The state of the whole run and the key of its sentence, with the values the sentence needs."""

    state: State
    key: str
    values: Mapping[str, str]


def lights_of(run: RunRecord) -> tuple[Light, ...]:
    """Return the four lights of a run."""
    return (
        data_light(run.validation),
        model_light(run.evaluation, run.audit),
        gates_light(run.registration, run.trained_sha256, run.promotions.state),
        drift_light(run.monitor),
    )


def concerns_of(run: RunRecord, lights: Sequence[Light]) -> tuple[Concern, ...]:
    """Return what a person has to look at: stops first, then by how many decisions each touches."""
    found = [
        Concern(finding, _decisions(finding, run), PAGE_OF_LIGHT[light.subject])
        for light in lights
        for finding in light.concerns
    ]
    found += [Concern(Finding("stop", "run_damaged", {"stage": stage}), None, None) for stage in run.damaged]
    found += [
        Concern(Finding("stop", "run_outdated", {"stage": stage, "earlier": earlier}), None, None)
        for stage, earlier in run.outdated
    ]
    if run.scored_version is not None and run.champion is not None:
        versions = {"scored": run.scored_version, "champion": run.champion.version}
        found.append(Concern(Finding("stop", "scores_of_other_version", versions), None, "passports"))
    found += _of_scores(run)
    return tuple(sorted(found, key=lambda one: (-SEVERITY[one.finding.state], -(one.decisions or 0))))


def _decisions(finding: Finding, run: RunRecord) -> int | None:
    """Return how many scored applicants a finding touches: all of them, unless it names sellers."""
    if finding.key in WITHOUT_DECISIONS or run.scores is None:
        return None
    if finding.key == "data_contradicted":
        return run.scores.contradicted
    if finding.key in {"data_documents", "data_shared"}:
        return int(finding.values["sellers"].replace(",", ""))
    return run.scores.scored


def _of_scores(run: RunRecord) -> list[Concern]:
    if run.summary is None or run.scores is None:
        return []
    found = []
    warned = run.summary["by_status"].get("scored_with_warning", 0)
    if warned:
        found.append(Concern(Finding("watch", "scores_warned", {"sellers": whole(warned)}), warned, "passports"))
    if run.scores.refused:
        values = {"sellers": whole(run.scores.refused)}
        found.append(Concern(Finding("watch", "scores_refused", values), run.scores.refused, "passports"))
    return found


def verdict_of(run: RunRecord, lights: Sequence[Light], concerns: Sequence[Concern]) -> Verdict:
    """Return the verdict: stop before incomplete, incomplete before caution, and in order only when nothing is left."""
    stops = [one for one in concerns if one.finding.state == "stop"]
    counted = {"count": whole(len(concerns)), "stops": whole(len(stops))}
    if stops:
        return Verdict("stop", "verdict_stop", counted)
    if run.missing:
        return Verdict("none", "verdict_incomplete", {**counted, "stages": ", ".join(run.missing)})
    unlit = [light.subject for light in lights if light.state == "none"]
    if unlit:
        return Verdict("none", "verdict_no_evidence", {**counted, "subjects": ", ".join(unlit)})
    if concerns:
        return Verdict("watch", "verdict_watch" if len(concerns) > 1 else "verdict_watch_one", counted)
    return Verdict("ok", "verdict_ok", counted)
