"""Traffic lights of a run: pure rules from the documents that the stages write to a state and the sentences behind it.

A light is ``ok``, ``watch`` (a person should know this before passports go out), ``stop`` (do not use the run) or
``none`` (the stage has left no evidence). Its first finding is the headline. A page that shows a light shows the words
of its findings, so that light, headline and figures cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from data_contracts.definition.contract import Severity
from models.evaluation.level import GRADE
from pipelines.reports.rendering import number, percent, whole
from pipelines.runs.file_counts import rows_kept_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipelines.reports.rendering import Texts

State = Literal["ok", "watch", "stop", "none"]

SEVERITY: Mapping[State, int] = {"ok": 0, "none": 1, "watch": 2, "stop": 3}
"""Order of the states, the gravest last."""

NO_RANKING = 0.5
"""AUC of a model that ranks no better than chance."""

SCORE = "log_odds_of_default"
"""Name of the model's output among the variables whose drift is measured."""

SCORES_HAVE_MOVED = 0.25
"""Stability index of the model's output from which the usual rule of thumb calls for a new validation."""

LARGEST_FAMILY_SHARE = 1 / 3
"""Share of the mean absolute points from which the score rests on one family of features."""

PLAIN_MODELS = ("scorecard", "best_single_variable")
"""Models a champion should beat to be worth its complexity."""


_OFF: Mapping[str, str] = {"too_high": "model_runs_high", "too_low": "model_runs_low"}


@dataclass(frozen=True)
class Finding:
    """One result of a rule: its state, the key of its words and the values for the words."""

    state: State
    key: str
    values: Mapping[str, str] = field(default_factory=dict)

    def headline(self, texts: Texts) -> str:
        """Return the finding in few words, for a headline."""
        short = f"head_{self.key}"
        return texts(short if short in texts.words else self.key, **self.values)

    def sentence(self, texts: Texts) -> str:
        """Return the finding with its figures."""
        return texts(self.key, **self.values)


@dataclass(frozen=True)
class Light:
    """The state of one subject and the findings behind it, the gravest first."""

    subject: Literal["data", "model", "gates", "drift"]
    findings: tuple[Finding, ...]

    @property
    def state(self) -> State:
        """State of the gravest finding."""
        return self.findings[0].state

    def details(self, texts: Texts) -> tuple[str, ...]:
        """Return the sentences below the headline, which is left out where it says it all."""
        first = self.findings[0]
        repeated = first.headline(texts) == first.sentence(texts)
        return tuple(finding.sentence(texts) for finding in self.findings[1 if repeated else 0 :])

    @property
    def concerns(self) -> tuple[Finding, ...]:
        """Findings that a person has to look at."""
        return tuple(finding for finding in self.findings if finding.state in {"watch", "stop"})


@dataclass(frozen=True)
class LedgerState:
    """Result of checking the promotion ledger.

    ``fault`` says what is wrong with the chain or its signature, None when both hold; ``is_checked`` is false where no
    key was at hand to check the signature with.
    """

    fault: str | None = None
    is_checked: bool = True


def data_light(validation: Mapping[str, Any] | None) -> Light:
    """Return the light of the data from ``validation.json``; None means that nothing was validated."""
    if validation is None:
        return Light("data", (Finding("none", "data_none"),))
    passed, failed = (
        sum(rule["status"] == status for table in validation["tables"] for rule in table["rules"])
        for status in ("passed", "failed")
    )
    found = [*_over_limits(validation), *_data_concerns(validation, failed, passed + failed)]
    rows, set_aside, share = rows_set_aside(validation["sources"])
    found.append(
        Finding("ok", "data_rows", {"rows": whole(rows), "set_aside": whole(set_aside), "share": percent(share, 2)})
    )
    return _light("data", found, Finding("ok", "data_ok", {"rules": whole(passed)}))


def _over_limits(validation: Mapping[str, Any]) -> Iterator[Finding]:
    refused = [table["table"] for table in validation["tables"] if table["rejected_by"]]
    if refused:
        yield Finding("stop", "data_refused", {"tables": whole(len(refused)), "names": ", ".join(refused)})
    about, sources = validation["about"], validation["sources"]
    share, limit = broken_share(sources), about["ingest_quarantine_limit_share"]
    if share > limit:
        yield Finding("stop", "data_over_limit", {"share": percent(share, 2), "limit": percent(limit, 2)})
    limit = about["quarantine_limit_share"]
    for table in validation["tables"]:
        share = sum(table["quarantined"].values()) / table["rows_in"] if table["rows_in"] else 0.0
        if share > limit:
            values = {"table": table["table"], "share": percent(share, 2), "limit": percent(limit, 2)}
            yield Finding("stop", "data_table_over_limit", values)


