"""For any score a passport adds up and verifies; after any change of its bytes it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.passports.passport import Evidence, issue_passport, passport_document
from pipelines.passports.verify import verify_passport
from pipelines.score.scorer import score_chunk
from pipelines.signing.credential import CredentialRefused, issue, verify_credential
from tests.factories.scoring import ISSUED_ON, KEYS, applicants, context, small_bundle
from tests.unit.pipelines.passports.test_passport import TERMS, TRUST

ROWS = score_chunk(context(), applicants(60)).to_pylist()
ISSUED = issue_passport(ROWS[0], small_bundle(), Evidence({}), TERMS).data
POINTS = st.integers(-400, 400)


def row_with(points: list[int], base: int) -> dict[str, Any]:
    """Return a scored row whose pillars have these points, with the largest named as reasons."""
    pillars = {f"pillar_{number}": value for number, value in enumerate(points)}
    reason = {"code": "X", "feature": "x", "pillar": "pillar_0", "value": 1.5, "unit": "share", "en": "x", "zh": "某"}
    for_points = [value for value in sorted(points, reverse=True) if value > 0][:4]
    against = [value for value in sorted(points) if value < 0][:4]
    reasons = {
        "for": [{**reason, "points": value} for value in for_points],
        "against": [{**reason, "points": value} for value in against],
        "all_others": sum(points) - sum(for_points) - sum(against),
    }
    told = {"pillar_points": json.dumps(pillars), "reasons": json.dumps(reasons)}
    return {**ROWS[0], **told, "base_points": base, "score": base + sum(points)}


@given(points=st.lists(POINTS, min_size=1, max_size=12), base=st.integers(-200, 900))
@settings(max_examples=100, deadline=None)
def test_any_points_add_up_in_a_passport_that_verifies(points: list[int], base: int) -> None:
    document = passport_document(row_with(points, base), small_bundle(), Evidence({}), TERMS).as_json()
    says = document["credentialSubject"]["points"]
    named = sum(int(reason["points"]) for reason in (*says["for"], *says["against"]))
    assert base + named + int(says["all_others"]) == base + sum(points)
    _, subject = verify_passport(issue(document, KEYS.signing_key, document["validFrom"]), ISSUED_ON, TRUST, None)
    assert subject.assessment.score == str(base + sum(points))


@given(position=st.integers(0, len(ISSUED) - 1), value=st.integers(0, 255))
@settings(max_examples=400, deadline=None)
def test_any_other_byte_at_any_position_is_refused(position: int, value: int) -> None:
    changed = ISSUED[:position] + bytes([value]) + ISSUED[position + 1 :]
    if changed == ISSUED:
        verify_credential(changed, ISSUED_ON, TRUST)
        return
    with pytest.raises(CredentialRefused):
        verify_credential(changed, ISSUED_ON, TRUST)


@given(first=st.integers(0, len(ISSUED)), last=st.integers(0, len(ISSUED)), inserted=st.binary(max_size=8))
@settings(max_examples=200, deadline=None)
def test_any_cut_or_splice_is_refused(first: int, last: int, inserted: bytes) -> None:
    changed = ISSUED[: min(first, last)] + inserted + ISSUED[max(first, last) :]
    if changed == ISSUED:
        return
    with pytest.raises(CredentialRefused):
        verify_credential(changed, ISSUED_ON, TRUST)


@given(data=st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_other_file_is_refused_without_a_crash(data: bytes) -> None:
    with pytest.raises(CredentialRefused):
        verify_credential(data, ISSUED_ON, TRUST)


@given(row=st.sampled_from(ROWS))
@settings(max_examples=30, deadline=None)
def test_every_scored_row_makes_a_passport_and_two_pages(row: dict[str, Any]) -> None:
    issued = issue_passport(row, small_bundle(), Evidence({}), TERMS)
    verify_passport(issued.data, ISSUED_ON, TRUST, None)
    assert set(issued.pages) == {"en", "zh"}
