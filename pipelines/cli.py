"""The command line: parse, call one function, map errors to exit codes. Heavy packages are imported by the commands."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.profiles import Profile
    from pipelines.runs.stages import Place, StageOutcome

EXIT_REFUSED = 2
EXIT_INTERNAL_FAULT = 3

app = typer.Typer(
    name="passport",
    help="Explained, signed credit passports for cross-border e-commerce sellers.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

contract_app = typer.Typer(help="Data contracts.")
app.add_typer(contract_app, name="contract")
keys_app = typer.Typer(help="Keys that sign passports and make pseudonyms.")
app.add_typer(keys_app, name="keys")

ProfileOption = Annotated[str, typer.Option("--profile", help="Name of a shipped profile, or a TOML file.")]
Language = Literal["en", "zh"]
OutOption = Annotated[Path, typer.Option("--out", help="Folder of the outputs.")]
DEFAULT_OUT = Path("artifacts")
DAY = "%Y-%m-%d"
MOMENT = "%Y-%m-%dT%H:%M:%SZ"


def _stage(profile_name: str, out: Path, stage: str) -> None:
    """Run a stage and print its one line."""
    import importlib

    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place

    profile = load_profile(profile_name)
    run: Callable[[Profile, Place], StageOutcome] = importlib.import_module(f"pipelines.{stage}.stage").run
    outcome = run(profile, Place(profile.name, out))
    record = outcome.record
    set_aside = ", ".join(f"{reason}: {rows:,}" for reason, rows in sorted(record.set_aside.items()) if rows)
    state = "up to date" if outcome.was_current else "done"
    typer.echo(
        f"{stage}: {state}; rows in {record.rows_in:,}, kept {record.rows_kept:,}"
        f", set aside {sum(record.set_aside.values()):,}{f' ({set_aside})' if set_aside else ''} -> {outcome.run_dir}"
    )


@app.command()
def world(profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Simulate the synthetic seller world of a profile and write its raw files."""
    _stage(profile, out, "world")


@app.command()
def ingest(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files, folders, zips or gz files, known by their content; none: the profile's own."),
    ] = None,
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
    *,
    seller: Annotated[str | None, typer.Option("--seller", help="Whose the files are.")] = None,
    account: Annotated[str | None, typer.Option("--account", help="Store or site they were exported from.")] = None,
    period_from: Annotated[datetime | None, typer.Option("--from", formats=[DAY], help="First day covered.")] = None,
    period_to: Annotated[datetime | None, typer.Option("--to", formats=[DAY], help="Last day covered.")] = None,
    delivered_at: Annotated[
        datetime | None, typer.Option("--delivered-at", formats=[DAY, MOMENT], help="When they came, in UTC.")
    ] = None,
) -> None:
    """Read raw files into canonical tables; set aside what breaks a contract."""
    if not paths:
        _stage(profile, out, "ingest")
        return
    from pipelines.ingest.command import file_lines, ingest_paths
    from pipelines.ingest.deliveries.unlisted import Terms
    from pipelines.profiles import load_profile
    from pipelines.signing.keys import load_keys

    chosen = load_profile(profile)
    keys = load_keys(chosen.name, is_demonstration=chosen.is_demonstration, environment=os.environ)
    terms = Terms(
        seller=seller,
        account=account,
        period_from=period_from.date() if period_from else None,
        period_to=period_to.date() if period_to else None,
        delivered_at=delivered_at.replace(tzinfo=UTC) if delivered_at else None,
    )
    outcome = ingest_paths(paths, terms, chosen.ingest, keys, out)
    typer.echo("\n".join(file_lines(outcome.run_dir)))
    record = outcome.record
    typer.echo(
        f"ingest: rows in {record.rows_in:,}, kept {record.rows_kept:,}, "
        f"set aside {sum(record.set_aside.values()):,} -> {outcome.run_dir}"
    )


