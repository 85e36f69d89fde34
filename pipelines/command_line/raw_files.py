"""The commands about raw files: recognise and list them, make a template, show a delivery and rows set aside."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.command_line.options import (
    DAY,
    DEFAULT_OUT,
    AccountOption,
    DateOrderOption,
    DeliveredAtOption,
    FromOption,
    Language,
    OutOption,
    ProfileOption,
    SellerOption,
    ToOption,
    terms_of,
)

if TYPE_CHECKING:
    from pipelines.command_line.terminal import Terminal


def delivery(
    seller: Annotated[
        str | None,
        typer.Argument(help="Seller ID, as in the list of deliveries (default: one page for all sellers)."),
    ] = None,
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
) -> None:
    """Write a page that shows a seller's files, the rows set aside, and how to correct them.

    There is one page per language. The command prints the paths.
    """
    from pipelines.commands.seller_delivery import write_delivery_page
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place

    chosen = load_profile(profile)
    typer.echo("\n".join(str(path) for path in write_delivery_page(chosen, Place(chosen.name, out), seller)))


def quarantine(
    file: Annotated[str, typer.Argument(help="Path of the file below the raw folder, as in the list of deliveries.")],
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
) -> None:
    """Print the rows of a file that were set aside, as they were delivered.

    The rows of a source with personal columns are sealed; the keys of the run open them.

    Example: passport quarantine lender/applications.csv
    """
    from pipelines.commands.quarantined_rows import quarantined_rows
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place

    for line in quarantined_rows(Place(load_profile(profile).name, out), file, os.environ):
        typer.echo(line)


def template(
    context: typer.Context,
    table: Annotated[
        str | None, typer.Argument(help="Canonical table, wallet_statement or applicants (default: list them).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="File to write (default: print the template).")
    ] = None,
    *,
    list_all: Annotated[bool, typer.Option("--list", help="List the templates.")] = False,
    language: Annotated[
        Language, typer.Option("--language", help="Language of the column headers; both are read.")
    ] = "en",
) -> None:
    """Write a blank CSV template: of a table or a wallet's statement, or of the list of applicants to score.

    Tables and statements are for data that no supported export contains.

    Example: passport template receivable --out receivable.csv
    """
    from pipelines.commands.blank_template import (
        APPLICANTS,
        blank_template,
        template_list,
        template_source,
        write_blank_template,
    )

    if list_all or table is None:
        typer.echo(template_list())
        return
    text = blank_template(table, language)
    if out is None:
        typer.echo(text, nl=False)
        return
    write_blank_template(out, text)
    terminal: Terminal = context.obj
    use = (
        f"passport score {out}"
        if table == APPLICANTS
        else f"list it in deliveries.csv as source {template_source(table)}"
    )
    terminal.say(f"template: {table} -> {out}; {use}")


def recognise(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders, ZIP or gzip archives.")],
) -> None:
    """Name the source contract that each file meets, or what is missing from the nearest one.

    Example: passport recognise exports/ march.zip
    """
    from pipelines.ingest.deliveries.recognition import described, exit_code_of, recognise_in_sandbox

    found = []
    for one in recognise_in_sandbox(paths):
        typer.echo("\n".join(described(one)))
        found.append(one)
    unmet = sum(not one.met for one in found)
    typer.echo(f"recognise: {len(found):,} files, {len(found) - unmet:,} meet a contract, {unmet:,} meet none")
    raise typer.Exit(exit_code_of(found))


def manifest(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="Raw folder: one subfolder per seller, which holds the seller's exports.")
    ],
    *,
    seller: SellerOption = None,
    account: AccountOption = None,
    period_from: FromOption = None,
    period_to: ToOption = None,
    delivered_at: DeliveredAtOption = None,
    date_order: DateOrderOption = None,
    add: Annotated[
        bool, typer.Option("--add", help="Keep the list there is and add the files it does not name.")
    ] = False,
) -> None:
    """Write deliveries.csv into a raw folder: one row per file, with its source and digest.

    What neither the files nor the options state stays empty, and the command names the columns to fill in.

    Example: passport manifest raw/ --from 2024-01-01 --to 2024-12-31 --delivered-at 2025-01-10
    """
    from pipelines.commands.list_of_deliveries import write_manifest

    draft = write_manifest(
        folder, terms_of(seller, account, period_from, period_to, delivered_at, date_order=date_order), add=add
    )
    for problem in draft.unknown:
        typer.echo(problem)
    todo = f"; fill in: {', '.join(draft.to_fill_in)}" if draft.to_fill_in else ""
    terminal: Terminal = context.obj
    terminal.say(f"manifest: {draft.files:,} files -> {draft.path}{todo}")


def retain(
    context: typer.Context,
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
    *,
    on: Annotated[
        datetime | None,
        typer.Option("--on", metavar="DATE", formats=[DAY], help="Day on which retention is judged (default: today)."),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Remove the content (default: only report it).")] = False,
) -> None:
    """Remove what has expired or been withdrawn from the runs of a profile, and record it.

    Without --apply, only report what would be removed. Contracts state how long personal columns and rows are kept.

    Example: passport retain --profile my_lender.toml --apply
    """
    from pipelines.commands.retain import require_date
    from pipelines.commands.retain import retain as removals
    from pipelines.index.refresh import refreshed_pages
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place
    from pipelines.signing.keys import load_keys

    chosen = load_profile(profile)
    day = require_date(on.date() if on else None)
    keys = load_keys(chosen.name, is_demonstration=chosen.is_demonstration, environment=os.environ) if apply else None
    place = Place(chosen.name, out)
    if apply:
        with refreshed_pages(chosen, place):
            found = removals(chosen, place, day, keys)
    else:
        found = removals(chosen, place, day)
    for removal in found:
        for line in removal.lines():
            typer.echo(line)
    done = "changed" if apply else "to change; --apply removes the content"
    terminal: Terminal = context.obj
    terminal.say(f"retain: {len(found):,} runs {done}, as of {day}")
