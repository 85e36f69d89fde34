"""``passport score``: from files, identifiers or raw exports to one result per row, or to a clear refusal."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from data_contracts.errors import ConfigurationRefused, InputRefused, IntegrityRefused
from models.registry.mlflow_registry import CHAMPION, register_bundle, set_alias
from models.registry.mlflow_runs import TrainingRecord
from models.registry.promotion_ledger import Decision, Ledger
from pipelines.passports.verify import VerifyOptions, exit_code_of, verify_command
from pipelines.profiles import load_profile
from pipelines.register.registry import registry_of
from pipelines.reports.rendering import LANGUAGES, page_texts
from pipelines.runs.publish import locked, read_json, read_parquet
from pipelines.runs.stages import Place, current_run
from pipelines.score.command import ScoreOptions, ScoreOutcome, score_command
from pipelines.score.stage import run
from pipelines.signing.keys import KeyRing, TrustedIssuer, TrustList, trust_file_for
from pipelines.signing.ledgers import promotion_ledger
from tests.factories import published
from tests.factories.invoice_world import (
    AS_OF,
    SELLERS,
    invoice_matrix,
    invoice_meta,
    publish_tables,
    write_invoice_bundle,
    write_raw_invoices,
)
from tests.factories.progress import Recorder
from tests.factories.scoring import KEYS

ISSUED_ON = date(2024, 7, 15)
RESULTS = {"files.json", "passports.parquet", "scores.jsonl", "scores.csv", "reasons.json", "summary.json"}


def rows(outcome: ScoreOutcome) -> list[dict[str, Any]]:
    return read_parquet(outcome.folder / "passports.parquet").to_pylist()


def figures(outcome: ScoreOutcome) -> dict[str, tuple[Any, ...]]:
    names = ("status", "probability_of_default", "score", "grade", "reasons")
    return {row["seller_id"]: tuple(row[name] for name in names) for row in rows(outcome)}


def points(outcome: ScoreOutcome) -> dict[str, tuple[Any, ...]]:
    """Return the figures without the status: the integrity rules read tables, which a ready matrix does not have."""
    for row in rows(outcome):
        codes = [code for code in (row["codes"] or "").split(";") if code]
        assert all(code.startswith("integrity_") for code in codes), codes
        assert row["status"] == ("scored_with_warning" if codes else "scored")
    return {seller: tuple(rest) for seller, (_, *rest) in figures(outcome).items()}


def promoted(place: Place, version: str, digest: str) -> None:
    """Write into the ledger that a bundle passed its gates."""
    moment = datetime(2024, 7, int(version), tzinfo=UTC)
    values = {**decision_values(), "version": version, "bundle_sha256": digest, "decided_at": moment}
    Ledger(place.root / "ledger").append(Decision.model_validate(values), KEYS.signing_key)


def stated_promotions(options: ScoreOptions) -> set[str]:
    passports = [json.loads(path.read_bytes()) for path in options.out.glob("passports/*.json")]
    pages = {path.read_text(encoding="utf-8") for path in options.out.glob("passports/*.html")}
    states = {passport["credentialSubject"]["model"]["promotion"] for passport in passports}
    for state in states:
        words = {language: page_texts("passport_page", language)(f"promotion_{state}") for language in LANGUAGES}
        # Among the facts about the model; at the top, too, if the model is not the champion.
        times = {sum(page.count(text) for text in words.values()) for page in pages}
        assert times == {1 if state == "champion" else 2}
    return states


def test_the_registrys_champion_must_be_the_one_that_the_ledger_names(
    options: ScoreOptions, matrix_file: Path, tmp_path: Path
) -> None:
    registry = registry_of(options.place, "seller-default")
    for version in ("1", "2"):
        folder = tmp_path / f"bundle{version}"
        digest = write_invoice_bundle(folder, invoice_meta().model_copy(update={"model_version": version}))
        register_bundle(folder, TrainingRecord(digest, {}, {}), {}, published.SERVED, registry)
        if version == "2":
            set_alias(registry, CHAMPION, "2")
            with pytest.raises(IntegrityRefused, match=r"names version 1 .*passport promote 1 "):
                score_command(matrix_file, replace(options, bundle=None))
        promoted(options.place, version, digest)
    by_registry = replace(options, bundle=None, passport_count=2, unpromoted=False)
    score_command(matrix_file, by_registry)
    assert stated_promotions(options) == {"champion"}
    # The alias is set back in the database, past the ledger.
    set_alias(registry, CHAMPION, "1")
    for address in (None, "models:/seller-default@champion"):
        with pytest.raises(IntegrityRefused, match=r"calls version 1 .* names version 2 .*passport promote 2 "):
            score_command(matrix_file, replace(by_registry, model=address))
    outcome = score_command(matrix_file, replace(by_registry, model="models:/seller-default/1"))
    assert stated_promotions(options) == {"earlier_champion"}
    assert "was champion before" in outcome.notes[-1]
    shutil.rmtree(options.place.root / "ledger")
    with pytest.raises(IntegrityRefused, match="names no champion; remedy: run: passport register"):
        score_command(matrix_file, by_registry)


def test_a_bundle_that_was_never_promoted_issues_no_passports_unless_they_say_so(
    options: ScoreOptions, matrix_file: Path
) -> None:
    careful = replace(options, unpromoted=False)
    outcome = score_command(matrix_file, careful)
    assert "ledger at hand promotes the model" in outcome.notes[-1]
    assert read_json(options.out / "summary.json")["promotion"] == "not_promoted"
    with pytest.raises(ConfigurationRefused, match=r"no promotion ledger at hand promotes .*--unpromoted"):
        score_command(matrix_file, replace(careful, passport_count=2))
    score_command(matrix_file, replace(options, passport_count=2))
    assert stated_promotions(options) == {"not_promoted"}
    promoted(options.place, "1", rows(outcome)[0]["bundle_sha256"])
    score_command(matrix_file, replace(careful, passport_count=2))
    assert stated_promotions(options) == {"champion"}


def test_a_ledger_that_was_set_back_stops_scoring(options: ScoreOptions, matrix_file: Path) -> None:
    ledger = promotion_ledger(options.place, options.environment)
    outcome = score_command(matrix_file, options)
    promoted(options.place, "1", rows(outcome)[0]["bundle_sha256"])
    older = ledger.log.path.read_bytes()
    promoted(options.place, "2", "ab" * 32)
    ledger.append(
        Decision.model_validate({**decision_values(), "version": "3", "bundle_sha256": "cd" * 32}), KEYS.signing_key
    )
    ledger.log.path.write_bytes(older)
    with pytest.raises(IntegrityRefused, match="was set back"):
        score_command(matrix_file, options)


def decision_values() -> dict[str, Any]:
    return {
        "outcome": "promoted",
        "model_name": "seller-default",
        "decided_at": datetime(2024, 7, 3, tzinfo=UTC),
        "approver": "Li Wei",
        "reason": "passed every gate",
        "gates": (),
    }


def identifiers(path: Path, *lines: str) -> Path:
    path.write_text("seller_id,as_of\n" + "".join(f"{line}\n" for line in lines))
    return path


def test_a_ready_matrix_has_one_result_per_row_in_every_format(options: ScoreOptions, matrix_file: Path) -> None:
    outcome = score_command(matrix_file, options)
    assert {path.name for path in options.out.iterdir()} == RESULTS
    assert outcome.counts.rows == len(SELLERS) == len(rows(outcome))
    assert outcome.exit_code == 0
    summary = read_json(options.out / "summary.json")
    assert summary["rows"] == len(SELLERS)
    assert summary["evidence"] == "synthetic world"
    assert len((options.out / "scores.jsonl").read_text().splitlines()) == len(SELLERS)


def test_csv_and_parquet_of_the_same_matrix_score_the_same(
    options: ScoreOptions, matrix_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "applicants.csv"
    invoice_matrix().to_pandas().to_csv(path, index=False)
    of_parquet = figures(score_command(matrix_file, options))
    assert figures(score_command(path, options)) == of_parquet


def test_scoring_again_writes_the_same_bytes(options: ScoreOptions, matrix_file: Path, tmp_path: Path) -> None:
    score_command(matrix_file, options)
    score_command(matrix_file, replace(options, out=tmp_path / "again"))
    for name in RESULTS:
        assert (options.out / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_named_sellers_score_as_their_matrix_does(options: ScoreOptions, matrix_file: Path, tmp_path: Path) -> None:
    publish_tables(options.place)
    expected = points(score_command(matrix_file, options))
    listed = identifiers(tmp_path / "ids.csv", *(f"{seller},{AS_OF}" for seller in reversed(SELLERS)))
    outcome = score_command(listed, options)
    assert [row["seller_id"] for row in rows(outcome)] == list(reversed(SELLERS))
    assert points(outcome) == expected


def test_every_scored_row_states_the_claims_of_its_passport(options: ScoreOptions, tmp_path: Path) -> None:
    publish_tables(options.place)
    listed = identifiers(tmp_path / "ids.csv", *(f"{seller},{AS_OF}" for seller in SELLERS[:3]), f"S404404,{AS_OF}")
    outcome = score_command(listed, replace(options, passport_count=None))
    stated = {row["score"]: json.loads(row["claims"]) for row in rows(outcome) if row["status"] != "refused"}
    passports = [json.loads(path.read_bytes())["credentialSubject"] for path in options.out.glob("passports/*.json")]
    assert len(passports) == len(stated) == 3
    for subject in passports:
        claims = stated[int(subject["assessment"]["score"])]
        assert claims == subject["claims"]
        assert all("usd" in amount for claim in claims for amount in claim["amounts"])
    assert rows(outcome)[3]["claims"] is None
    (first, *_) = (json.loads(line) for line in (options.out / "scores.jsonl").read_text().splitlines())
    assert first["claims"] == json.loads(rows(outcome)[0]["claims"])


def test_a_ready_matrix_and_a_run_without_reasons_state_no_claims(
    options: ScoreOptions, matrix_file: Path, tmp_path: Path
) -> None:
    assert {row["claims"] for row in rows(score_command(matrix_file, options))} == {None}
    publish_tables(options.place)
    listed = identifiers(tmp_path / "ids.csv", f"S000001,{AS_OF}")
    assert rows(score_command(listed, replace(options, with_reasons=False)))[0]["claims"] is None


def test_sellers_unknown_or_undated_are_refused_by_code_and_the_others_scored(
    options: ScoreOptions, tmp_path: Path
) -> None:
    publish_tables(options.place)
    listed = identifiers(tmp_path / "ids.csv", f"S000001,{AS_OF}", f"S404404,{AS_OF}", "S000002,", "S000003,2022-01-01")
    outcome = score_command(listed, options)
    codes = [row["codes"].split(";") for row in rows(outcome)]
    assert [one[0] for one in codes[1:]] == ["unknown_seller", "missing_as_of", "no_coverage"]
    assert dict(outcome.counts.by_status)["refused"] == 3
    assert outcome.exit_code == 0


def test_if_nobody_can_be_scored_the_exit_code_shows_it(options: ScoreOptions, tmp_path: Path) -> None:
    publish_tables(options.place)
    outcome = score_command(identifiers(tmp_path / "ids.csv", f"S404404,{AS_OF}"), options)
    assert outcome.exit_code == 1
    assert outcome.counts.rows == 1


def test_raw_exports_score_as_their_tables_do(options: ScoreOptions, matrix_file: Path, tmp_path: Path) -> None:
    folder = write_raw_invoices(tmp_path / "raw")
    outcome = score_command(folder, replace(options, as_of=AS_OF))
    assert points(outcome) == points(score_command(matrix_file, options))
    assert "in this folder only" in " ".join(outcome.notes)


def test_raw_exports_of_a_few_are_scored_among_the_sellers_known_already(
    options: ScoreOptions, matrix_file: Path, tmp_path: Path
) -> None:
    publish_tables(options.place)
    expected = points(score_command(matrix_file, options))
    folder = write_raw_invoices(tmp_path / "raw", SELLERS[:3])
    found = points(score_command(folder, replace(options, as_of=AS_OF)))
    assert found == {seller: expected[seller] for seller in SELLERS[:3]}


def test_withholding_a_file_never_improves_a_score(options: ScoreOptions, tmp_path: Path) -> None:
    dated = replace(options, as_of=AS_OF)
    whole = figures(score_command(write_raw_invoices(tmp_path / "whole", SELLERS[:6]), dated))
    folder = write_raw_invoices(tmp_path / "part", SELLERS[:6])
    lines = (folder / "deliveries.csv").read_text().splitlines(keepends=True)
    (folder / "deliveries.csv").write_text("".join(line for line in lines if "/purchase.csv" not in line))
    for seller, (_, _, score, _, _) in figures(score_command(folder, dated)).items():
        assert score <= whole[seller][2]


def test_raw_exports_need_a_date_and_at_least_one_seller(options: ScoreOptions, tmp_path: Path) -> None:
    folder = write_raw_invoices(tmp_path / "raw", SELLERS[:1])
    with pytest.raises(ConfigurationRefused, match="--as-of"):
        score_command(folder, options)
    empty = write_raw_invoices(tmp_path / "empty", ())
    with pytest.raises(InputRefused):
        score_command(empty, replace(options, as_of=AS_OF))


def test_identifiers_without_tables_are_refused_with_the_command_to_run(options: ScoreOptions, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationRefused, match="passport validate"):
        score_command(identifiers(tmp_path / "ids.csv", f"S000001,{AS_OF}"), options)


def test_a_model_of_another_feature_set_takes_no_identifiers(options: ScoreOptions, tmp_path: Path) -> None:
    publish_tables(options.place)
    other = invoice_meta().model_copy(update={"feature_set_digest": "ee" * 32})
    write_invoice_bundle(tmp_path / "other", other)
    with pytest.raises(ConfigurationRefused, match="another state of feature set"):
        score_command(
            identifiers(tmp_path / "ids.csv", f"S000001,{AS_OF}"), replace(options, bundle=tmp_path / "other")
        )


@pytest.mark.parametrize("name", ["model.json", "components/0.txt", "golden.json", "manifest.json", "manifest.sig"])
def test_a_tampered_bundle_is_refused(options: ScoreOptions, matrix_file: Path, name: str) -> None:
    assert options.bundle is not None
    path = options.bundle / name
    data = path.read_bytes()
    path.write_bytes(data[:20] + bytes([data[20] ^ 1]) + data[21:])
    with pytest.raises(IntegrityRefused) as caught:
        score_command(matrix_file, options)
    assert caught.value.exit_code == 2
    assert not options.out.exists()


def test_a_bundle_of_an_untrusted_issuer_is_refused(options: ScoreOptions, matrix_file: Path, tmp_path: Path) -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
    stranger = KeyRing(other, bytes(32), is_demonstration=True)
    for name, keys in (("own", KEYS), ("strangers", stranger)):
        (tmp_path / f"{name}.json").write_bytes(trust_file_for(keys, name, date(2024, 1, 1)))
    assert score_command(matrix_file, replace(options, trust=tmp_path / "own.json")).counts.scored == len(SELLERS)
    with pytest.raises(IntegrityRefused, match="unknown key"):
        score_command(matrix_file, replace(options, trust=tmp_path / "strangers.json", out=tmp_path / "other"))


@pytest.mark.parametrize(
    ("dates", "objection"),
    [
        ({"valid_until": date(2024, 7, 14)}, "not trusted to issue on 2024-07-15"),
        ({"valid_from": date(2024, 7, 16)}, "not trusted to issue on 2024-07-15"),
        ({"revoked_on": date(2024, 9, 1)}, "was revoked on 2024-09-01"),
    ],
)
def test_a_bundle_is_refused_outside_the_dates_of_its_signer_and_once_the_key_is_revoked(
    options: ScoreOptions, matrix_file: Path, tmp_path: Path, dates: dict[str, date], objection: str
) -> None:
    issuer = TrustedIssuer(did=KEYS.did, name="test", valid_from=date(2024, 1, 1), valid_until=None, revoked_on=None)
    trust = tmp_path / "trust.json"
    dated = replace(options, trust=trust, today=date(2024, 10, 1))
    trust.write_text(TrustList(issuers=(issuer.model_copy(update=dates),)).model_dump_json())
    with pytest.raises(IntegrityRefused, match=objection):
        score_command(matrix_file, dated)
    trust.write_text(TrustList(issuers=(issuer,)).model_dump_json())
    assert score_command(matrix_file, dated).counts.scored == len(SELLERS)


def test_passports_are_issued_on_request_and_verify(options: ScoreOptions, tmp_path: Path) -> None:
    publish_tables(options.place)
    listed = identifiers(tmp_path / "ids.csv", *(f"{seller},{AS_OF}" for seller in SELLERS[:4]), f"S404404,{AS_OF}")
    outcome = score_command(listed, replace(options, passport_count=None))
    assert outcome.passports == 4
    trust = tmp_path / "trust.json"
    trust.write_bytes(trust_file_for(KEYS, "test", date(2024, 1, 1)))
    files = sorted((options.out / "passports").glob("*.json"))
    assert len(files) == 4
    assert exit_code_of(verify_command(files, VerifyOptions(on=ISSUED_ON, trust=trust))) == 0
    told = json.loads(files[0].read_bytes())["credentialSubject"]
    assert told["data_coverage"][0]["source"] == "vat_invoices"
    assert told["model"]["feature_set"]["version"] == "1.0.0"
    assert "trade_invoice.parquet" in told["data_digests"]
    assert len(list((options.out / "passports").glob("*.html"))) == 8


def test_no_seller_is_named_in_what_is_shared(options: ScoreOptions, tmp_path: Path) -> None:
    publish_tables(options.place)
    listed = identifiers(tmp_path / "ids.csv", *(f"{seller},{AS_OF}" for seller in SELLERS[:4]))
    score_command(listed, replace(options, passport_count=None))
    for path in (options.out / "passports").iterdir():
        text = path.name + path.read_text(encoding="utf-8")
        assert not any(seller in text for seller in SELLERS)


def test_a_passport_without_reasons_is_a_contradiction(options: ScoreOptions, matrix_file: Path) -> None:
    with pytest.raises(ConfigurationRefused, match="reasons"):
        score_command(matrix_file, replace(options, with_reasons=False, passport_count=1))


def test_results_replace_results_and_nothing_else(options: ScoreOptions, matrix_file: Path) -> None:
    score_command(matrix_file, replace(options, passport_count=3))
    assert (options.out / "passports").is_dir()
    score_command(matrix_file, options)
    assert {path.name for path in options.out.iterdir()} == RESULTS
    shutil.rmtree(options.out)
    options.out.mkdir()
    (options.out / "thesis.txt").write_text("precious")
    with pytest.raises(ConfigurationRefused, match="thesis"):
        score_command(matrix_file, options)
    assert (options.out / "thesis.txt").read_text() == "precious"


def test_a_second_run_at_the_same_time_is_refused_with_the_reason(options: ScoreOptions, matrix_file: Path) -> None:
    with locked(options.out), pytest.raises(ConfigurationRefused, match="locked by another run"):
        score_command(matrix_file, options)


def test_a_registered_champion_is_found_by_its_address(options: ScoreOptions, matrix_file: Path) -> None:
    assert options.bundle is not None
    registry = registry_of(options.place, "seller-default")
    digest = score_command(matrix_file, options)
    trained = TrainingRecord(rows(digest)[0]["bundle_sha256"], {}, {})
    version = register_bundle(options.bundle, trained, {}, published.SERVED, registry)
    set_alias(registry, CHAMPION, version.version)
    promoted(options.place, "1", str(version.bundle_sha256))
    expected = figures(digest)
    for address in (None, "models:/seller-default@champion", "models:/seller-default/1"):
        outcome = score_command(matrix_file, replace(options, bundle=None, model=address))
        assert figures(outcome) == expected
        assert rows(outcome)[0]["model_version"] == "1"
    with pytest.raises(ConfigurationRefused, match="not in the registry"):
        score_command(matrix_file, replace(options, bundle=None, model="models:/seller-default@challenger"))
    with pytest.raises(ConfigurationRefused, match="give one of them"):
        score_command(matrix_file, replace(options, model="models:/seller-default/1"))


def test_without_a_registry_the_remedy_is_named(options: ScoreOptions, matrix_file: Path) -> None:
    with pytest.raises(ConfigurationRefused, match="register"):
        score_command(matrix_file, replace(options, bundle=None))


def test_the_stage_scores_the_latest_applicants_and_a_rerun_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.score.stage.load_keys", lambda *_, **__: KEYS)
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    (tmp_path / "keys" / "demo").mkdir(parents=True)
    demo = load_profile("demo")
    scoring = demo.scoring.model_copy(update={"issued_on": ISSUED_ON, "passport_count": 2})
    observations = demo.observations.model_copy(update={"last_as_of": AS_OF})
    profile = demo.model_copy(update={"scoring": scoring, "observations": observations})
    place = Place("demo", tmp_path / "artifacts")
    publish_tables(place)
    train, register = published.publish(place, "train"), published.publish(place, "register")
    promoted(place, "1", write_invoice_bundle(train / "bundle"))
    (register / "registration.json").write_text("{}")
    published.record(train, register)
    outcome = run(profile, place)
    scores = read_parquet(current_run(place, "score") / "passports.parquet")
    assert scores["seller_id"].to_pylist() == invoice_matrix()["seller_id"].to_pylist()
    assert outcome.record.rows_in == len(SELLERS)
    assert outcome.record.notes["passports"] == 2
    assert run(profile, place).was_current
    with locked(place.stage_dir("score")), pytest.raises(ConfigurationRefused, match="locked by another run"):
        run(profile, place)
    files = sorted((current_run(place, "score") / "passports").glob("*.json"))
    trust = tmp_path / "keys" / "demo" / "trust.json"
    assert exit_code_of(verify_command(files, VerifyOptions(on=ISSUED_ON, trust=trust))) == 0
    for path in files:
        claims = json.loads(path.read_bytes())["credentialSubject"]["claims"]
        assert {claim["claim"]: claim["grade"] for claim in claims}["sales"] == "single_source"


@pytest.mark.slow
def test_scoring_and_verifying_import_no_tracking_validation_graph_or_explanation_package() -> None:
    heavy = ("mlflow", "great_expectations", "shap", "networkx", "matplotlib")
    modules = "pipelines.score.command, pipelines.passports.verify"
    program = f"import sys, {modules}; print([m for m in {heavy!r} if m in sys.modules])"
    root = Path(__file__).resolve().parents[4]
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert found.stdout.strip() == "[]"


def test_progress_counts_applicants_and_passports(options: ScoreOptions, matrix_file: Path) -> None:
    recorder = Recorder()
    score_command(matrix_file, replace(options, passport_count=2), recorder)
    assert recorder.phases == [("applicants scored", len(SELLERS)), ("passports issued", 2)]
    assert recorder.is_complete
