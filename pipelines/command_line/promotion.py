"""The commands that make a model champion, say which one it is, and compare training runs."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelines.command_line.options import DAY, DEFAULT_OUT, BundleOption, ModelOption, OutOption, ProfileOption
from pipelines.command_line.stages import run_stage_of
from pipelines.command_line.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.register.champion import Restored
    from pipelines.register.decision import Registrar

ApproverOption = Annotated[
    str | None, typer.Option("--approver", metavar="NAME", help="Who answers for the decision; kept in the ledger.")
]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Why, in a sentence; kept in the ledger.")
]


def register(
    context: typer.Context,
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
    *,
    approver: ApproverOption = None,
    reason: ReasonOption = None,
    as_challenger: Annotated[
        bool, typer.Option("--challenger", help="Register it as challenger: the champion stays, and it may be worse.")
    ] = False,
) -> None:
    """Check the promotion gates; if all pass, register the bundle in MLflow as champion.

    Say what changed, from what to what. A first promotion has the profile's approver and reason unless others are
    given. With --challenger the bundle becomes a version that is scored beside the champion, with
    --model models:/NAME@challenger --unpromoted, and passport promote makes it champion.

    Example: passport register --approver "Li Wei" --reason "two more sources"
    """
    from data_contracts.errors import GateFailed
    from pipelines.profiles import load_profile
    from pipelines.register.change import change_lines
    from pipelines.register.decision import Words
    from pipelines.register.registry import REGISTRATION_FILE
    from pipelines.runs.publish import read_json
    from pipelines.runs.stages import Place, current_output

    terminal: Terminal = context.obj
    if as_challenger:
        _register_challenger(terminal, _registrar(profile, out, approver, reason))
        return
    place = Place(load_profile(profile).name, out)

    def say_what_changed() -> None:
        document = read_json(current_output(place, "register", REGISTRATION_FILE))
        terminal.say("\n".join(change_lines(document)))

    try:
        outcome = run_stage_of(profile, out, "register", terminal, words=Words(approver, reason))
    except GateFailed:
        say_what_changed()
        raise
    if not outcome.was_current:
        say_what_changed()


def champion(
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
    *,
    on: Annotated[
        datetime | None, typer.Option("--on", metavar="DATE", formats=[DAY], help="Day to ask about (default: now).")
    ] = None,
) -> None:
    """Print which version is champion by the promotion ledger, since when, by whom and why.

    Example: passport champion --on 2025-01-31
    """
    from pipelines.register.champion import champion_lines

    registrar = _registrar(profile, out, None, None)
    typer.echo("\n".join(champion_lines(registrar.entries(), registrar.profile.model.name, on.date() if on else None)))


def challenger(profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Print which version is challenger by the promotion ledger, since when, by whom and why, and its gates.

    Example: passport challenger --profile small
    """
    from pipelines.register.challenger import challenger_lines

    registrar = _registrar(profile, out, None, None)
    typer.echo("\n".join(challenger_lines(registrar.entries(), registrar.profile.model.name)))


def promote(
    context: typer.Context,
    version: Annotated[str, typer.Argument(help="Version that passed its gates when it was registered.")],
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
    *,
    approver: ApproverOption = None,
    reason: ReasonOption = None,
) -> None:
    """Make a version champion that passed its gates before, as candidate or as challenger.

    Example: passport promote 2 --approver "Li Wei" --reason "version 3 scored a platform wrongly"
    """
    from pipelines.register.champion import restore_version

    registrar = _registrar(profile, out, approver, reason)
    _restore(context.obj, registrar, lambda: restore_version(registrar, version))


def rollback(
    context: typer.Context,
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
    *,
    approver: ApproverOption = None,
    reason: ReasonOption = None,
) -> None:
    """Make the version champion again that the champion has replaced.

    Example: passport rollback --approver "Li Wei" --reason "more defaults than predicted"
    """
    from pipelines.register.champion import roll_back

    registrar = _registrar(profile, out, approver, reason)
    _restore(context.obj, registrar, lambda: roll_back(registrar))


def compare(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Training run or its first characters, or a version (default: list)."),
    ] = None,
    other: Annotated[
        str | None, typer.Argument(metavar="OTHER", help="Run or version to compare RUN with (default: see below).")
    ] = None,
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
) -> None:
    """List the training runs of a profile, or compare two of them on the same test rows.

    With one run, compare the candidate, which is the last training run, with it. Gains are those of the first over the
    second. Differences are paired, with intervals over related-party components.

    Example: passport compare 2 1 --profile small
    """
    from pipelines.index.promotions import read_promotions
    from pipelines.profiles import load_profile
    from pipelines.register.training_runs import compare_runs, describe_differences, describe_runs, training_runs
    from pipelines.runs.stages import Place

    chosen = load_profile(profile)
    place = Place(chosen.name, out)
    promotions = read_promotions(chosen, place)
    if run is None:
        entry = promotions.champion(chosen.model.name)
        lines = describe_runs(training_runs(place, None if entry is None else entry.bundle_sha256))
    else:
        first, second = (None, run) if other is None else (run, other)
        lines = describe_differences(compare_runs(place, second, first, promotions.entries))
    typer.echo("\n".join(lines))


def _registrar(profile_name: str, out: Path, approver: str | None, reason: str | None) -> Registrar:
    from pipelines.profiles import load_profile
    from pipelines.register.decision import Registrar, Words
    from pipelines.runs.stages import Place
    from pipelines.signing.keys import load_keys
    from pipelines.signing.ledgers import promotion_ledger

    profile = load_profile(profile_name)
    place = Place(profile.name, out)
    # No demonstration here: keys that are missing are not made, because what they signed is asked for.
    keys = load_keys(profile.name, is_demonstration=False, environment=os.environ)
    return Registrar(profile, place, keys, promotion_ledger(place, os.environ), Words(approver, reason))


def _register_challenger(terminal: Terminal, registrar: Registrar) -> None:
    from pipelines.index.refresh import refreshed_pages
    from pipelines.register.challenger import challenger_lines, register_challenger

    with refreshed_pages(registrar.profile, registrar.place):
        register_challenger(registrar)
    terminal.say("\n".join(challenger_lines(registrar.entries(), registrar.profile.model.name)))


def _restore(terminal: Terminal, registrar: Registrar, restore: Callable[[], Restored]) -> None:
    from pipelines.index.refresh import refreshed_pages

    with refreshed_pages(registrar.profile, registrar.place):
        found = restore()
    name, version = registrar.profile.model.name, found.version.version
    if found.entry is None:
        terminal.say(f"{name}: version {version} is champion already")
        return
    terminal.say(f"{name}: version {found.before.version} -> version {version}")
    terminal.say("  scores and passports do not follow by themselves: passport score makes new ones")


def scorecard_sql(
    table: Annotated[str, typer.Argument(help="Table with a column for each feature, as written in the statement.")],
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
    *,
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="COLUMN", help="Column to pass through; may be repeated.")
    ] = None,
    dialect: Annotated[
        Literal["duckdb", "postgresql", "spark"], typer.Option("--dialect", help="Dialect of the database.")
    ] = "duckdb",
    model: ModelOption = None,
    bundle: BundleOption = None,
) -> None:
    """Write a scorecard as one SQL statement that scores a table of features, with the model's scores and grades.

    Example: passport scorecard-sql "read_parquet('matrix.parquet')" --key seller_id --key as_of
    """
    from pipelines.profiles import load_profile
    from pipelines.score.scorecard_statement import model_choice, scorecard_statement

    choice = model_choice(load_profile(profile), out, model, bundle)
    typer.echo(scorecard_statement(choice, table, key or (), dialect))
