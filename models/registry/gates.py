"""Promotion gates. They fail closed: what is not shown is not passed.

Every gate states what it measured, the limit, and what it could have detected. Without the last, a gate that a sample
of 27 defaults can never fail would be worthless.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from models.evaluation.level import GRADE, WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.evaluation.audit import ModelAudit

CALIBRATION_SLOPE = "calibration_slope"
CALIBRATION_LEVEL = "calibration_level"
SEGMENT_LEVEL = "segment_level"
AGAINST_CHAMPION = "not_worse_than_champion"
_OFF = ("too_low", "too_high")
_REPORTED = "reported only (by the profile)"


class GateSettings(BaseModel):
    """Limits of the gates.

    ``baseline`` names the model that a champion may not be worse than. ``calibration_required`` is off only for
    demonstrations, whose samples may be too small to estimate a slope or a level. ``segments_required``: a candidate
    that predicts too few defaults in a segment of the profile fails; else it is reported only. ``incumbent_required``:
    a candidate that is worse than the champion in force, or cannot be compared with it, fails; else the comparison is
    reported only.
    ``largest_family_share``: the share of the mean absolute points that one family of features may carry; None asks for
    no such gate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    baseline: str = "scorecard"
    largest_additivity_error: float = Field(default=1e-9, gt=0)
    smallest_audit_rows: int = Field(default=50, ge=1)
    smallest_golden_rows: int = Field(default=1, ge=1)
    calibration_required: bool = True
    segments_required: bool = False
    incumbent_required: bool = True
    largest_family_share: float | None = Field(default=None, gt=0, le=1)


@dataclass(frozen=True)
class BundleEvidence:
    """The result of reading the bundle; ``fault`` is the reason of its refusal, None when it was read.

    ``golden_rows`` counts the rows whose stored results were reproduced bit for bit.
    """

    fault: str | None
    golden_rows: int
    feature_set_sha256: str | None
    feature_names: tuple[str, ...]


@dataclass(frozen=True)
class IncumbentEvidence:
    """What is known about the champion that a candidate would replace.

    Attributes:
        version: its version in the registry; None if there is no champion yet.
        difference: the candidate's paired gain in AUC over it, in the form of an evaluation's differences.
        bad: number of defaults among the rows that both were tested on.
        fault: why the two could not be compared, or must not be; None where ``difference`` is at hand.
    """

    version: str | None = None
    difference: Mapping[str, Any] | None = None
    bad: int | None = None
    fault: str | None = None


@dataclass(frozen=True)
class GateEvidence:
    """Everything known about a candidate; a missing piece is None and fails every gate that needs it.

    ``evaluation`` is ``Evaluation.to_dict()``. ``matrix_sha256`` and ``matrix_names`` are the digest and the names of
    the feature set that the current matrix was built with.
    """

    bundle: BundleEvidence | None
    matrix_sha256: str | None
    matrix_names: tuple[str, ...] | None
    evaluation: Mapping[str, Any] | None
    audit: ModelAudit | None
    incumbent: IncumbentEvidence | None


@dataclass(frozen=True)
class GateResult:
    """The result of one gate: what was measured, the limit, and what the measurement could have detected."""

    gate: str
    passed: bool
    measured: str
    limit: str
    power: str


def run_gates(evidence: GateEvidence, settings: GateSettings) -> tuple[GateResult, ...]:
    """Run every gate, in a fixed order; promotion needs all of them."""
    shares = () if settings.largest_family_share is None else (settings.largest_family_share,)
    return (
        _signature(evidence.bundle),
        _golden_rows(evidence.bundle, settings),
        _schema(evidence),
        _reasons_add_up(evidence.audit, settings),
        _signs_hold(evidence.audit, settings),
        _hiding_never_pays(evidence.audit, settings),
        *(_family_share(evidence.audit, share, settings) for share in shares),
        _not_worse(evidence.evaluation, settings),
        _not_worse_than_champion(evidence.incumbent, settings),
        _calibration(evidence.evaluation, settings),
        _level(evidence.evaluation, settings),
        _segments(evidence.evaluation, settings),
    )


