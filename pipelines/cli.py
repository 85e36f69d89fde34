"""The entry point of ``passport``: assemble the commands, run one, and map errors to exit codes."""

from __future__ import annotations

import logging
import os
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
from typer.core import TyperGroup

from pipelines.command_line import (
    alerts,
    contracts,
    feature_catalogue,
    integrity,
    keys,
    pages,
    promotion,
    raw_files,
    scoring,
    stages,
)
from pipelines.command_line.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_REFUSED = 2
EXIT_INTERNAL_FAULT = 3
EXIT_INTERRUPTED = 130
QUERY_INTERRUPTED = "Query interrupted"

FEATURES = "features"
STAGES = "Stages, in order"
RAW_FILES = "Raw files and contracts"
# Commands by panel of the help page, in the order in which they are shown.
_PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    STAGES: (
        *(stages.world, stages.ingest, stages.validate, stages.train),
        *(stages.explain, promotion.register, scoring.score, stages.watch, stages.monitor),
    ),
    "Results and passports": (
        pages.index,
        scoring.summary,
        scoring.show,
        scoring.verify,
        scoring.codes,
    ),
    "Models": (
        promotion.champion,
        promotion.challenger,
        promotion.promote,
        promotion.rollback,
        promotion.compare,
        promotion.scorecard_sql,
    ),
    RAW_FILES: (
        raw_files.recognise,
        raw_files.manifest,
        raw_files.template,
        raw_files.delivery,
        raw_files.quarantine,
        raw_files.retain,
    ),
    "Development": (contracts.docs, pages.pictures),
}


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"passport {metadata.version('seller-credit-passport')}")
        raise typer.Exit


def passport(
    context: typer.Context,
    *,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing on success, except what a command exists to print.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also print why rows were set aside, and where outputs are.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - the callback answers it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Turn a cross-border seller's raw exports into an explained, signed credit passport.

    Run all stages with `make run`; run one with `passport STAGE --profile NAME`.
    """
    from data_contracts.errors import ConfigurationRefused

    if quiet and verbose:
        raise ConfigurationRefused("--quiet and --verbose exclude each other", "use one of them")
    context.obj = Terminal("quiet" if quiet else "verbose" if verbose else "normal")


class _StagesInOrder(TyperGroup):
    """Groups come before commands otherwise, and the stage ``features`` is a group."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - the type is private to Typer
        names = super().list_commands(ctx)
        names.remove(FEATURES)
        names.insert(names.index("validate") + 1, FEATURES)
        return names


def _assembled() -> typer.Typer:
    app = typer.Typer(
        name="passport",
        cls=_StagesInOrder,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback()(passport)
    for panel, commands in _PANELS.items():
        for command in commands:
            app.command(rich_help_panel=panel)(command)
    app.add_typer(feature_catalogue.features_app, name=FEATURES, rich_help_panel=STAGES)
    app.add_typer(integrity.rules_app, name="rules", rich_help_panel="Results and passports")
    app.add_typer(contracts.contract_app, name="contract", rich_help_panel=RAW_FILES)
    app.add_typer(alerts.alerts_app, name="alerts", rich_help_panel="Results and passports")
    app.add_typer(keys.keys_app, name="keys", rich_help_panel="Results and passports")
    return app


app = _assembled()


def main() -> None:
    """Run the command line: one line and an exit code for every refusal, a traceback only if asked for."""
    from data_contracts.errors import PassportError, one_line

    try:
        _log_to_terminal(os.environ.get("PASSPORT_LOG", "WARNING"))
        # In standalone mode Typer would word the refusal of a mistyped option itself.
        sys.exit(app(args=sys.argv[1:] or ["--help"], standalone_mode=False))
    except PassportError as error:
        typer.echo(f"passport: {error}", err=True)
        sys.exit(error.exit_code)
    except typer.TyperException as error:
        typer.echo(f"passport: {one_line(_usage(error))}", err=True)
        sys.exit(EXIT_REFUSED)
    except typer.Abort:
        typer.echo("passport: interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        # DuckDB answers an interrupt during a query with an error of its own.
        if str(error).startswith(QUERY_INTERRUPTED):
            typer.echo("passport: interrupted", err=True)
            sys.exit(EXIT_INTERRUPTED)
        if os.environ.get("PASSPORT_TRACEBACK"):
            raise
        from pipelines.runs.storage_faults import machine_fault

        fault = machine_fault(error)
        if fault is not None:
            typer.echo(f"passport: {fault}", err=True)
            sys.exit(fault.exit_code)
        said = one_line(" ".join(str(error).split()))
        typer.echo(
            f"passport: internal fault: {type(error).__name__}: {said}; "
            "set PASSPORT_TRACEBACK=1 and run again to see where",
            err=True,
        )
        sys.exit(EXIT_INTERNAL_FAULT)


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever ``sys.stderr`` is at the moment: a progress bar replaces it, to print above itself."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        """Ignore the stream that the base class remembers."""


def _log_to_terminal(level: str) -> None:
    from data_contracts.errors import ConfigurationRefused

    handler = _StderrHandler()
    try:
        # Great Expectations sets levels of its own, so the level has to be the handler's.
        handler.setLevel(level)
    except ValueError as error:
        raise ConfigurationRefused(f"PASSPORT_LOG: {error}", "use DEBUG, INFO, WARNING or ERROR") from error
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", handlers=[handler])


def _usage(error: typer.TyperException) -> str:
    """Return what is wrong with a command line, and where the right form is explained."""
    context = getattr(error, "ctx", None)
    said = error.format_message() if hasattr(error, "format_message") else str(error)
    command = context.command_path if context else "passport"
    return f"command line refused: {said.rstrip('.')}; remedy: see {command} --help"