@app.command()
def validate(profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Check canonical tables against their contracts and write the validation report."""
    _stage(profile, out, "validate")


@app.command()
def delivery(
    seller: Annotated[
        str | None, typer.Argument(help="Seller as the list of deliveries writes it; none: the page over all sellers.")
    ] = None,
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
) -> None:
    """Write what a seller delivered, what was set aside and how to put it right, as a page in each language."""
    from pipelines.commands.seller_delivery import write_delivery_page
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place

    chosen = load_profile(profile)
    typer.echo("\n".join(str(path) for path in write_delivery_page(chosen, Place(chosen.name, out), seller)))


@app.command()
def features(profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Build the feature matrix as of each observation date."""
    _stage(profile, out, "features")


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
def score(
    applicants: Annotated[
        Path | None,
        typer.Argument(help="Applicant file (CSV, XLSX, Parquet) or folder of raw exports; none: the profile's own."),
    ] = None,
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
    *,
    model: Annotated[str | None, typer.Option("--model", help="models:/NAME@ALIAS or models:/NAME/VERSION.")] = None,
    bundle: Annotated[Path | None, typer.Option("--bundle", help="Bundle folder; needs no registry.")] = None,
    registry: Annotated[str | None, typer.Option("--registry", help="MLflow tracking URI.")] = None,
    trust: Annotated[Path | None, typer.Option("--trust", help="Trust file of those who sign bundles.")] = None,
    as_of: Annotated[datetime | None, typer.Option("--as-of", formats=[DAY], help="Date for rows without one.")] = None,
    issued_on: Annotated[
        datetime | None, typer.Option("--issued-on", formats=[DAY], help="Default: today; a demonstration's own day.")
    ] = None,
    artifacts: Annotated[Path, typer.Option("--artifacts", help="Where the profile's stages stand.")] = DEFAULT_OUT,
    passports: Annotated[int, typer.Option("--passports", min=0, help="How many signed passports to issue.")] = 0,
    reasons: Annotated[bool, typer.Option("--reasons/--no-reasons", help="Compute points and reasons.")] = True,
) -> None:
    """Score applicants: one result a row; without APPLICANTS, the stage that scores the profile's own."""
    if applicants is None:
        _stage(profile, out, "score")
        return
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place
    from pipelines.score.command import ScoreOptions, score_command

    chosen = load_profile(profile)
    options = ScoreOptions(
        out=out,
        profile=chosen,
        place=Place(chosen.name, artifacts),
        issued_on=issued_on.date()
        if issued_on
        else (chosen.scoring.issued_on if chosen.is_demonstration else date.today()),
        model=model,
        bundle=bundle,
        registry=registry,
        trust=trust,
        as_of=as_of.date() if as_of else None,
        with_reasons=reasons,
        passport_count=passports,
        environment=os.environ,
    )
    outcome = score_command(applicants, options)
    for note in outcome.notes:
        typer.echo(f"note: {note}")
    counted = ", ".join(f"{status}: {rows:,}" for status, rows in sorted(outcome.counts.by_status.items()))
    codes = ", ".join(f"{code}: {rows:,}" for code, rows in sorted(outcome.counts.by_code.items())) or "none"
    typer.echo(
        f"score: {outcome.counts.rows:,} rows ({counted}); codes: {codes}; "
        f"passports: {outcome.passports:,} -> {outcome.folder}"
    )
    raise typer.Exit(outcome.exit_code)


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(help="Passport files.")],
    trust: Annotated[Path | None, typer.Option("--trust", help="Trust file naming the issuers you believe.")] = None,
    on: Annotated[datetime | None, typer.Option("--on", formats=[DAY], help="Day asked for; default today.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="Seller the passport should be about.")] = None,
    salt: Annotated[str | None, typer.Option("--salt", help="Salt the seller holds.")] = None,
) -> None:
    """Check passports offline: signature, exact bytes, issuer, dates, subject."""
    from pipelines.passports.verify import VerifyOptions, exit_code_of, verify_command

    day = on.date() if on else date.today()
    outcomes = verify_command(files, VerifyOptions(on=day, trust=trust, subject=subject, salt=salt))
    for outcome in outcomes:
        typer.echo(f"{outcome.file}: {outcome.code}: {outcome.message}")
    raise typer.Exit(exit_code_of(outcomes))


@app.command()
def show(
    seller: Annotated[str, typer.Argument(help="Seller id as delivered.")],
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
) -> None:
    """Print a scored seller's result and reasons."""
    from pipelines.commands.summary import describe_seller
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place

    chosen = load_profile(profile)
    typer.echo(describe_seller(Place(chosen.name, out), seller))


@app.command()
def summary(profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Print the champion's figures and where the pages and passports of a profile are."""
    from pipelines.commands.summary import describe_run
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place

    chosen = load_profile(profile)
    typer.echo(describe_run(chosen, Place(chosen.name, out)))


@app.command()
def template(
    table: Annotated[str | None, typer.Argument(help="Canonical table; none lists them.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="File to write; default: print.")] = None,
    *,
    list_all: Annotated[bool, typer.Option("--list", help="List the tables that have a template.")] = False,
    language: Annotated[Language, typer.Option("--language", help="Language of the headers; both are read.")] = "en",
) -> None:
    """Give the blank CSV template of a table, for data that no known export delivers."""
    from pipelines.commands.blank_template import blank_template, template_list, write_blank_template

    if list_all or table is None:
        typer.echo(template_list())
        return
    text = blank_template(table, language)
    if out is None:
        typer.echo(text, nl=False)
        return
    write_blank_template(out, text)
    typer.echo(f"template: {table} -> {out}; list it in deliveries.csv as source template_{table}")


@app.command()
def recognise(paths: Annotated[list[Path], typer.Argument(help="Files, folders, zips or gz files.")]) -> None:
    """Say which source contract each file meets, or what keeps it from the nearest one."""
    from pipelines.ingest.deliveries.recognition import described, exit_code_of, recognise_in_sandbox

    found = []
    for one in recognise_in_sandbox(paths):
        typer.echo("\n".join(described(one)))
        found.append(one)
    unmet = sum(not one.met for one in found)
    typer.echo(f"recognise: {len(found):,} files, {len(found) - unmet:,} meet a contract, {unmet:,} meet none")
    raise typer.Exit(exit_code_of(found))


@app.command()
def manifest(
    folder: Annotated[Path, typer.Argument(help="Raw folder: one folder per seller, with the seller's exports in it.")],
    *,
    seller: Annotated[str | None, typer.Option("--seller", help="Seller ID that all files belong to.")] = None,
    account: Annotated[str | None, typer.Option("--account", help="Store or site they were exported from.")] = None,
    period_from: Annotated[datetime | None, typer.Option("--from", formats=[DAY], help="First day covered.")] = None,
    period_to: Annotated[datetime | None, typer.Option("--to", formats=[DAY], help="Last day covered.")] = None,
    delivered_at: Annotated[
        datetime | None, typer.Option("--delivered-at", formats=[DAY, MOMENT], help="Time of delivery, in UTC.")
    ] = None,
) -> None:
    """Write deliveries.csv into a raw folder: each file with its source and digest; what no file tells stays empty."""
    from pipelines.commands.list_of_deliveries import write_manifest
    from pipelines.ingest.deliveries.unlisted import Terms

    terms = Terms(
        seller=seller,
        account=account,
        period_from=period_from.date() if period_from else None,
        period_to=period_to.date() if period_to else None,
        delivered_at=delivered_at.replace(tzinfo=UTC) if delivered_at else None,
    )
    draft = write_manifest(folder, terms)
    for problem in draft.unknown:
        typer.echo(problem)
    todo = f"; fill in: {', '.join(draft.to_fill_in)}" if draft.to_fill_in else ""
    typer.echo(f"manifest: {draft.files:,} files -> {draft.path}{todo}")


@keys_app.command("new")
def keys_new(profile: ProfileOption) -> None:
    """Create the keys of a profile, and the trust file for those who verify its passports; never replace a key."""
    from pipelines.commands.new_keys import make_keys
    from pipelines.profiles import load_profile

    written = make_keys(load_profile(profile), os.environ)
    typer.echo("\n".join(f"keys: {path}" for path in written))


@contract_app.command("diff")
def contract_diff(
    old: Annotated[str, typer.Argument(help="YAML file of a contract, or the name of a source or table.")],
    new: Annotated[str, typer.Argument(help="The same, as it is to be.")],
) -> None:
    """Name what changed from one contract to another: breaking changes first, compatible ones apart."""
    from data_contracts.compatibility.contracts import change_report, contract_changes, named_contract

    before, after = named_contract(old), named_contract(new)
    changes = contract_changes(before, after)
    typer.echo("\n".join(change_report(before, after, changes)))
    if any(change.breaking for change in changes):
        raise typer.Exit(1)


@contract_app.command("check")
def contract_check(
    contract: Annotated[str, typer.Argument(help="YAML file of a contract, or the name of a source or template.")],
    file: Annotated[Path, typer.Argument(help="A file as exported, of any size if it is delimited UTF-8.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the three Parquet files.")],
) -> None:
    """Sort the rows of one file by a contract into accepted, quarantined and duplicates."""
    from data_contracts.compatibility.contracts import named_contract
    from pipelines.commands.contract_check import check_file, described

    outcome = check_file(file, named_contract(contract), out)
    typer.echo("\n".join(described(outcome)))
    if outcome.rejected_by:
        raise typer.Exit(1)


@app.command()
def docs(
    folder: Annotated[Path, typer.Option("--folder", help="Documentation folder.")] = Path("docs"),
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when a page is out of date.")] = False,
) -> None:
    """Generate the contract and feature pages."""
    from pipelines.commands.documentation import stale_pages, write_pages

    changed = stale_pages(folder) if check else write_pages(folder)
    typer.echo("\n".join(changed) if changed else "docs: every generated page is up to date")
    if check and changed:
        raise typer.Exit(1)


def main() -> None:
    """Entry point of ``passport``: one line and an exit code for every refusal, a traceback only when asked for."""
    from data_contracts.errors import PassportError, one_line

    try:
        _log_to_terminal(os.environ.get("PASSPORT_LOG", "WARNING"))
        # Without standalone mode Typer leaves it to us how a mistyped option is refused.
        sys.exit(app(args=sys.argv[1:] or ["--help"], standalone_mode=False))
    except PassportError as error:
        typer.echo(f"passport: {error}", err=True)
        sys.exit(error.exit_code)
    except typer.TyperException as error:
        typer.echo(f"passport: {one_line(_usage(error))}", err=True)
        sys.exit(EXIT_REFUSED)
    except Exception as error:
        if os.environ.get("PASSPORT_TRACEBACK"):
            raise
        said = one_line(" ".join(str(error).split()))
        typer.echo(
            f"passport: internal fault: {type(error).__name__}: {said}; "
            "set PASSPORT_TRACEBACK=1 and run again to see where",
            err=True,
        )
        sys.exit(EXIT_INTERNAL_FAULT)


def _log_to_terminal(level: str) -> None:
    from data_contracts.errors import ConfigurationRefused

    handler = logging.StreamHandler()
    try:
        # Great Expectations sets levels of its own, so the level has to be the handler's.
        handler.setLevel(level)
    except ValueError as error:
        raise ConfigurationRefused(f"PASSPORT_LOG: {error}", "use DEBUG, INFO, WARNING or ERROR") from error
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", handlers=[handler])


def _usage(error: typer.TyperException) -> str:
    """What is wrong with a command line, and where its right form is told."""
    context = getattr(error, "ctx", None)
    said = error.format_message() if hasattr(error, "format_message") else str(error)
    command = context.command_path if context else "passport"
    return f"command line refused: {said.rstrip('.')}; remedy: see {command} --help"
