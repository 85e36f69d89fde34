"""Verification of passport files: one answer per file, each with its own code."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from data_contracts.errors import ConfigurationRefused
from pipelines.passports.passport import Evidence, IssuedPassport, issue_passport, passport_document
from pipelines.passports.verify import VerifyOptions, VerifyOutcome, exit_code_of, verify_command
from pipelines.reports.rendering import LANGUAGES
from pipelines.score.scorer import score_chunk
from pipelines.signing.credential import issue
from pipelines.signing.keys import KeyRing, trust_file_for
from tests.factories.scoring import ISSUED_ON, KEYS, applicants, context, small_bundle
from tests.unit.pipelines.passports.test_passport import TERMS

OTHER = KeyRing(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))), bytes(32), is_demonstration=True)


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    path = tmp_path / "trust.json"
    path.write_bytes(trust_file_for(KEYS, "test issuer", date(2025, 1, 1)))
    return path


@pytest.fixture
def issued() -> IssuedPassport:
    row = score_chunk(context(), applicants(1)).to_pylist()[0]
    return issue_passport(row, small_bundle(), Evidence({}), TERMS)


@pytest.fixture
def passport(tmp_path: Path, issued: IssuedPassport) -> Path:
    path = tmp_path / f"{issued.pseudonym}.json"
    path.write_bytes(issued.data)
    return path


def answer(path: Path, options: VerifyOptions) -> VerifyOutcome:
    (outcome,) = verify_command([path], options)
    return outcome


def test_an_issued_credential_is_accepted_with_its_content(passport: Path, trust: Path) -> None:
    outcome = answer(passport, VerifyOptions(on=ISSUED_ON, trust=trust))
    assert (outcome.code, outcome.exit_code, outcome.issuer) == ("ok", 0, KEYS.did)
    assert outcome.subject is not None
    assert outcome.subject.pseudonym == passport.stem
    stated = outcome.subject.assessment
    assert outcome.message == (
        f"valid from 2025-03-15 until 2025-06-14; score {stated.score}, grade {stated.grade}, "
        f"probability of default {float(stated.probability_of_default):.4f}, data as of {outcome.subject.as_of}"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_is_accepted_if_it_shows_the_passport_beside_it(
    passport: Path, issued: IssuedPassport, trust: Path, language: str
) -> None:
    page = passport.with_suffix(f".{language}.html")
    page.write_text(issued.pages[language], encoding="utf-8")
    day = VerifyOptions(on=ISSUED_ON, trust=trust)
    assert answer(page, day).message == answer(passport, day).message
    grade = answer(passport, day).subject
    assert grade is not None
    forged = page.read_text(encoding="utf-8").replace(f">{grade.assessment.grade}<", ">A1<")
    assert forged != issued.pages[language]
    page.write_text(forged, encoding="utf-8")
    assert (answer(page, day).code, answer(page, day).exit_code) == ("page_differs", 2)


@pytest.mark.parametrize("suffix", [".en.HTML", ".htm", ".en.more.html"])
def test_a_page_is_known_by_its_suffix_and_belongs_to_the_passport_of_its_first_name(
    passport: Path, issued: IssuedPassport, trust: Path, suffix: str
) -> None:
    page = passport.with_name(passport.stem + suffix)
    page.write_text(issued.pages["en"], encoding="utf-8")
    assert answer(page, VerifyOptions(on=ISSUED_ON, trust=trust)).code == "ok"
    page.write_text("forged", encoding="utf-8")
    refused = answer(page, VerifyOptions(on=ISSUED_ON, trust=trust))
    assert (refused.code, refused.file) == ("page_differs", str(page))
    assert refused.message.startswith(f"{passport.name}: the page does not show this passport")


def test_a_refused_passport_says_no_more_than_its_reason(passport: Path, trust: Path) -> None:
    refused = answer(passport, VerifyOptions(on=date(2025, 6, 15), trust=trust))
    assert (refused.accepted, refused.issuer, refused.subject) == (False, None, None)
    assert refused.message == "valid until 2025-06-14, asked for 2025-06-15"
    accepted = answer(passport, VerifyOptions(on=date(2025, 6, 14), trust=trust))
    assert (accepted.accepted, accepted.file) == (True, str(passport))
    gone = answer(passport.with_name("none.json"), VerifyOptions(on=ISSUED_ON, trust=trust))
    assert gone.message == "cannot be read: No such file or directory"


def test_a_signed_document_that_is_no_passport_is_named_by_its_place(tmp_path: Path, trust: Path) -> None:
    path = tmp_path / "p.json"
    row = score_chunk(context(), applicants(1)).to_pylist()[0]
    document = passport_document(row, small_bundle(), Evidence({}), TERMS).as_json()
    document["credentialSubject"]["assessment"]["grade"] = 5
    path.write_bytes(issue(document, KEYS.signing_key, "2025-03-15T00:00:00Z"))
    outcome = answer(path, VerifyOptions(on=ISSUED_ON, trust=trust))
    assert outcome.message.startswith("signed, but no passport: credentialSubject.assessment.grade: ")
    document["credentialSubject"]["model"] = {}
    path.write_bytes(issue(document, KEYS.signing_key, "2025-03-15T00:00:00Z"))
    assert answer(path, VerifyOptions(on=ISSUED_ON, trust=trust)).message == outcome.message


def test_a_page_without_a_valid_passport_proves_nothing(passport: Path, issued: IssuedPassport, trust: Path) -> None:
    page = passport.with_suffix(".en.html")
    page.write_text(issued.pages["en"], encoding="utf-8")
    late = answer(page, VerifyOptions(on=date(2025, 6, 15), trust=trust))
    assert (late.code, late.message.partition(":")[0]) == ("expired", passport.name)
    passport.unlink()
    assert answer(page, VerifyOptions(on=ISSUED_ON, trust=trust)).code == "malformed"


def test_each_reason_of_refusal_has_its_own_code(passport: Path, trust: Path) -> None:
    day = VerifyOptions(on=ISSUED_ON, trust=trust)
    assert answer(passport, VerifyOptions(on=ISSUED_ON)).code == "unknown_issuer"
    assert answer(passport, VerifyOptions(on=date(2025, 3, 14), trust=trust)).code == "not_yet_valid"
    assert answer(passport, VerifyOptions(on=date(2025, 6, 15), trust=trust)).code == "expired"
    assert answer(passport.with_name("none.json"), day).code == "malformed"
    data = passport.read_bytes()
    passport.write_bytes(data + b"\n")
    assert answer(passport, day).code == "not_canonical"
    passport.write_bytes(data + b" " * (1_048_577 - len(data)))
    assert answer(passport, day).message == "longer than 1048576 bytes"
    passport.write_bytes(data.replace(b'"score":"', b'"score":"1'))
    assert answer(passport, day).code == "changed"


def test_a_refusal_is_one_line_and_exit_two(passport: Path) -> None:
    outcome = answer(passport, VerifyOptions(on=ISSUED_ON))
    assert outcome.exit_code == 2
    assert "signed by an unknown issuer" in outcome.message
    assert "\n" not in outcome.message
    assert outcome.subject is None


def test_data_can_be_stale_while_the_passport_is_in_force(tmp_path: Path, trust: Path) -> None:
    row = score_chunk(context(), applicants(1)).to_pylist()[0]
    terms = TERMS.__class__(**{**TERMS.__dict__, "as_of_age_days": 100})
    path = tmp_path / "p.json"
    path.write_bytes(issue_passport(row, small_bundle(), Evidence({}), terms).data)
    assert answer(path, VerifyOptions(on=date(2025, 4, 10), trust=trust)).code == "ok"
    assert answer(path, VerifyOptions(on=date(2025, 4, 11), trust=trust)).code == "stale_data"


def test_a_foreign_issuers_passport_is_refused_although_its_signature_holds(tmp_path: Path, trust: Path) -> None:
    row = score_chunk(context(), applicants(1)).to_pylist()[0]
    terms = TERMS.__class__(**{**TERMS.__dict__, "keys": OTHER})
    path = tmp_path / "p.json"
    path.write_bytes(issue_passport(row, small_bundle(), Evidence({}), terms).data)
    assert answer(path, VerifyOptions(on=ISSUED_ON, trust=trust)).code == "unknown_issuer"


def test_a_signed_document_that_is_not_a_passport_is_malformed(tmp_path: Path, trust: Path) -> None:
    row = score_chunk(context(), applicants(1)).to_pylist()[0]
    document = passport_document(row, small_bundle(), Evidence({}), TERMS).as_json()
    document["credentialSubject"]["points"]["base"] = "1"
    path = tmp_path / "p.json"
    path.write_bytes(issue(document, KEYS.signing_key, "2025-03-15T00:00:00Z"))
    outcome = answer(path, VerifyOptions(on=ISSUED_ON, trust=trust))
    assert outcome.code == "malformed"
    assert "add up" in outcome.message


def test_the_seller_can_prove_whose_passport_it_is(passport: Path, trust: Path, issued: IssuedPassport) -> None:
    def bound(subject: str, salt: str) -> str:
        return answer(passport, VerifyOptions(on=ISSUED_ON, trust=trust, subject=subject, salt=salt)).code

    assert bound("S000000", issued.salt) == "ok"
    assert bound("S000001", issued.salt) == "subject_mismatch"
    assert bound("S000000", "0" * 64) == "subject_mismatch"


@pytest.mark.parametrize(("subject", "salt"), [("S1", None), (None, "0" * 64), ("S1", "zz"), ("S1", "00")])
def test_subject_and_salt_belong_together(passport: Path, trust: Path, subject: str | None, salt: str | None) -> None:
    with pytest.raises(ConfigurationRefused, match="salt"):
        verify_command([passport], VerifyOptions(on=ISSUED_ON, trust=trust, subject=subject, salt=salt))


def test_one_refused_file_does_not_hide_the_others(passport: Path, trust: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_bytes(b"{}")
    outcomes = verify_command([broken, passport], VerifyOptions(on=ISSUED_ON, trust=trust))
    assert [outcome.code for outcome in outcomes] == ["malformed", "ok"]
    assert exit_code_of(outcomes) == 2
    assert exit_code_of(outcomes[1:]) == 0
    assert exit_code_of([]) == 2


def test_a_missing_trust_file_is_a_refused_setting(passport: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationRefused, match="trust file"):
        verify_command([passport], VerifyOptions(on=ISSUED_ON, trust=tmp_path / "none.json"))
