"""Where the rows of a run went: one station a stage, with what it kept, what it set aside and how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.reports.lights import SCORE
from pipelines.reports.rendering import whole
from pipelines.runs.stages import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.index.run_record import RunRecord, StageRun
    from pipelines.reports.rendering import Texts
    from pipelines.runs.stages import StageRecord

REASONS_SHOWN = 4
QUARANTINED = "quarantined by "


@dataclass(frozen=True)
class Reason:
    """Why rows were set aside: in words, or by the code of the rule where the page has no words for it."""

    words: str
    code: str


@dataclass(frozen=True)
class Station:
    """A stage on the way of the rows: its figure, the key of the words below the figure, and its seconds.

    ``state`` is "done", "absent" (has not run) or "damaged" (its files are not as they were written); ``manifest`` is
    the address of its manifest, relative to the profile's folder.
    """

    stage: str
    state: str
    figure: str = ""
    key: str = ""
    values: Mapping[str, str] | None = None
    seconds: float | None = None
    manifest: str | None = None


def stations_of(run: RunRecord) -> tuple[Station, ...]:
    """Return a station for each stage of the profile, in order."""
    return tuple(_station(stage, run) for stage in run.stages)


def _station(stage: StageRun, run: RunRecord) -> Station:
    if stage.folder is None:
        return Station(stage.stage, "absent")
    if stage.record is None:
        return Station(stage.stage, "damaged")
    figure, values = _figures(stage.stage, stage.record, run)
    manifest = (stage.folder / MANIFEST).relative_to(run.root).as_posix()
    return Station(stage.stage, "done", figure, f"flow_{stage.stage}", values, stage.seconds, manifest)


def _figures(stage: str, record: StageRecord, run: RunRecord) -> tuple[str, dict[str, str]]:
    """Return the large figure of a stage and the values of the words below it."""
    set_aside = {"set_aside": whole(sum(record.set_aside.values())), "rows": whole(record.rows_in)}
    notes = record.notes
    if stage == "validate":
        unjudged = int(notes["rules_without_values"])
        judged = int(notes["rules"]) - unjudged
        passed = judged - int(notes["rules_failed"]) - int(notes["rules_not_validated"])
        return whole(passed), {**set_aside, "judged": whole(judged), "unjudged": whole(unjudged)}
    if stage == "features":
        return str(notes["features"]), {**set_aside, "sellers": whole(float(notes["sellers"]))}
    if stage == "register":
        return whole(record.rows_kept), {"gates": whole(record.rows_in)}
    if stage == "score":
        return whole(record.rows_kept), {**set_aside, "passports": whole(float(notes["passports"]))}
    if stage == "monitor":
        features = [one for one in (run.monitor or {"variables": ()})["variables"] if one["name"] != SCORE]
        return whole(sum(one["alert"] for one in features)), {"variables": whole(len(features))}
    return whole(record.rows_kept), {**set_aside, "alerts": whole(float(notes.get("alerts", 0)))}


def reasons_set_aside(record: StageRecord, texts: Texts) -> list[tuple[Reason, int]]:
    """Return the most frequent reasons for which the ingest set rows aside, most rows first.

    Args:
        record: of the stage.
        texts: of the validation report, which has words for repeated rows.
    """
    most = sorted(((reason, rows) for reason, rows in record.set_aside.items() if rows), key=lambda one: -one[1])
    return [(_reason(reason, texts), rows) for reason, rows in most[:REASONS_SHOWN]]


def _reason(reason: str, texts: Texts) -> Reason:
    words = texts.of_code("duplicate", reason)
    return Reason("", reason.removeprefix(QUARANTINED)) if words == reason else Reason(words, "")