def failed_gates(results: Sequence[GateResult]) -> tuple[str, ...]:
    """Return the names of the failed gates; no results at all count as a failed gate."""
    return tuple(result.gate for result in results if not result.passed) if results else ("no gate was run",)


def _no_evidence(gate: str, limit: str, what: str) -> GateResult:
    return GateResult(gate, passed=False, measured=f"no evidence: {what}", limit=limit, power="none")


def _signature(bundle: BundleEvidence | None) -> GateResult:
    gate, limit = "signature", "every file matches its signed digest"
    if bundle is None:
        return _no_evidence(gate, limit, "no bundle was read")
    measured = "valid" if bundle.fault is None else f"refused: {bundle.fault}"
    return GateResult(gate, bundle.fault is None, measured, limit, "any changed byte")


def _golden_rows(bundle: BundleEvidence | None, settings: GateSettings) -> GateResult:
    gate, limit = "golden_rows", f"at least {settings.smallest_golden_rows} rows, all reproduced bit for bit"
    if bundle is None or bundle.fault is not None:
        return _no_evidence(gate, limit, "no bundle was read")
    passed = bundle.golden_rows >= settings.smallest_golden_rows
    return GateResult(
        gate, passed, f"{bundle.golden_rows} rows reproduced", limit, "any change in the scores of these rows"
    )


def _schema(evidence: GateEvidence) -> GateResult:
    gate, limit = "schema", "bundle and feature matrix have the same feature set"
    bundle = evidence.bundle
    if bundle is None or bundle.fault is not None or not evidence.matrix_sha256 or not evidence.matrix_names:
        return _no_evidence(gate, limit, "the bundle or the feature matrix is missing")
    if bundle.feature_names != evidence.matrix_names:
        different = sorted({*bundle.feature_names} ^ {*evidence.matrix_names}) or ["the order"]
        return GateResult(
            gate,
            passed=False,
            measured=f"they differ in {', '.join(different[:5])}",
            limit=limit,
            power="any other name or order",
        )
    passed = bundle.feature_set_sha256 == evidence.matrix_sha256
    measured = f"{len(bundle.feature_names)} names equal, digest {'equal' if passed else 'different'}"
    return GateResult(gate, passed, measured, limit, "any changed feature definition")


def _reasons_add_up(audit: ModelAudit | None, settings: GateSettings) -> GateResult:
    gate, limit = "reasons_add_up", f"gap at most {settings.largest_additivity_error:g}, points add up in every row"
    if audit is None or audit.rows < settings.smallest_audit_rows:
        return _no_evidence(gate, limit, f"fewer than {settings.smallest_audit_rows} rows were tested")
    passed = audit.additivity_error <= settings.largest_additivity_error and audit.unequal_points == 0
    measured = f"largest gap {audit.additivity_error:.2g}, points off in {audit.unequal_points} of {audit.rows} rows"
    return GateResult(gate, passed, measured, limit, _rule_of_three(audit.rows))


def _signs_hold(audit: ModelAudit | None, settings: GateSettings) -> GateResult:
    gate, limit = "signs_hold", "no step towards more risk lowers the probability of default"
    if audit is None or audit.rows < settings.smallest_audit_rows or audit.monotone_trials == 0:
        return _no_evidence(gate, limit, "no steps were tested")
    measured = f"{audit.monotone_breaks} of {audit.monotone_trials} steps lower it"
    return GateResult(gate, audit.monotone_breaks == 0, measured, limit, _rule_of_three(audit.monotone_trials))


def _hiding_never_pays(audit: ModelAudit | None, settings: GateSettings) -> GateResult:
    gate, limit = "hiding_never_pays", "no blanked feature or pair lowers the probability of default"
    if audit is None or audit.rows < settings.smallest_audit_rows or audit.hiding_trials == 0:
        return _no_evidence(gate, limit, "no values were blanked")
    measured = f"{audit.hiding_gains} of {audit.hiding_trials} trials lower it"
    return GateResult(gate, audit.hiding_gains == 0, measured, limit, _rule_of_three(audit.hiding_trials))


