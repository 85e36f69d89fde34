"""The command that lists integrity rules and prints one of them."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

rules_app = typer.Typer(help="Integrity rules: signs of false trade, and what a lender does about each.")

LanguageOption = Annotated[Literal["en", "zh"], typer.Option("--language", help="Language of names and meanings.")]


@rules_app.command("list")
def list_rules(language: LanguageOption = "en") -> None:
    """List the integrity rules with severity and action.

    Example: passport rules list
    """
    from pipelines.commands.integrity_lines import rules_in_lines

    typer.echo("\n".join(rules_in_lines(language)))


@rules_app.command("show")
def show_rule(
    code: Annotated[str, typer.Argument(help="Code of a rule, as on a scored row.")], *, language: LanguageOption = "en"
) -> None:
    """Print a rule with its source, its thresholds and its formula.

    Example: passport rules show integrity_duplicate_financing
    """
    from pipelines.commands.integrity_lines import rule_in_lines

    typer.echo("\n".join(rule_in_lines(code, language)))
