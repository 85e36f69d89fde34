"""The verdict agrees with the lights, whatever they show, and concerns are ranked by what they touch."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.index.promotions import Promotions
from pipelines.index.run_record import RunRecord, Scores, StageRun
from pipelines.index.verdict import concerns_of, lights_of, verdict_of
from pipelines.reports.lights import LedgerState
from pipelines.reports.rendering import LANGUAGES, Language, page_texts
from pipelines.runs.stages import StageRecord
from tests.factories.published_run import synthetic_profile
from tests.factories.run_documents import changed, difference, evaluation, monitor, registration, validation

PROFILE = synthetic_profile()
DONE = StageRecord(1, 1)
SCORES = Scores(scored=100, refused=0, contradicted=7, grades=())

VALIDATIONS = [
    None,
    validation(),
    changed(validation(), "reconciliation", "contradicted_sellers", to=9),
    changed(validation(), "tables", 0, "rejected_by", to=["recent"]),
]
EVALUATIONS = [
    None,
    evaluation(),
    changed(evaluation(), "differences", to=[difference("scorecard", "not_shown")]),
    changed(evaluation(), "differences", to=[difference("scorecard", "worse")]),
    *(changed(evaluation(), "level", at, "verdict", to=off) for at in range(3) for off in ("too_low", "too_high")),
]
REGISTRATIONS = [None, registration(), registration(refused=True)]
MONITORS = [None, monitor(), monitor(alerts=2), monitor(score_index=0.4, score_alert=True)]


def stage_run(name: str, state: str) -> StageRun:
    if state == "absent":
        return StageRun(name, None)
    folder = Path(name)
    return StageRun(name, folder, DONE, 1.0) if state == "done" else StageRun(name, folder, fault="a byte was changed")


record = functools.partial(RunRecord, PROFILE, Path(), (stage_run("train", "done"),), Promotions())


runs = st.builds(
    RunRecord,
    profile=st.just(PROFILE),
    root=st.just(Path()),
    validation=st.sampled_from(VALIDATIONS),
    evaluation=st.sampled_from(EVALUATIONS),
    registration=st.sampled_from(REGISTRATIONS),
    monitor=st.sampled_from(MONITORS),
    scores=st.sampled_from([None, SCORES]),
    stages=st.tuples(st.sampled_from(["done", "absent", "damaged"]).map(lambda state: stage_run("train", state))),
    promotions=st.sampled_from([Promotions(), Promotions(state=LedgerState("line 2 was changed"))]),
)


@given(runs)
def test_the_verdict_agrees_with_the_lights(run: RunRecord) -> None:
    lights = lights_of(run)
    concerns = concerns_of(run, lights)
    verdict = verdict_of(run, lights, concerns)
    states = {light.state for light in lights}
    if "stop" in states or run.damaged:
        assert verdict.state == "stop"
    elif "none" in states or run.missing:
        assert verdict.state == "none"
    else:
        assert verdict.state == ("watch" if "watch" in states else "ok")


@given(runs)
def test_every_concern_of_a_light_is_listed_and_the_gravest_come_first(run: RunRecord) -> None:
    lights = lights_of(run)
    concerns = concerns_of(run, lights)
    listed = [one.finding for one in concerns]
    assert all(finding in listed for light in lights for finding in light.concerns)
    states = [one.finding.state for one in concerns]
    assert states == sorted(states, key=["stop", "watch"].index)
    for state in ("stop", "watch"):
        touched = [one.decisions or 0 for one in concerns if one.finding.state == state]
        assert touched == sorted(touched, reverse=True)


@pytest.mark.parametrize("language", LANGUAGES)
@given(runs)
def test_every_verdict_and_concern_has_words(language: Language, run: RunRecord) -> None:
    texts = page_texts("index_page", language)
    lights = lights_of(run)
    concerns = concerns_of(run, lights)
    verdict = verdict_of(run, lights, concerns)
    assert texts(verdict.key, **verdict.values)
    for one in concerns:
        assert one.finding.sentence(texts)
        assert one.finding.headline(texts)
        assert texts(f"todo_{one.finding.key}")


QUIET = ("_ok", "_none", "model_tested")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_finding_about_a_model_says_what_to_do(language: Language) -> None:
    texts = page_texts("index_page", language)
    verdicts = tomllib.loads((resources.files("pipelines.reports") / "texts" / "verdicts.toml").read_text("utf-8"))
    findings = [key for key in verdicts if key.startswith("model_") and not key.endswith(QUIET)]
    assert len(findings) >= 17
    for key in findings:
        assert texts(f"todo_{key}")


def test_a_contradiction_touches_the_sellers_that_were_scored() -> None:
    run = record(validation=VALIDATIONS[2], scores=SCORES)
    concern = next(one for one in concerns_of(run, lights_of(run)) if one.finding.key == "data_contradicted")
    assert (concern.finding.values["sellers"], concern.decisions) == ("9", 7)


def test_sellers_with_a_warning_or_without_a_score_need_a_person() -> None:
    summary = {"by_status": {"scored_with_warning": 12}}
    run = record(summary=summary, scores=Scores(100, 3, 0, ()))
    found = {one.finding.key: one.decisions for one in concerns_of(run, lights_of(run))}
    assert found == {"scores_warned": 12, "scores_refused": 3}


def test_scores_of_another_version_than_the_champion_stop_the_run_and_are_named() -> None:
    champion = registration()["champion"]
    summary = {"by_status": {}, "model_version": "2", "bundle_sha256": "0" * 64}
    run = record(registration=registration(), scores=SCORES, summary=summary)
    (found,) = [one for one in concerns_of(run, lights_of(run)) if one.finding.key == "scores_of_other_version"]
    assert found.finding.state == "stop"
    assert found.finding.values == {"scored": "2", "champion": champion["version"]}
    for language in LANGUAGES:
        texts = page_texts("index_page", language)
        assert "2" in texts(found.finding.key, **found.finding.values)
        assert "passport score" in texts(f"todo_{found.finding.key}")
    same = record(
        registration=registration(), scores=SCORES, summary={**summary, "bundle_sha256": champion["bundle_sha256"]}
    )
    assert not [one for one in concerns_of(same, lights_of(same)) if one.finding.key == "scores_of_other_version"]