def _family_share(audit: ModelAudit | None, largest: float, settings: GateSettings) -> GateResult:
    """Fail a candidate whose score rests on one family of features: one false figure would move it too far."""
    gate, limit = "family_share", f"at most {100 * largest:.1f} % of the mean absolute points in one family of features"
    if audit is None or audit.rows < settings.smallest_audit_rows or audit.heaviest_family is None:
        return _no_evidence(gate, limit, "no points were measured")
    found = audit.heaviest_family
    measured = f"{100 * found.share:.1f} % in the family {found.family}"
    return GateResult(gate, found.share <= largest, measured, limit, f"a larger share on these {audit.rows} rows")


def _not_worse(evaluation: Mapping[str, Any] | None, settings: GateSettings) -> GateResult:
    """Fail a candidate whose AUC is significantly below the baseline's: the whole interval is below zero."""
    gate = f"not_worse_than_{settings.baseline}"
    limit = "upper bound of the paired AUC difference at least 0"
    difference = _auc_difference(evaluation, settings.baseline)
    bad = ((evaluation or {}).get("sample") or {}).get("bad")
    if difference is None or not _is_figure(bad):
        return _no_evidence(gate, limit, f"no paired difference to {settings.baseline}")
    gain, detectable = difference["gain"], difference["detectable_gain"]
    if difference.get("verdict") == "identical":
        measured, power = "equal scores on every row", f"nothing: the candidate is the {settings.baseline}"
        return GateResult(gate, passed=True, measured=measured, limit=limit, power=power)
    return GateResult(
        gate,
        passed=gain["upper"] >= 0,
        measured=f"{gain['value']:+.4f}, 95 % CI {gain['lower']:+.4f} to {gain['upper']:+.4f}",
        limit=limit,
        power=f"a loss of {detectable:.3f} AUC or more, given {bad} defaults",
    )


def _not_worse_than_champion(incumbent: IncumbentEvidence | None, settings: GateSettings) -> GateResult:
    """Fail a candidate whose AUC is significantly below that of the champion in force, or not known to be not."""
    gate, required = AGAINST_CHAMPION, settings.incumbent_required
    limit = "upper bound of the paired AUC difference at least 0" if required else _REPORTED
    nothing = "nothing: there is no difference to measure"
    if incumbent is not None and incumbent.version is None:
        return GateResult(gate, passed=True, measured="there is no champion yet", limit=limit, power=nothing)
    found = None if incumbent is None else _complete(incumbent.difference)
    if incumbent is None or incumbent.fault is not None or found is None or not _is_figure(incumbent.bad):
        fault = (incumbent and incumbent.fault) or "the champion was not compared with the candidate"
        return replace(_no_evidence(gate, limit, fault), passed=not required)
    gain, detectable, against = found["gain"], found["detectable_gain"], f"version {incumbent.version}"
    if found.get("verdict") == "identical":
        return GateResult(
            gate, passed=True, measured=f"{against}: equal scores on every row", limit=limit, power=nothing
        )
    return GateResult(
        gate,
        passed=gain["upper"] >= 0 or not required,
        measured=f"{against}: {gain['value']:+.4f}, 95 % CI {gain['lower']:+.4f} to {gain['upper']:+.4f}",
        limit=limit,
        power=f"a loss of {detectable:.3f} AUC or more, given {incumbent.bad} defaults",
    )


def _auc_difference(evaluation: Mapping[str, Any] | None, baseline: str) -> Mapping[str, Any] | None:
    """Return the champion's paired AUC difference to the baseline, if all of its figures are present."""
    for difference in (evaluation or {}).get("differences", ()):
        if difference.get("other") == baseline and difference.get("measure") == "auc":
            return _complete(difference)
    return None


