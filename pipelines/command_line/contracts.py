"""The commands about contracts, and about the pages generated from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipelines.command_line.terminal import Terminal

contract_app = typer.Typer(help="Compare contracts, or check a file against one.")


@contract_app.command("diff")
def contract_diff(
    old: Annotated[str, typer.Argument(help="Old contract: a YAML file, or the name of a source or table.")],
    new: Annotated[str, typer.Argument(help="New contract: a YAML file, or the name of a source or table.")],
) -> None:
    """List the changes between two contracts, breaking changes first.

    Exit with 1 if a change is breaking.
    """
    from data_contracts.compatibility.contracts import change_report, contract_changes
    from data_contracts.definition.compiler import named_contract

    before, after = named_contract(old), named_contract(new)
    changes = contract_changes(before, after)
    typer.echo("\n".join(change_report(before, after, changes)))
    if any(change.breaking for change in changes):
        raise typer.Exit(1)


@contract_app.command("check")
def contract_check(
    contract: Annotated[str, typer.Argument(help="YAML file of a contract, or the name of a source or template.")],
    file: Annotated[Path, typer.Argument(help="Exported file to check; delimited UTF-8 may have any size.")],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Folder for the three Parquet files.")],
) -> None:
    """Sort the rows of a file into accepted, quarantined and duplicates, by a contract.

    Exit with 1 if the contract rejects the file as a whole.
    """
    from data_contracts.definition.compiler import named_contract
    from pipelines.commands.contract_check import check_file, described

    outcome = check_file(file, named_contract(contract), out)
    typer.echo("\n".join(described(outcome)))
    if outcome.rejected_by:
        raise typer.Exit(1)


def docs(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("--folder", help="Folder of the documentation.")] = Path("docs"),
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 if a page is outdated.")] = False,
) -> None:
    """Generate the pages about contracts, features and the synthetic world."""
    from pipelines.commands.documentation import stale_pages, write_pages

    terminal: Terminal = context.obj
    changed = stale_pages(folder) if check else write_pages(folder)
    if check and changed:
        typer.echo("\n".join(changed))
        raise typer.Exit(1)
    terminal.say("\n".join(changed) if changed else "docs: every generated page is up to date")
