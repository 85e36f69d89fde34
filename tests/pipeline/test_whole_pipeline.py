"""The whole pipeline on the small synthetic world, from raw files to verified passports."""

from __future__ import annotations

import csv
import importlib
import json
from collections import Counter
from datetime import date

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from models.registry.promotion_ledger import Ledger
from pipelines.passports.verify import VerifyOptions, verify_command
from pipelines.signing.did_key import public_key_of
from pipelines.signing.keys import read_trust_file
from tests.factories.small_run import STAGES, FinishedRun


def test_every_stage_loses_no_row(small_run: FinishedRun) -> None:
    for stage in STAGES:
        record = small_run.record(stage)
        assert record.rows_in == record.rows_kept + sum(record.set_aside.values()), stage
        assert record.rows_in > 0, stage


def test_every_raw_line_of_delimited_files_is_accounted_for(small_run: FinishedRun) -> None:
    raw = small_run.at("world") / "raw"
    row_counts = json.loads((small_run.at("ingest") / "row_counts.json").read_text())
    counted = {entry["file"]: entry["rows_in"] for entry in row_counts["files"]}
    withheld = {entry["file"] for entry in row_counts["withheld_files"]}
    checked = 0
    for path in raw.rglob("*"):
        name = path.relative_to(raw).as_posix()
        if path.suffix not in {".txt", ".csv"} or name in {"deliveries.csv", *withheld}:
            continue
        is_bank = name.startswith("china_bank_statement/")
        with path.open(encoding="gb18030" if is_bank else "utf-8-sig", newline="") as file:
            lines = (
                sum(1 for line in file if line.strip())
                if path.suffix == ".txt"
                else sum(1 for row in csv.reader(file) if row)
            )
        # Above the heading, a bank names its form and the account.
        assert counted[name] == lines - (3 if is_bank else 1), name
        checked += 1
    assert checked > 500


def test_sources_of_most_sellers_agree_and_passports_state_the_claims(small_run: FinishedRun) -> None:
    rows = pd.read_parquet(small_run.at("validate") / "reconciliation.parquet")
    graded = rows.drop_duplicates(["seller_id", "quarter_end", "claim"])
    for claim in ("sales", "cost_of_goods"):
        grades = Counter(graded.loc[graded["claim"] == claim, "grade"])
        assert grades["corroborated"] + grades["not_contradicted"] > 9 * grades["contradicted"] > 0, claim
    passports = [json.loads(path.read_bytes()) for path in (small_run.at("score") / "passports").glob("*.json")]
    stated = [passport["credentialSubject"]["claims"] for passport in passports]
    assert passports
    assert all({claim["claim"] for claim in claims} >= {"sales", "cost_of_goods"} for claims in stated)


def test_goods_declared_too_high_are_contradicted_more_often_than_those_of_others(small_run: FinishedRun) -> None:
    cases = pd.read_csv(small_run.at("world") / "truth" / "lies.csv", parse_dates=["from", "to"])
    fraudsters = cases[cases["kind"] == "over_declaration"]
    rows = pd.read_parquet(small_run.at("validate") / "reconciliation.parquet")
    goods = rows[(rows["claim"] == "cost_of_goods") & rows["verdict"].isin(["agrees", "compatible", "below", "above"])]
    goods = goods[goods["source"] == "customs"].assign(end=pd.to_datetime(goods["quarter_end"]))
    seen = goods.merge(fraudsters, on="seller_id")
    seen = seen[(seen["from"] + pd.Timedelta(days=90) <= seen["end"]) & ~(seen["to"] < seen["end"])]
    others = goods[~goods["seller_id"].isin(set(fraudsters["seller_id"]))]
    assert len(seen) > 5
    assert (seen["verdict"] == "above").mean() > 5 * (others["verdict"] == "above").mean()


def test_planted_defects_are_set_aside_with_reasons(small_run: FinishedRun) -> None:
    reasons = small_run.record("ingest").set_aside
    assert sum(reasons.values()) > 0
    assert len(reasons) >= 2


def test_the_truth_of_the_world_is_never_read(small_run: FinishedRun) -> None:
    inputs = json.loads((small_run.at("ingest") / "manifest.json").read_text())["inputs"]
    assert not any("truth" in name for name in inputs)
    assert (small_run.at("world") / "truth" / "sellers.csv").is_file()


def test_the_model_ranks_better_than_chance_out_of_time(small_run: FinishedRun) -> None:
    evaluation = json.loads((small_run.at("train") / "evaluation.json").read_text())["evaluation"]
    champion = evaluation["models"][0]["measures"]["auc"]
    assert champion["lower"] > 0.5


