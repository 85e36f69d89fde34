"""The results of a finished run in a few lines for a terminal, where to look, and what to try next."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data_contracts.digest import sha256_file
from data_contracts.errors import InputRefused
from pipelines.index.index_page import INDEX_FILES
from pipelines.index.promotions import read_promotions
from pipelines.index.publish import PASSPORTS
from pipelines.index.readers import page_address
from pipelines.index.run_record import BUNDLE_MANIFEST
from pipelines.reports.lights import SCORE
from pipelines.runs.publish import read_json, read_parquet
from pipelines.runs.stages import CURRENT, current_output, outdated_inputs
from pipelines.score_rows import INTERVAL_LEVEL, REFUSED
from pipelines.signing.keys import TRUST_FILE, keys_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date
    from pathlib import Path

    from pipelines.profiles import Profile
    from pipelines.runs.stages import Place

SCORES = "passports.parquet"
MEASURES = {
    "auc": "AUC",
    "ks": "KS",
    "brier": "Brier score",
    "log_loss": "log loss",
    "calibration_slope": "calibration slope",
}
PROTOCOLS = {"out_of_time": "out of time", "repeated_cross_validation": "by repeated cross-validation"}


@dataclass(frozen=True)
class RunSummary:
    """A finished run.

    Attributes:
        figures: the champion's measures and the drift, in lines.
        places: the files and folders to look at, by what they are.
        commands: arguments of ``passport`` that work on this run, by what they do.
    """

    figures: tuple[str, ...]
    places: Mapping[str, Path]
    commands: Mapping[str, tuple[str, ...]]


def summarise(profile: Profile, profile_name: str, place: Place, environment: Mapping[str, str]) -> RunSummary:
    """Return the summary of a run.

    Args:
        profile: the profile that ran.
        profile_name: its name or TOML file, as a command takes it.
        place: where its outputs are.
        environment: names the folder of the keys.

    Raises:
        ConfigurationRefused: a stage has not run.
    """
    # First, so that the first stage that has not run is the one named.
    figures = tuple(_figures(profile, profile_name, place))
    trust = keys_folder(profile.name, environment) / TRUST_FILE
    scored = current_output(place, "score")
    return RunSummary(
        figures=figures,
        places=dict(_places(place, scored)),
        commands={
            "score a file of sellers": (
                *("score", str(scored / "scores.csv"), "--profile", profile_name, "--artifacts", str(place.out)),
                *("--out", "results", "--passports", "3"),
            ),
            **_about_passports(_passports(place, scored), trust, profile.scoring.issued_on),
            **_about_sellers(scored, ("--profile", profile_name, "--out", str(place.out))),
        },
    )


def _figures(profile: Profile, profile_name: str, place: Place) -> Iterator[str]:
    evaluation = read_json(current_output(place, "train", "evaluation.json"))["evaluation"]
    monitored = read_json(current_output(place, "monitor", "monitor.json"))
    yield f"{profile.title}; evidence: {profile.evidence}"
    apart = tuple(_disagreements(profile, profile_name, place))
    yield from apart or _tested(evaluation, read_json(current_output(place, "score", "summary.json"))["model_version"])
    # The model's own output is monitored too and is no variable.
    alerts = [name for name in monitored["alerts"] if name != SCORE]
    variables = [drift for drift in monitored["variables"] if drift["name"] != SCORE]
    yield f"Drift: {len(alerts)} of {len(variables)} variables have shifted"


def _disagreements(profile: Profile, profile_name: str, place: Place) -> Iterator[str]:
    """Yield what does not belong to one model, each with the command that makes it agree.

    Figures of one model beside passports of another would be read as if they belonged together.
    """
    options = f"--profile {shlex.quote(profile_name)} --out {shlex.quote(str(place.out))}"
    trained = sha256_file(current_output(place, "train", BUNDLE_MANIFEST))
    scored = read_json(current_output(place, "score", "summary.json"))
    champion = read_promotions(profile, place).champion(profile.model.name)
    of_scores = f"scores and passports are of version {scored['model_version']}"
    if champion is not None and champion.bundle_sha256 != scored["bundle_sha256"]:
        yield f"Not one model: {of_scores}, the champion is version {champion.version}: passport score {options}"
    if trained not in {scored["bundle_sha256"], None if champion is None else champion.bundle_sha256}:
        if read_json(current_output(place, "register", "registration.json"))["bundle_sha256"] != trained:
            remedy = f"passport register {options}, then passport score {options}"
        else:
            remedy = f"passport compare {options} lists the figures of each"
        yield f"Not one model: {of_scores}, and another model was trained last: {remedy}"
    if (place.stage_dir("explain") / CURRENT).is_file() and "train" in outdated_inputs(place, "explain"):
        yield f"Not one model: report and explanation are of an earlier training run: passport explain {options}"


def _tested(evaluation: Mapping[str, Any], version: str) -> Iterator[str]:
    sample, measures = evaluation["sample"], evaluation["models"][0]["measures"]
    yield (
        f"Champion, version {version}, tested {PROTOCOLS[evaluation['protocol']]} on {sample['rows']:,} observations "
        f"({sample['bad']:,} defaults) of {sample['sellers']:,} sellers:"
    )
    width = max(map(len, MEASURES.values()))
    for name, title in MEASURES.items():
        yield f"  {title:{width}}  {_estimate(measures[name])}"


def _estimate(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:.3f} (95 % CI {estimate['lower']:.3f} to {estimate['upper']:.3f})"


def _places(place: Place, scored: Path) -> Iterator[tuple[str, Path]]:
    """Yield what there is to look at: pages at their stable addresses, then the files of the score stage."""
    candidates = {
        "index of all pages": place.root / INDEX_FILES["en"],
        "model report": place.root / page_address("model", "en"),
        "explanation": place.root / page_address("explanation", "en"),
        "data report": place.root / page_address("data", "en"),
        "passports": _passports(place, scored),
        "scores": scored / "scores.csv",
    }
    yield from ((title, path) for title, path in candidates.items() if path.exists())


def _passports(place: Place, scored: Path) -> Path:
    """Return the stable address of the passports, or their run folder if the pages have not been written."""
    stable = place.root / PASSPORTS
    return stable if stable.is_dir() else scored / PASSPORTS


def _about_passports(passports: Path, trust: Path, issued_on: date) -> dict[str, tuple[str, ...]]:
    passport = min(passports.glob("*.json"), default=None)
    if passport is None or not trust.is_file():
        return {}
    arguments = ("verify", str(passport), "--trust", str(trust), "--on", issued_on.isoformat())
    return {"verify a passport": arguments}


def _about_sellers(scored: Path, options: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    rows = read_parquet(scored / SCORES, ["seller_id", "status"]).to_pylist()
    seller = next((str(row["seller_id"]) for row in rows if row["status"] != REFUSED), None)
    return {} if seller is None else {"show a seller": ("show", seller, *options)}


def describe_seller(place: Place, seller: str) -> str:
    """Return a seller's score, probability of default, and the reasons that add up to the score.

    Raises:
        InputRefused: the seller was not scored.
    """
    scores = current_output(place, "score", SCORES)
    rows = [row for row in read_parquet(scores).to_pylist() if row["seller_id"] == seller]
    if not rows:
        raise InputRefused(
            file=str(scores), rule=f"seller {seller!r} was not scored", remedy="score an applicant file that names it"
        )
    return "\n".join(_described(row) for row in rows)


def _described(row: dict[str, Any]) -> str:
    head = f"{row['seller_id']} as of {row['as_of']}: {row['status']} {row['codes']}".rstrip()
    if row["score"] is None:
        return head
    lines = [
        head,
        f"  score {row['score']}, grade {row['grade']}, probability of default {_probability(row)}",
        f"  {row['base_points']:+5d}  base",
    ]
    if row["reasons"] is not None:
        reasons = json.loads(row["reasons"])
        lines += [f"  {reason['points']:+5d}  {reason['en']}" for reason in (*reasons["for"], *reasons["against"])]
        lines.append(f"  {reasons['all_others']:+5d}  all others")
    return "\n".join(lines)


def _probability(row: dict[str, Any]) -> str:
    value = f"{row['probability_of_default']:.4f}"
    if row["pd_lower"] is None:
        return value
    return f"{value} ({INTERVAL_LEVEL:.0%} CI {row['pd_lower']:.4f} to {row['pd_upper']:.4f})".replace("%", " %")