def _complete(difference: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return a difference if all of its figures are present."""
    gain = (difference or {}).get("gain") or {}
    figures = (*(gain.get(name) for name in ("value", "lower", "upper")), (difference or {}).get("detectable_gain"))
    return difference if all(_is_figure(figure) for figure in figures) else None


def _calibration(evaluation: Mapping[str, Any] | None, settings: GateSettings) -> GateResult:
    gate = "calibration_slope"
    limit = "95 % CI of the slope contains 1" if settings.calibration_required else _REPORTED
    models = (evaluation or {}).get("models") or ()
    slope = ((models[0].get("measures") or {}).get(CALIBRATION_SLOPE) or {}) if models else {}
    if not all(_is_figure(slope.get(name)) for name in ("value", "lower", "upper")):
        return _no_evidence(gate, limit, "no calibration slope with an interval")
    value, lower, upper = (float(slope[name]) for name in ("value", "lower", "upper"))
    return GateResult(
        gate,
        passed=lower <= 1.0 <= upper or not settings.calibration_required,
        measured=f"{value:.3f}, 95 % CI {lower:.3f} to {upper:.3f}",
        limit=limit,
        power=f"a slope more than {(upper - lower) / 2:.2f} away from 1",
    )


def _level(evaluation: Mapping[str, Any] | None, settings: GateSettings) -> GateResult:
    """Fail a candidate whose probabilities are too high or too low, overall or in a grade."""
    gate, required = CALIBRATION_LEVEL, settings.calibration_required
    limit = "95 % CI of expected to observed defaults contains 1, and no grade is off" if required else _REPORTED
    levels = _levels(evaluation)
    whole: Mapping[str, Any] = next((level["ratio"] for level in levels if level["column"] == WHOLE), {})
    if not all(_is_figure(whole.get(name)) for name in ("value", "lower", "upper")):
        return _no_evidence(gate, limit, "no expected to observed defaults with an interval")
    value, lower, upper = (float(whole[name]) for name in ("value", "lower", "upper"))
    off = [
        level["part"] for level in levels if level["column"] == GRADE and level["verdict"] in ("too_low", "too_high")
    ]
    grades = f"; off in grade {', '.join(off)}" if off else ""
    return GateResult(
        gate,
        passed=(lower <= 1.0 <= upper and not off) or not required,
        measured=f"{value:.3f}, 95 % CI {lower:.3f} to {upper:.3f}{grades}",
        limit=limit,
        power=f"a level more than {100 * (upper - lower) / 2:.0f} % off",
    )


def _segments(evaluation: Mapping[str, Any] | None, settings: GateSettings) -> GateResult:
    """Fail a candidate that predicts too few defaults in a segment; too many are a finding of the report only."""
    gate, required = SEGMENT_LEVEL, settings.segments_required
    limit = "0 segments with too few predicted defaults" if required else _REPORTED
    judged = [
        level
        for level in _levels(evaluation)
        if level["column"] not in (WHOLE, GRADE) and level["verdict"] != "too_few"
    ]
    if not judged:
        return replace(_no_evidence(gate, limit, "no segment has enough defaults"), passed=not required)
    low, high = ([level for level in judged if level["verdict"] == verdict] for verdict in ("too_low", "too_high"))
    named = ", ".join(f"{level['column']} {level['part']}" for level in low)
    return GateResult(
        gate,
        passed=not low or not required,
        measured=f"{len(low)} too low and {len(high)} too high, of {len(judged)} judged"
        + (f"; too low: {named}" if low else ""),
        limit=limit,
        power=f"a difference beyond chance after {len(judged)} tests",
    )


def _levels(evaluation: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    return (evaluation or {}).get("level") or ()


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _rule_of_three(trials: int) -> str:
    """Return the break rate that could go unnoticed: about 3/n at 95 % confidence after n clean trials."""
    return f"breaks in more than {3 / trials:.2g} of such trials"
