"""The command that writes the pages of a whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer  # noqa: TC002 - Typer reads the types of a command's parameters

from pipelines.command_line.options import DEFAULT_OUT, OutOption, ProfileOption

if TYPE_CHECKING:
    from pipelines.command_line.terminal import Terminal


def index(context: typer.Context, profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Write the index page of a profile and the pages it links to, from the files of its run.

    Every stage does this when it is done, and `make run` at its end. Run it after you have moved or edited outputs.

    Example: passport index --profile demo
    """
    from pipelines.index.publish import write_pages
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place

    terminal: Terminal = context.obj
    chosen = load_profile(profile)
    terminal.say(f"index: {write_pages(chosen, Place(chosen.name, out))}")
