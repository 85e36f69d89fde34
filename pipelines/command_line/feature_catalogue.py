"""The stage ``features``, and the commands that list its features and trace their values to rows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.command_line.options import DAY, DEFAULT_OUT, OutOption, ProfileOption
from pipelines.command_line.stages import run_stage_of

features_app = typer.Typer(invoke_without_command=True)

AsOfOption = Annotated[
    datetime | None,
    typer.Option("--as-of", metavar="DATE", formats=[DAY], help="Observation date (default: the seller's last)."),
]
SetOption = Annotated[
    str | None,
    typer.Option("--set", metavar="NAME|FILE", help="Feature set (default: the one of the profile)."),
]


@features_app.callback()
def features(context: typer.Context, profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Build the feature matrix as of each observation date; list features and trace them to rows.

    Without a further command, run the stage.
    """
    if context.invoked_subcommand is None:
        run_stage_of(profile, out, "features", context.obj)


@features_app.command("list")
def list_features(
    *,
    pillar: Annotated[str | None, typer.Option("--pillar", metavar="NAME", help="Only one pillar.")] = None,
    chosen: SetOption = None,
    profile: ProfileOption = "demo",
) -> None:
    """List the features of a set by pillar, with their units and directions.

    Example: passport features list --pillar liquidity
    """
    from features.catalogue import load_feature_set
    from pipelines.commands.feature_lines import catalogue_lines

    typer.echo("\n".join(catalogue_lines(load_feature_set(chosen or _set_of(profile)), pillar)))


@features_app.command("show")
def show_feature(
    name: Annotated[str, typer.Argument(help="Name of a feature.")],
    *,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL text that computes it, and nothing else.")] = False,
    as_of: AsOfOption = None,
    chosen: SetOption = None,
    profile: ProfileOption = "demo",
) -> None:
    """Print what a feature measures, and its formula down to the tables.

    Example: passport features show refund_share_180d --sql
    """
    from features.catalogue import load_feature_set
    from pipelines.commands.feature_lines import feature_lines, feature_sql

    feature_set = load_feature_set(chosen or _set_of(profile))
    if sql:
        day = (as_of or datetime.now(UTC)).date()
        typer.echo(feature_sql(feature_set, name, day))
        return
    typer.echo("\n".join(feature_lines(feature_set, name)))


@features_app.command("explain")
def explain_features(
    seller: Annotated[str, typer.Argument(help="Seller ID, as delivered.")],
    *,
    feature: Annotated[
        str | None, typer.Option("--feature", metavar="NAME", help="Trace this feature (default: the values of all).")
    ] = None,
    as_of: AsOfOption = None,
    rows: Annotated[int, typer.Option("--rows", min=0, help="How many rows of each step to print, newest last.")] = 5,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FILE", help="Write all rows behind the feature to a CSV file.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE", help="Draw the links behind a feature of related parties, as SVG."),
    ] = None,
    language: Annotated[
        Literal["en", "zh"], typer.Option("--language", help="Language of the links behind a feature.")
    ] = "en",
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
) -> None:
    """Print a seller's features, or trace one of them through its inputs to the rows of the delivered files.

    Example: passport features explain S-1042 --feature refund_share_worst_180d
    """
    from data_contracts.errors import ConfigurationRefused
    from pipelines.commands.feature_lines import path_picture, rows_csv, seller_lines, trace_lines, traced
    from pipelines.profiles import load_profile
    from pipelines.runs.publish import atomic_write_bytes
    from pipelines.runs.stages import Place

    chosen = load_profile(profile)
    place, day = Place(chosen.name, out), as_of.date() if as_of else None
    if feature is None:
        for option, given in (("--save", save), ("--picture", picture)):
            if given is not None:
                raise ConfigurationRefused(f"{option} needs one feature", "give --feature NAME")
        typer.echo("\n".join(seller_lines(chosen, place, seller, day)))
        return
    day, steps = traced(chosen, place, seller, feature, day)
    typer.echo("\n".join([f"{seller} as of {day}", *trace_lines(steps, rows, language)]))
    if save is not None:
        atomic_write_bytes(save, rows_csv(steps))
    if picture is not None:
        atomic_write_bytes(picture, path_picture(steps, seller, language))


def _set_of(profile: str) -> str:
    from pipelines.profiles import load_profile

    return load_profile(profile).features.feature_set
