"""Write the pages of a run to addresses that do not change: ``index.html``, ``reports/`` and ``passports``.

The pages of the stages are copied out of their run folders, so that the profile's folder can be moved or zipped and
every link still leads somewhere. The pages over the whole run are written here and not by a stage: the ledger changes
between runs of its stage, and a changed sentence is no reason to register or to compare again.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final

from data_contracts.errors import (
    ConfigurationRefused,
    IntegrityRefused,
)
from pipelines.index.health_page import render_health_page
from pipelines.index.index_page import INDEX_FILES, render_index_page
from pipelines.index.passport_list import passport_lines, render_passport_list
from pipelines.index.promotion_page import render_promotion_page
from pipelines.index.readers import page_address
from pipelines.index.run_record import read_run
from pipelines.index.watch_page import render_watch_page
from pipelines.reports.rendering import LANGUAGES, page_texts, with_way_back
from pipelines.runs.publish import atomic_write_bytes
from pipelines.runs.stages import current_output
from pipelines.runs.storage_faults import report_disk_faults

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.index.run_record import RunRecord
    from pipelines.profiles import Profile
    from pipelines.reports.rendering import Language
    from pipelines.runs.stages import Place

STAGE_OF_PAGE: Final = {"data": "validate", "model": "explain", "explanation": "explain"}
RUN_PAGES: Final = ("promotion", "health", "watch", "passports")
PASSPORTS: Final = "passports"


def write_pages(profile: Profile, place: Place) -> Path:
    """Write the index page and every page it links to, as the run in force has them; return the index page.

    A page whose stage has not run, or whose files are not as they were written, is taken away.
    """
    with report_disk_faults(place.root):
        run = read_run(profile, place)
        _point_to_passports(run)
        written: dict[Language, dict[str, str]] = {}
        for language in LANGUAGES:
            written[language] = {**_stage_pages(place, language), **_run_pages(run, language)}
        for language in LANGUAGES:
            for page in (*STAGE_OF_PAGE, *RUN_PAGES):
                _keep(run, page, language, written[language].get(page))
            index = render_index_page(run, written[language], language)
            _write(place.root / INDEX_FILES[language], index)
    return place.root / INDEX_FILES["en"]


def _stage_pages(place: Place, language: Language) -> dict[str, str]:
    """Return the pages that stages have published, by name."""
    pages = {}
    for page, stage in STAGE_OF_PAGE.items():
        try:
            path = current_output(place, stage, f"{page}.{language}.html")
        except (ConfigurationRefused, IntegrityRefused):
            continue
        if path.is_file():
            pages[page] = path.read_text(encoding="utf-8")
    return pages


def _run_pages(run: RunRecord, language: Language) -> dict[str, str]:
    """Return the pages over the whole run that there is something to say on, by name."""
    pages = {}
    if run.registration is not None:
        pages["promotion"] = render_promotion_page(run, language)
    if run.monitor is not None:
        pages["health"] = render_health_page(run, language)
    if run.watch is not None and run.watch["book"] is not None:
        pages["watch"] = render_watch_page(run, language)
    if run.scores is not None:
        pages["passports"] = render_passport_list(run, passport_lines(run.root / PASSPORTS), language)
    return pages


def _keep(run: RunRecord, page: str, language: Language, text: str | None) -> None:
    """Write a page with its way back to the index, or take it away where there is none."""
    path = run.root / page_address(page, language)
    if text is None:
        path.unlink(missing_ok=True)
        return
    words = page_texts("index_page", language)("way_back", profile=run.profile.name)
    _write(path, with_way_back(text, f"../{INDEX_FILES[language]}", words))


def _write(path: Path, text: str) -> None:
    data = text.encode()
    if not path.is_file() or path.read_bytes() != data:
        atomic_write_bytes(path, data)


def _point_to_passports(run: RunRecord) -> None:
    """Let the folder ``passports`` be a relative link to those of the run in force, swapped in one step."""
    link, score = run.root / PASSPORTS, run.stage("score")
    _remove_copied(link)
    folder = None if score is None or score.record is None or score.folder is None else score.folder / PASSPORTS
    if folder is None or not folder.is_dir():
        link.unlink(missing_ok=True)
        return
    target = folder.relative_to(run.root)
    if link.is_symlink() and link.readlink() == target:
        return
    draft = link.with_name(f".{PASSPORTS}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target, target_is_directory=True)
    draft.replace(link)


def _remove_copied(link: Path) -> None:
    """Remove the folder that copying or unpacking a profile's folder has made of the link to the passports.

    Raises:
        ConfigurationRefused: it holds something else than passports.
    """
    if link.is_symlink() or not link.is_dir():
        return
    if any(path.suffix not in {".json", ".html"} for path in link.iterdir()):
        raise ConfigurationRefused(f"{link} holds other files than passports", "move them away")
    shutil.rmtree(link)
