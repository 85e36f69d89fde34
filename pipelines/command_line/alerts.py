"""The commands about alerts on open loans: list them, show what is behind one, acknowledge or close it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelines.command_line.options import DEFAULT_OUT, OutOption, ProfileOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.command_line.terminal import Terminal
    from pipelines.watch.decisions import State

alerts_app = typer.Typer(
    name="alerts", no_args_is_help=True, add_completion=False, help="Alerts on open loans: list, show, decide."
)

LoanArgument = Annotated[str, typer.Argument(metavar="LOAN", help="Number of the loan.")]
RuleArgument = Annotated[str, typer.Argument(metavar="RULE", help="Rule of the alert, as the list names it.")]
ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides; kept in the log.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in a sentence; kept in the log.")]


@alerts_app.command("list")
def list_alerts(
    *,
    state: Annotated[
        Literal["open", "acknowledged", "closed", "all"], typer.Option("--state", help="Which alerts to list.")
    ] = "open",
    loan: Annotated[str | None, typer.Option("--loan", metavar="LOAN", help="List those of one loan.")] = None,
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
) -> None:
    """List the alerts on open loans, those of severe loans first.

    Example: passport alerts list --state all
    """
    from pipelines.commands.alerts import alert_lines, decisions_of, watched
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place

    chosen = load_profile(profile)
    place = Place(chosen.name, out)
    states: Sequence[State] = ("open", "acknowledged", "closed") if state == "all" else (state,)
    lines = alert_lines(watched(place), decisions_of(chosen, place, os.environ), states, loan)
    typer.echo("\n".join(lines) if lines else "no alerts")


@alerts_app.command("show")
def show_alert(
    loan: LoanArgument,
    rule: RuleArgument,
    *,
    rows: Annotated[int, typer.Option("--rows", min=0, help="How many rows of each quantity to print.")] = 3,
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
) -> None:
    """Print the measures behind an alert, and the newest rows of the delivered files that they come from.

    Example: passport alerts show L0001042 sales_drop
    """
    from pipelines.commands.alerts import evidence_lines
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place

    typer.echo("\n".join(evidence_lines(Place(load_profile(profile).name, out), loan, rule, rows)))


@alerts_app.command("acknowledge")
def acknowledge_alert(
    context: typer.Context,
    loan: LoanArgument,
    rule: RuleArgument,
    *,
    by: ByOption,
    reason: ReasonOption,
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
) -> None:
    """Mark an alert as acknowledged: somebody looks after it.

    Example: passport alerts acknowledge L0001042 sales_drop --by "Li Wei" --reason "called, waiting for the bank file"
    """
    _decide(context.obj, (loan, rule), ("acknowledged", by, reason), (profile, out))


@alerts_app.command("close")
def close_alert(
    context: typer.Context,
    loan: LoanArgument,
    rule: RuleArgument,
    *,
    by: ByOption,
    reason: ReasonOption,
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
) -> None:
    """Close an alert with a reason. It opens again if it becomes graver, or ends and comes back.

    Example: passport alerts close L0001042 sales_drop --by "Li Wei" --reason "season; orders for March are in"
    """
    _decide(context.obj, (loan, rule), ("closed", by, reason), (profile, out))


def _decide(
    terminal: Terminal,
    alert: tuple[str, str],
    words: tuple[Literal["acknowledged", "closed"], str, str],
    where: tuple[str, OutOption],
) -> None:
    from pipelines.commands.alerts import decide_alert
    from pipelines.index.refresh import refreshed_pages
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place

    chosen = load_profile(where[0])
    place = Place(chosen.name, where[1])
    with refreshed_pages(chosen, place):
        said = decide_alert(chosen, place, alert, words, os.environ)
    terminal.say(said)
