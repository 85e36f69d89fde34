"""The command line: parse, call one function, map errors to exit codes. Heavy packages are imported by the commands."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.profiles import Profile
    from pipelines.stages import Place, StageOutcome

EXIT_INTERNAL_FAULT = 3

app = typer.Typer(
    name="passport",
    help="Explained, signed credit passports for cross-border e-commerce sellers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ProfileOption = Annotated[str, typer.Option("--profile", help="Name of a shipped profile, or a TOML file.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder of the outputs.")]
DEFAULT_OUT = Path("artifacts")


def _stage(profile_name: str, out: Path, module: str) -> None:
    """Run the stage of ``pipelines.<module>`` and print its one line."""
    import importlib

    from pipelines.profiles import load_profile
    from pipelines.stages import Place

    profile = load_profile(profile_name)
    run: Callable[[Profile, Place], StageOutcome] = importlib.import_module(f"pipelines.{module}").run
    outcome = run(profile, Place(profile.name, out))
    record = outcome.record
    set_aside = ", ".join(f"{reason}: {rows:,}" for reason, rows in sorted(record.set_aside.items()) if rows)
    state = "up to date" if outcome.was_current else "done"
    typer.echo(
        f"{module}: {state}; rows in {record.rows_in:,}, kept {record.rows_kept:,}"
        f", set aside {sum(record.set_aside.values()):,}{f' ({set_aside})' if set_aside else ''} -> {outcome.run_dir}"
    )


@app.command()
def world(profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Simulate the synthetic seller world of a profile and write its raw files."""
    _stage(profile, out, "world")


@app.command()
def ingest(profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Read raw files into canonical tables; set aside what breaks a contract."""
    _stage(profile, out, "ingest")


@app.command()
def validate(profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Check canonical tables against their contracts and write the validation report."""
    _stage(profile, out, "validate")


@app.command()
def features(profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Build the feature matrix as of each observation date."""
    _stage(profile, out, "build_features")


@app.command()
def train(profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Train, calibrate and evaluate the default model; write the signed bundle."""
    _stage(profile, out, "train")


@app.command()
def explain(profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Write the model report and the SHAP report."""
    _stage(profile, out, "explain")


@app.command()
def register(profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Pass the gates and register the bundle in MLflow as champion."""
    _stage(profile, out, "register")


@app.command()
def monitor(profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Compare the scored applicants with the training population."""
    _stage(profile, out, "monitor")


@app.command()
def docs(
    folder: Annotated[Path, typer.Option("--folder", help="Documentation folder.")] = Path("docs"),
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when a page is out of date.")] = False,
) -> None:
    """Generate the contract and feature pages."""
    from pipelines.documentation import stale_pages, write_pages

    changed = stale_pages(folder) if check else write_pages(folder)
    typer.echo("\n".join(changed) if changed else "docs: every generated page is up to date")
    if check and changed:
        raise typer.Exit(1)


def main() -> None:
    """Entry point of ``passport``: one line and an exit code for every refusal, a traceback only when asked for."""
    logging.basicConfig(level=os.environ.get("PASSPORT_LOG", "WARNING"), format="%(levelname)s %(name)s: %(message)s")
    from data_contracts.errors import PassportError

    try:
        app()
    except PassportError as error:
        typer.echo(f"passport: {error}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if os.environ.get("PASSPORT_TRACEBACK"):
            raise
        typer.echo(
            f"passport: internal fault: {type(error).__name__}: {' '.join(str(error).split())}; "
            "set PASSPORT_TRACEBACK=1 and run again to see where",
            err=True,
        )
        sys.exit(EXIT_INTERNAL_FAULT)