def _data_concerns(validation: Mapping[str, Any], failed: int, judged: int) -> Iterator[Finding]:
    sellers = validation["reconciliation"]["contradicted_sellers"]
    if sellers:
        yield Finding("watch", "data_contradicted", {"sellers": whole(sellers)})
    broken = (validation.get("export_documents") or {}).get("broken_sellers", 0)
    if broken:
        yield Finding("watch", "data_documents", {"sellers": whole(broken)})
    if failed:
        yield Finding("watch", "data_rules", {"failed": whole(failed), "judged": whole(judged)})
    yield from _not_validated(validation["tables"])
    yield from _money_concerns(validation)
    for kind in ("withheld", "unlisted"):
        files = len(validation[f"{kind}_files"])
        if files:
            yield Finding("watch", f"data_{kind}", {"files": whole(files)})


def _money_concerns(validation: Mapping[str, Any]) -> Iterator[Finding]:
    doubled = validation.get("doubled_money") or {"rows": 0}
    if doubled["rows"]:
        values = {"rows": whole(doubled["rows"]), "usd": whole(float(doubled["usd"]))}
        yield Finding("watch", "data_doubled", values)
    shared = validation.get("shared_statements") or {"statements": 0}
    if shared["statements"]:
        values = {"statements": whole(shared["statements"]), "sellers": whole(shared["sellers"])}
        yield Finding("watch", "data_shared", values)
    payouts = validation.get("payouts_in_bank") or {"payouts": 0, "matched": 0}
    unmatched = payouts["payouts"] - payouts["matched"]
    if unmatched:
        values = {"unmatched": whole(unmatched), "payouts": whole(payouts["payouts"])}
        yield Finding("watch", "data_unmatched", values)


