"""The commands that run one stage each, in the order in which the data passes through them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.command_line.options import (
    DEFAULT_OUT,
    AccountOption,
    DateOrderOption,
    DeliveredAtOption,
    FromOption,
    OutOption,
    ProfileOption,
    SellerOption,
    ToOption,
    terms_of,
)
from pipelines.command_line.terminal import Terminal, stage_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.runs.stages import StageOutcome


def run_stage_of(profile_name: str, out: Path, stage: str, terminal: Terminal, **stated: object) -> StageOutcome:
    """Run a stage of a profile, and report it in one line; return its outcome.

    Args:
        profile_name: name of a built-in profile, or a TOML file.
        out: folder that holds the outputs of all profiles.
        stage: name of the stage, which is also its folder under ``pipelines``.
        terminal: where progress and the line go.
        stated: what the command states to this stage alone.
    """
    import importlib

    from pipelines.index.refresh import refreshed_pages
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place

    profile = load_profile(profile_name)
    place = Place(profile.name, out)
    run: Callable[..., StageOutcome] = importlib.import_module(f"pipelines.{stage}.stage").run
    started = time.perf_counter()
    with refreshed_pages(profile, place), terminal.progress(stage) as progress:
        outcome = run(profile, place, progress, **stated)
    line, details = stage_lines(stage, outcome, time.perf_counter() - started)
    terminal.say(line)
    terminal.detail("\n".join(details))
    return outcome


def world(context: typer.Context, profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Simulate the synthetic sellers of a profile and write their raw files."""
    run_stage_of(profile, out, "world", context.obj)


def ingest(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files, folders, ZIP or gzip archives to read (default: the raw folder of the profile)."),
    ] = None,
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
    *,
    seller: SellerOption = None,
    account: AccountOption = None,
    period_from: FromOption = None,
    period_to: ToOption = None,
    delivered_at: DeliveredAtOption = None,
    date_order: DateOrderOption = None,
) -> None:
    """Read raw files into canonical tables; set aside the rows that break a contract.

    Without PATHS, run the stage on the raw folder of the profile. With PATHS, recognise each file by its content and
    write the result to OUT/adhoc/ingest; the options below state what the files themselves do not.

    Example: passport ingest exports/ --seller S-1042 --from 2024-01-01 --to 2024-12-31 --delivered-at 2025-01-10
    """
    terminal: Terminal = context.obj
    if not paths:
        run_stage_of(profile, out, "ingest", terminal)
        return
    from data_contracts.errors import QuarantineLimitExceeded
    from pipelines.ingest.command import ADHOC, Reader, file_lines, ingest_paths
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place, current_output
    from pipelines.signing.keys import load_keys

    chosen = load_profile(profile)
    keys = load_keys(chosen.name, is_demonstration=chosen.is_demonstration, environment=os.environ)
    terms = terms_of(seller, account, period_from, period_to, delivered_at, date_order=date_order)
    started = time.perf_counter()
    try:
        with terminal.progress("ingest") as progress:
            outcome = ingest_paths(paths, terms, Reader(chosen.ingest, keys, progress), out)
    except QuarantineLimitExceeded:
        terminal.say("\n".join(file_lines(current_output(Place(ADHOC, out), "ingest"))))
        raise
    terminal.say("\n".join(file_lines(outcome.run_dir)))
    line, _ = stage_lines("ingest", outcome, time.perf_counter() - started)
    terminal.say(f"{line} -> {outcome.run_dir}")


def validate(context: typer.Context, profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Check canonical tables against their contracts and write the validation report."""
    run_stage_of(profile, out, "validate", context.obj)


def train(context: typer.Context, profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Train, calibrate and evaluate the default model; write the signed bundle."""
    outcome = run_stage_of(profile, out, "train", context.obj)
    # Loaded after the stage: none of it belongs to the code that a training run depends on.
    from pipelines.profiles import load_profile
    from pipelines.register.mlflow_run import record_training
    from pipelines.register.scoreboard import scoreboard
    from pipelines.runs.stages import Place

    chosen = load_profile(profile)
    if not outcome.was_current:
        record_training(chosen, Place(chosen.name, out))
    context.obj.say("\n".join(scoreboard(outcome.run_dir)))


def explain(context: typer.Context, profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Write the model report and the explanation page."""
    outcome = run_stage_of(profile, out, "explain", context.obj)
    # Loaded after the stage: none of it belongs to the code that the pages depend on.
    from pipelines.profiles import load_profile
    from pipelines.register.mlflow_run import record_pages
    from pipelines.runs.stages import Place

    chosen = load_profile(profile)
    if not outcome.was_current:
        record_pages(chosen, Place(chosen.name, out))


def watch(context: typer.Context, profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Look at every open loan by the rules of the early warning, as of the profile's last date."""
    run_stage_of(profile, out, "watch", context.obj)


def monitor(context: typer.Context, profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Compare the scored applicants with the training population."""
    run_stage_of(profile, out, "monitor", context.obj)
