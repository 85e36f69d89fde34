"""Stage: simulate the synthetic seller world of a profile and write its raw files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from data_contracts.errors import ConfigurationRefused
from data_contracts.progress import SILENT
from pipelines.runs.stages import GROUND, Place, StageInputs, StageOutcome, StageRecord, run_stage
from simulator.writing import write_world

if TYPE_CHECKING:
    from pathlib import Path

    from data_contracts.progress import Progress
    from pipelines.profiles import Profile


CODE: Final = ("data_contracts", "simulator", "pipelines/world", *GROUND)


def run(profile: Profile, place: Place, progress: Progress = SILENT) -> StageOutcome:
    """Simulate and write ``raw/`` (what the pipeline reads) and ``truth/`` (what it never reads)."""
    settings = profile.world
    if settings is None:
        raise ConfigurationRefused(
            f"profile '{profile.name}' has no [world]", "it reads real files: start with `passport ingest`"
        )

    def work(folder: Path) -> StageRecord:
        record = write_world(settings, folder, os.cpu_count() or 1, progress)
        rows = sum(record.rows.values())
        return StageRecord(rows_in=rows, rows_kept=rows, notes=dict(record.rows))

    return run_stage("world", place, StageInputs({}, settings, CODE), work)
