"""The list of issued passports: what each says in one line, and where its page is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipelines.index.grades import grade_columns, grades_title
from pipelines.reports.rendering import LANGUAGES, Language, banners, page_texts, render_page
from pipelines.runs.publish import read_json
from pipelines.score_codes import code_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipelines.index.run_record import RunRecord

TEMPLATE = "passport_list.html.j2"
MOST_LISTED: Final = 200


@dataclass(frozen=True)
class PassportLine:
    """What the list says of one passport."""

    pseudonym: str
    as_of: str
    valid_until: str
    grade: str
    score: str
    probability: float
    warnings: int


def passport_lines(folder: Path) -> tuple[int, tuple[PassportLine, ...]]:
    """Return how many passports a folder holds, and a line for each of the first in the order of their pseudonyms."""
    files = sorted(folder.glob("*.json"))
    return len(files), tuple(_line(path) for path in files[:MOST_LISTED])


def _line(path: Path) -> PassportLine:
    subject = read_json(path)["credentialSubject"]
    assessment = subject["assessment"]
    return PassportLine(
        pseudonym=subject["pseudonym"],
        as_of=subject["as_of"],
        valid_until=subject["valid_until"],
        grade=assessment["grade"],
        score=assessment["score"],
        probability=float(assessment["probability_of_default"]),
        warnings=len(subject["warnings"]),
    )


def render_passport_list(run: RunRecord, lines: tuple[int, Sequence[PassportLine]], language: Language) -> str:
    """Return the page that lists the passports of a run; their pages are in the folder ``passports`` beside its own."""
    texts = page_texts(TEMPLATE.removesuffix(".html.j2"), language)
    issued, shown = lines
    context = {
        **banners(run.profile.evidence, texts, is_synthetic=run.profile.is_synthetic),
        "file_names": {other: f"passports.{other}.html" for other in LANGUAGES},
        "profile": run.profile,
        "version": (run.summary or {}).get("model_version"),
        "scores": run.scores,
        "codes": _codes(run, language),
        "grades": None if run.scores is None else grade_columns(run.scores.grades),
        "grades_title": None if run.scores is None else grades_title(run.scores.grades),
        "issued": issued,
        "lines": shown,
    }
    return render_page(TEMPLATE, language, context)


def _codes(run: RunRecord, language: Language) -> list[tuple[str, str, int]]:
    """Return codes with their titles and counts, over whatever features and columns they are about."""
    counts = (run.summary or {}).get("by_code", {})
    return [(code, code_in_words(code, "", language), count) for code, count in counts.items()]