def _not_validated(tables: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Return the findings on rules that could not be checked: a rule that decides on rows stops, a warning does not."""
    deciding = [table["table"] for table in tables for rule in table["rules"] if must_be_validated(rule)]
    if deciding:
        names = ", ".join(dict.fromkeys(deciding))
        yield Finding("stop", "data_not_validated", {"rules": whole(len(deciding)), "names": names})
    unknown = sum(rule["status"] == "not_validated" for table in tables for rule in table["rules"]) - len(deciding)
    if unknown:
        yield Finding("watch", "data_warnings_not_validated", {"rules": whole(unknown)})


def must_be_validated(rule: Mapping[str, Any]) -> bool:
    """Return whether a rule decides on rows, and was not validated."""
    return rule["status"] == "not_validated" and Severity(rule["severity"]).decides


def rows_set_aside(sources: Sequence[Mapping[str, Any]]) -> tuple[int, int, float]:
    """Return the rows delivered, the rows not accepted (quarantined or repeated) and the share of the latter."""
    rows = sum(source["rows_in"] for source in sources)
    set_aside = sum(sum(source[kind].values()) for source in sources for kind in ("quarantined", "duplicates"))
    return rows, set_aside, set_aside / rows if rows else 0.0


def broken_share(sources: Sequence[Mapping[str, Any]]) -> float:
    """Return the share of delivered rows that break a rule; rows kept out for age or lack of consent do not count."""
    rows = sum(source["rows_in"] for source in sources)
    broken = sum(sum(source["quarantined"].values()) - rows_kept_out(source["quarantined"]) for source in sources)
    return broken / rows if rows else 0.0


def model_light(evaluation: Mapping[str, Any] | None, audit: Mapping[str, Any] | None = None) -> Light:
    """Return the light of the model from the parts ``evaluation`` and ``audit`` of ``evaluation.json``."""
    if evaluation is None:
        return Light("model", (Finding("none", "model_none"),))
    measures, sample = evaluation["models"][0]["measures"], evaluation["sample"]
    area = measures["auc"]
    tested = Finding(
        "ok",
        "model_tested",
        {**_interval(area), "rows": whole(sample["rows"]), "bad": whole(sample["bad"])},
    )
    found = [*_ranking(evaluation, area), *_level(evaluation), *_slope(measures), *_family_share(audit), tested]
    return _light("model", found, Finding("ok", "model_ok"))


def _ranking(evaluation: Mapping[str, Any], area: Mapping[str, Any]) -> Iterator[Finding]:
    if area["lower"] is None:
        yield Finding("watch", "model_unknown", _interval(area))
    elif area["lower"] <= NO_RANKING:
        yield Finding("stop", "model_no_ranking", _interval(area))
    for one in evaluation["differences"]:
        if one["measure"] != "auc" or one["other"] not in PLAIN_MODELS:
            continue
        values = {**_interval(one["gain"]), "detectable": number(one["detectable_gain"], 3)}
        if one["verdict"] == "worse":
            yield Finding("stop", f"model_worse_than_{one['other']}", values)
        elif one["verdict"] == "not_shown":
            is_hint = one["gain"]["lower"] is not None and one["gain"]["lower"] > 0
            yield Finding("watch", f"model_{'maybe' if is_hint else 'not'}_above_{one['other']}", values)


def _level(evaluation: Mapping[str, Any]) -> Iterator[Finding]:
    """Return the findings on the level of the probabilities: of the whole sample, of grades and of segments."""
    whole_sample, *parts = evaluation["level"]
    if whole_sample["verdict"] in _OFF:
        ratio = whole_sample["ratio"]
        values = {**_interval(ratio, 2), "share": percent(abs(ratio["value"] - 1), 0)}
        yield Finding("watch", _OFF[whole_sample["verdict"]], values)
    for kind in ("grades", "segments"):
        chosen = [level for level in parts if (level["column"] == GRADE) == (kind == "grades")]
        for verdict in ("too_low", "too_high"):
            off = [level for level in chosen if level["verdict"] == verdict]
            if off:
                values = {"count": whole(len(off)), "judged": whole(sum(one["verdict"] != "too_few" for one in chosen))}
                yield Finding("watch", f"model_{kind}_{verdict}", values)


def _slope(measures: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    slope = measures["calibration_slope"]
    if slope["lower"] is not None and not slope["lower"] <= 1 <= slope["upper"]:
        yield Finding("watch", "model_too_flat" if slope["lower"] > 1 else "model_too_steep", _interval(slope, 2))


def _family_share(audit: Mapping[str, Any] | None) -> Iterator[Finding]:
    family = (audit or {}).get("heaviest_family")
    if family is not None and family["share"] > LARGEST_FAMILY_SHARE:
        values = {"share": percent(family["share"], 0), "family": family["family"], "feature": family["feature"]}
        yield Finding("watch", "model_one_family", values)


def gates_light(registration: Mapping[str, Any] | None, trained_sha256: str | None, ledger: LedgerState) -> Light:
    """Return the light of the promotion gates.

    Args:
        registration: ``registration.json``, or None where no model was put through the gates.
        trained_sha256: digest of the bundle that training left, None where there is none.
        ledger: what reading the ledger of promotions showed.
    """
    found = []
    if ledger.fault is not None:
        found.append(Finding("stop", "gates_ledger_broken", {"fault": ledger.fault}))
    elif not ledger.is_checked:
        found.append(Finding("watch", "gates_ledger_unchecked"))
    if registration is None:
        return _light("gates", found, Finding("none", "gates_none"))
    gates = registration["gates"]
    passed = sum(gate["passed"] for gate in gates)
    counts = {"passed": whole(passed), "gates": whole(len(gates)), "failed": whole(len(gates) - passed)}
    champion = registration["champion"]
    if registration["outcome"] == "refused":
        found.append(Finding("stop", "gates_refused", counts))
        found.append(
            Finding("watch", "gates_no_champion")
            if champion is None
            else Finding("ok", "gates_champion_stays", {"version": champion["version"]})
        )
    elif trained_sha256 is not None and trained_sha256 != registration["bundle_sha256"]:
        found.append(Finding("watch", "gates_other_model"))
    return _light("gates", found, Finding("ok", "gates_ok", counts))


def drift_light(monitor: Mapping[str, Any] | None) -> Light:
    """Return the light of the drift from ``monitor.json``; None means that nothing was compared."""
    if monitor is None:
        return Light("drift", (Finding("none", "drift_none"),))
    variables = monitor["variables"]
    features = [one for one in variables if one["name"] != SCORE]
    alerts = [one for one in features if one["alert"]]
    score = next((one for one in variables if one["name"] == SCORE), None)
    found = []
    if score is not None:
        values = {"index": number(score["index"], 2)}
        if score["alert"] and score["index"] >= SCORES_HAVE_MOVED:
            found.append(Finding("stop", "drift_scores_moved", values))
        elif score["alert"]:
            found.append(Finding("watch", "drift_scores_shift", values))
        else:
            found.append(Finding("ok", "drift_scores_hold", values))
    counts = {"alerts": whole(len(alerts)), "variables": whole(len(features))}
    if alerts:
        found.append(Finding("watch", "drift_alerts", counts))
    return _light("drift", found, Finding("ok", "drift_ok", counts))


def _light(subject: Literal["data", "model", "gates", "drift"], found: Sequence[Finding], quiet: Finding) -> Light:
    """Return a light with the gravest finding first; ``quiet`` is the headline where nothing grave was found."""
    grave = sorted(
        (one for one in found if SEVERITY[one.state] > SEVERITY["none"]), key=lambda one: -SEVERITY[one.state]
    )
    rest = [one for one in found if SEVERITY[one.state] <= SEVERITY["none"]]
    return Light(subject, (*grave, *rest) if grave else (quiet, *rest))


def _interval(estimate: Mapping[str, Any], digits: int = 3) -> dict[str, str]:
    return {name: number(estimate[name], digits) for name in ("value", "lower", "upper")}
