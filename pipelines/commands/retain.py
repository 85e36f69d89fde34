"""Command ``passport retain``: remove what has expired or been withdrawn from the runs of a profile.

Without ``--apply`` it only reports. With it, the runs are written again without the content, their manifests say what
was removed, and ``ledger/retention.jsonl`` (hash-chained and signed) records every run that was changed.

It covers the tables and set-aside rows of ``ingest`` and ``validate``, the comparisons, examples and pages of
``validate``, and of the runs that are no longer in force, the features and predictions of sellers who withdrew a
source. Raw files belong to the lender's archive, and passports state what was lawful on their day; neither is
touched.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from data_contracts.mapping.consent_states import consent_states
from models.registry.chained_log import ChainedEntry, ChainedLog
from models.registry.mlflow_client import DATABASE
from pipelines.commands.example_values import REPORT, cleaned_report
from pipelines.commands.expired_content import Cleaned, Limits, cleaned_records, cleaned_results, cleaned_table
from pipelines.runs.publish import locked, read_parquet
from pipelines.runs.removal import rewrite_run
from pipelines.runs.stages import CURRENT, MANIFEST, current_output, is_intact, read_manifest
from pipelines.runs.storage_faults import report_disk_faults
from pipelines.signing.ledgers import LEDGER_FOLDER, head_folders

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipelines.profiles import Profile
    from pipelines.runs.stages import Place
    from pipelines.signing.keys import KeyRing

    _Content = pa.Table | bytes | None

LOG_FILE: Final = "retention.jsonl"
_WITH_TABLES: Final = ("ingest", "validate")
_WITH_RESULTS: Final = ("features", "train")
SHOWN: Final = "page that shows what was removed"
_SET_ASIDE: Final = frozenset({"quarantine", "duplicates"})


class RemovedContent(ChainedEntry):
    """What was removed from one run: the day asked for, the run, and the counts by file and reason."""

    on: date
    run: str
    removed: dict[str, dict[str, int]]


@dataclass(frozen=True)
class RunRemoval:
    """What may no longer be kept of one run: counts by file and reason."""

    stage: str
    run_dir: Path
    removed: Mapping[str, Mapping[str, int]]

    @property
    def run(self) -> str:
        """Stage and name of the run."""
        return f"{self.stage}/{self.run_dir.name}"

    def lines(self) -> Iterator[str]:
        """Yield one line per file and reason."""
        for file, counts in sorted(self.removed.items()):
            for reason, count in sorted(counts.items()):
                yield f"{self.run}/{file}: {count:,} {reason}"


def retain(profile: Profile, place: Place, on: date, keys: KeyRing | None = None) -> list[RunRemoval]:
    """Find what may no longer be kept on a day in all runs of a profile, and remove it if keys are given.

    Args:
        profile: its settings say whether consent counts, and for what purpose.
        place: where its outputs are.
        on: the day.
        keys: keys that sign the record of what is removed; None only reports.

    Raises:
        ConfigurationRefused: nothing has been ingested, or a stage is running.
        IntegrityRefused: a run, or the record of earlier removals, was changed.
    """
    limits = Limits(on, _consents(profile, place, on))
    found = []
    for stage in (*_WITH_TABLES, *_WITH_RESULTS):
        folder = place.stage_dir(stage)
        with report_disk_faults(folder), locked(folder):
            for run_dir in _runs(place, stage):
                removal = _cleaned_run(stage, run_dir, limits, keys, place)
                if removal.removed:
                    found.append(removal)
    return found


def _consents(profile: Profile, place: Place, on: date) -> dict[tuple[str, str], Any]:
    consents = current_output(place, "ingest", "tables/consent.parquet")
    if profile.ingest.consent == "not_required" or not consents.is_file():
        return {}
    moment = datetime.combine(on + timedelta(days=1), time.min, UTC) - timedelta(microseconds=1)
    return dict(consent_states(read_parquet(consents), profile.ingest.consent_purpose, moment))


def _runs(place: Place, stage: str) -> list[Path]:
    """Return the runs of a stage to look into; results in force follow from tables that are looked into themselves."""
    folder = place.stage_dir(stage)
    runs = [path.parent for path in sorted(folder.glob(f"[!.]*/{MANIFEST}"))]
    pointer = folder / CURRENT
    current = pointer.read_text().strip() if pointer.is_file() else ""
    return [run for run in runs if stage in _WITH_TABLES or run.name != current]


def _cleaned_run(stage: str, run_dir: Path, limits: Limits, keys: KeyRing | None, place: Place) -> RunRemoval:
    if not is_intact(run_dir):
        raise IntegrityRefused(
            f"stored data refused: {run_dir} is not as it was published; "
            f"remedy: delete the folder, or make it again with passport {stage}"
        )
    removed: dict[str, Mapping[str, int]] = {}
    changed: dict[str, _Content] = {}
    for name, content, counts in _cleaned_files(stage, run_dir, limits):
        if counts:
            removed[name] = dict(counts)
            changed |= {name: content} if keys is not None else {}
    if REPORT in removed:
        for path in sorted(run_dir.glob("*.html")):
            removed[path.name], changed[path.name] = {SHOWN: 1}, None
    removal = RunRemoval(stage, run_dir, removed)
    if changed and keys is not None:
        # Recorded first: a run that is interrupted here is removed from again.
        _record(removal, limits.on, place, keys)
        rewrite_run(run_dir, changed, {"on": limits.on.isoformat(), "removed": removed})
    return removal


def _cleaned_files(stage: str, run_dir: Path, limits: Limits) -> Iterator[tuple[str, _Content, Mapping[str, int]]]:
    """Yield the files of a run by name, with what may be kept of them and what was taken out, by reason."""
    for path in sorted(run_dir.glob("*.parquet")):
        table = read_parquet(path)
        if limits.sellers and "seller_id" in table.column_names:
            yield path.name, *_parts(cleaned_results(table, limits))
    if stage in _WITH_TABLES:
        yield from _cleaned_tables(run_dir, limits)


def _cleaned_tables(run_dir: Path, limits: Limits) -> Iterator[tuple[str, _Content, Mapping[str, int]]]:
    recorded = _recorded(run_dir)
    of_parties = run_dir / "tables" / "party.parquet"
    parties = read_parquet(of_parties, ["party_id", "seller_id", "source"]) if of_parties.is_file() else None
    for path in sorted((run_dir / "tables").glob("*.parquet")):
        yield f"tables/{path.name}", *_parts(cleaned_table(path.stem, read_parquet(path), limits, parties))
    sellers_of = _sellers_of_files(run_dir) if limits.sellers else {}
    for kind in sorted(_SET_ASIDE):
        for path in sorted((run_dir / kind).glob("*.parquet")):
            yield f"{kind}/{path.name}", *_parts(cleaned_records(read_parquet(path), recorded, limits, sellers_of))
    if (run_dir / REPORT).is_file():
        yield (
            REPORT,
            *cleaned_report(run_dir, limits, lambda shown: cleaned_records(shown, recorded, limits, sellers_of)),
        )


def _parts(cleaned: Cleaned) -> tuple[pa.Table, Mapping[str, int]]:
    return cleaned.table, cleaned.removed


def _recorded(run_dir: Path) -> date:
    settings = read_manifest(run_dir)["settings"]
    try:
        return datetime.fromisoformat(str(settings["recorded_at"])).date()
    except (KeyError, ValueError) as error:
        raise IntegrityRefused(f"{run_dir / MANIFEST} does not say when the run was recorded") from error


def _sellers_of_files(run_dir: Path) -> dict[str, set[str]]:
    """Return the sellers that the accepted rows of each raw file name."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in sorted((run_dir / "tables").glob("*.parquet")):
        rows = read_parquet(path)
        if "seller_id" in rows.column_names:
            for pair in rows.group_by(["seller_id", "source_file"]).aggregate([]).to_pylist():
                found[str(pair["source_file"])].add(str(pair["seller_id"]))
    return dict(found)


def _record(removal: RunRemoval, on: date, place: Place, keys: KeyRing) -> None:
    folders = head_folders(place.profile_name, os.environ)
    log = ChainedLog(
        place.root / LEDGER_FOLDER / LOG_FILE, RemovedContent, "retention log", folders, place.root / DATABASE
    )
    removed = {file: dict(counts) for file, counts in removal.removed.items()}

    def made(_: tuple[RemovedContent, ...], sequence: int, previous_sha256: str) -> RemovedContent:
        return RemovedContent(
            sequence=sequence, previous_sha256=previous_sha256, on=on, run=removal.run, removed=removed
        )

    log.append(made, keys.signing_key)


def require_date(on: date | None) -> date:
    """Return the day asked for, or today; refuse a day to come, on which more could be kept than today is known."""
    today = datetime.now(UTC).date()
    if on is not None and on > today:
        raise ConfigurationRefused(f"--on {on} has not come yet", "name today or an earlier day")
    return on or today
