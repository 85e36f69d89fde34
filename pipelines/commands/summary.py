"""What a finished run holds, in a few lines for a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from data_contracts.errors import InputRefused
from pipelines.runs.publish import read_json, read_parquet
from pipelines.runs.stages import current_output

if TYPE_CHECKING:
    from pipelines.profiles import Profile
    from pipelines.runs.stages import Place

SCORES = "passports.parquet"
MEASURES = ("auc", "ks", "brier", "log_loss", "calibration_slope")


def describe_run(profile: Profile, place: Place) -> str:
    """The champion's figures with their intervals, the alerts, and where each page is."""
    evaluation = read_json(current_output(place, "train", "evaluation.json"))["evaluation"]
    measures = evaluation["models"][0]["measures"]
    sample = evaluation["sample"]
    alerts = read_json(current_output(place, "monitor", "monitor.json"))["alerts"]
    lines = [
        f"{profile.title}{' (synthetic)' if profile.is_synthetic else ''}: evidence: {profile.evidence}",
        (
            f"tested on {sample['rows']:,} observations of {sample['sellers']:,} sellers, {sample['bad']:,} bad"
            f" ({evaluation['protocol'].replace('_', ' ')})"
        ),
        *(f"  {name.replace('_', ' ')}: {_figure(measures[name])}" for name in MEASURES),
        f"drift alerts: {_first(alerts)}",
        "pages:",
    ]
    for stage in ("validate", "explain"):
        lines += [f"  {page}" for page in sorted(current_output(place, stage).glob("*.html"))]
    lines.append(f"passports: {current_output(place, 'score', 'passports')}")
    return "\n".join(lines)


def describe_seller(place: Place, seller: str) -> str:
    """A scored seller's result: score, probability of default, and the reasons that add up to the score.

    Raises:
        InputRefused: the seller is not among those scored.
    """
    scores = current_output(place, "score", SCORES)
    rows = [row for row in read_parquet(scores).to_pylist() if row["seller_id"] == seller]
    if not rows:
        raise InputRefused(
            file=str(scores), rule=f"seller {seller!r} was not scored", remedy="score an applicant file that names it"
        )
    return "\n".join(_described(row) for row in rows)


def _first(names: list[str], shown: int = 5) -> str:
    more = f" and {len(names) - shown} more (monitor.json)" if len(names) > shown else ""
    return (", ".join(names[:shown]) or "none") + more


def _figure(estimate: dict[str, Any]) -> str:
    return f"{estimate['value']:.4f} ({estimate['lower']:.4f} to {estimate['upper']:.4f})"


def _described(row: dict[str, Any]) -> str:
    head = f"{row['seller_id']} as of {row['as_of']}: {row['status']} {row['codes']}".rstrip()
    if row["score"] is None:
        return head
    lines = [
        f"{head}; score {row['score']}, grade {row['grade']}, PD {row['probability_of_default']:.4f}",
        f"  {row['base_points']:+5d}  base",
    ]
    if row["reasons"] is not None:
        reasons = json.loads(row["reasons"])
        lines += [f"  {reason['points']:+5d}  {reason['code']}" for reason in (*reasons["for"], *reasons["against"])]
        lines.append(f"  {reasons['all_others']:+5d}  all others")
    return "\n".join(lines)