def test_no_component_is_on_both_sides_of_the_split_and_no_window_overlaps(small_run: FinishedRun) -> None:
    trained = pq.read_table(small_run.at("train") / "out_of_fold.parquet").to_pandas()
    tested = pq.read_table(small_run.at("train") / "holdout.parquet").to_pandas()
    assert not set(trained["component_id"]) & set(tested["component_id"])
    gap = pd.Timestamp(tested["as_of"].min()) - pd.Timestamp(trained["as_of"].max())
    assert gap >= pd.Timedelta(days=365)


def test_points_of_every_scored_row_add_up_to_the_score(small_run: FinishedRun) -> None:
    rows = pq.read_table(small_run.at("score") / "passports.parquet").to_pandas()
    scored = rows[rows["status"] != "refused"]
    assert len(scored) > 50
    for row in scored.itertuples():
        reasons = json.loads(row.reasons)
        named = [entry["points"] for entry in (*reasons["for"], *reasons["against"])]
        assert row.base_points + sum(named) + reasons["all_others"] == row.score
        assert row.base_points + sum(json.loads(row.pillar_points).values()) == row.score
        assert all(entry["points"] > 0 for entry in reasons["for"])
        assert all(entry["points"] < 0 for entry in reasons["against"])
        assert max(len(reasons["for"]), len(reasons["against"])) <= 4


def test_every_applicant_comes_out_once(small_run: FinishedRun) -> None:
    rows = pq.read_table(small_run.at("score") / "passports.parquet").to_pandas()
    matrix = pq.read_table(small_run.at("features") / "matrix.parquet", columns=["seller_id", "as_of"]).to_pandas()
    latest = matrix[matrix["as_of"] == small_run.profile.observations.last_as_of]
    assert Counter(rows["seller_id"]) == Counter(latest["seller_id"])
    lines = (small_run.at("score") / "scores.jsonl").read_text().splitlines()
    assert len(lines) == len(rows)


def test_higher_scores_mean_lower_probability_of_default(small_run: FinishedRun) -> None:
    rows = pq.read_table(small_run.at("score") / "passports.parquet").to_pandas().dropna(subset=["score"])
    ordered = rows.sort_values("score")["probability_of_default"].to_numpy()
    # Points are whole numbers, so neighbours may tie within half a point.
    assert np.all(np.diff(ordered) <= 1e-3 + 0.02 * ordered[:-1])


def test_issued_passports_verify_against_the_trust_file_and_say_synthetic(small_run: FinishedRun) -> None:
    files = sorted((small_run.at("score") / "passports").glob("*.json"))
    assert len(files) == small_run.profile.scoring.passport_count
    outcomes = verify_command(files, VerifyOptions(trust=small_run.trust, on=date(2025, 2, 1)))
    assert {outcome.code for outcome in outcomes} == {"ok"}
    for file in files:
        assert json.loads(file.read_bytes())["credentialSubject"]["evidence"] == "synthetic world"
        assert "Synthetic" in file.with_suffix(".en.html").read_text(encoding="utf-8")


def test_pages_are_small_whole_and_say_synthetic_in_both_languages(small_run: FinishedRun) -> None:
    pages = [*small_run.at("explain").glob("*.html"), *small_run.at("validate").glob("*.html")]
    assert len(pages) >= 6
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert page.stat().st_size < 5_000_000
        assert "<script" not in text
        assert ("Synthetic" in text) if page.name.endswith(".en.html") else ("合成" in text)


def test_the_champion_is_registered_and_its_promotion_is_in_the_ledger(small_run: FinishedRun) -> None:
    registration = json.loads((small_run.at("register") / "registration.json").read_text())
    assert all(gate["passed"] for gate in registration["gates"])
    (issuer,) = read_trust_file(small_run.trust).issuers
    (decision,) = Ledger(small_run.place.root / "ledger").read(public_key_of(issuer.did))
    assert decision.outcome == "promoted"
    assert decision.bundle_sha256 == registration["bundle_sha256"] == registration["champion"]["bundle_sha256"]


def test_a_second_pass_runs_no_stage_again(small_run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS_DIR", str(small_run.keys))
    for stage in STAGES:
        module = importlib.import_module(f"pipelines.{stage}.stage")
        before = small_run.at(stage)
        outcome = module.run(small_run.profile, small_run.place)
        assert outcome.was_current, stage
        assert outcome.run_dir == before == small_run.at(stage), stage
