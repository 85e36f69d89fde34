"""A whole run published as its stages would, small enough to be made anew for each test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from pipelines.profiles import Profile, load_profile
from pipelines.reports.passport_page import render_passport_page
from pipelines.reports.rendering import LANGUAGES, WAY_BACK
from pipelines.runs.publish import atomic_write_bytes, write_json, write_parquet
from pipelines.runs.stages import CURRENT, Place, write_manifest
from tests.factories.passports import passport_json
from tests.factories.run_documents import evaluation, monitor, registration, validation, watch

if TYPE_CHECKING:
    from collections.abc import Mapping

ALL_STAGES: Final = (
    "world",
    "ingest",
    "validate",
    "features",
    "train",
    "explain",
    "register",
    "score",
    "watch",
    "monitor",
)
CONTRADICTED: Final = '[{"claim":"sales","grade":"contradicted"}]'
_NOTES: Final[Mapping[str, Mapping[str, Any]]] = {
    "validate": {"rules": 10, "rules_failed": 0, "rules_not_validated": 0, "rules_without_values": 1, "gate": "open"},
    "features": {"features": 96, "sellers": 40},
    "score": {"passports": 1},
    "watch": {"alerts": 2, "loans_with_alerts": 1},
    "monitor": {"alerts": 0},
}


def synthetic_profile() -> Profile:
    """Return the profile of the published run."""
    return load_profile("small")


def publish_run(
    folder: Path, stages: tuple[str, ...] = ALL_STAGES, documents: Mapping[str, Mapping[str, Any]] | None = None
) -> Place:
    """Publish some stages of a run in which every light is in order.

    Args:
        folder: of the outputs of all profiles.
        stages: those that have run.
        documents: documents to put in place of the usual ones, by stage.
    """
    place = Place(synthetic_profile().name, folder)
    given = {"validate": validation(), "register": registration(), "monitor": monitor(), "watch": watch()}
    given["train"] = {"evaluation": evaluation()}
    given["explain"] = {"features": [{"name": "x0", "title_en": "First feature", "title_zh": "第一变量"}]}
    given["score"] = {"by_status": {"scored": 3, "refused": 1}, "by_code": {"no_coverage": 1}}
    given.update(documents or {})
    for stage in stages:
        run = place.stage_dir(stage) / "run1"
        run.mkdir(parents=True)
        _write_files(stage, run, given.get(stage))
        record = {"rows_in": 10, "rows_kept": 8, "set_aside": {"repeated row": 2}, "notes": dict(_NOTES.get(stage, {}))}
        write_manifest(run, {"record": record, "seconds": 61.4 if stage == "ingest" else 2.25})
        atomic_write_bytes(place.stage_dir(stage) / CURRENT, b"run1\n")
    return place


_DOCUMENTS: Final = {
    "validate": "validation.json",
    "train": "evaluation.json",
    "explain": "explanation.json",
    "register": "registration.json",
    "score": "summary.json",
    "monitor": "monitor.json",
    "watch": "watch.json",
}
_PAGES: Final = {"validate": ("data",), "explain": ("model", "explanation")}


def _write_files(stage: str, run: Path, document: Mapping[str, Any] | None) -> None:
    if stage in _DOCUMENTS and document is not None:
        write_json(run / _DOCUMENTS[stage], dict(document))
    for page in _PAGES.get(stage, ()):
        for language in LANGUAGES:
            text = f'<p>{WAY_BACK}</p><a href="./{page}.{language}.html">{page}</a>'
            atomic_write_bytes(run / f"{page}.{language}.html", text.encode())
    if stage == "score":
        _write_scores(run)


def _write_scores(run: Path) -> None:
    columns = {
        "seller_id": ["S1", "S2", "S3", "S4"],
        "status": pa.array(["scored", "scored", "scored", "refused"]).dictionary_encode(),
        "grade": pa.array(["A3", "B1", "B1", None]).dictionary_encode(),
        "probability_of_default": [0.010, 0.016, 0.018, None],
        "claims": [None, CONTRADICTED, "[]", None],
    }
    write_parquet(run / "passports.parquet", pa.table(columns))
    passport = passport_json()
    name = passport["credentialSubject"]["pseudonym"]
    write_json(run / "passports" / f"{name}.json", passport)
    for language in LANGUAGES:
        path = run / "passports" / f"{name}.{language}.html"
        atomic_write_bytes(path, render_passport_page(passport, language).encode())
    (run / "scores.csv").write_text("applicant_id,score\n")
