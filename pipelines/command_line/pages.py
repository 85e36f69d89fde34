"""The commands that write the pages of a whole run, and pictures of two of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.command_line.options import DEFAULT_OUT, OutOption, ProfileOption

if TYPE_CHECKING:
    from pipelines.command_line.terminal import Terminal

PICTURES = Path("docs/pictures")


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


def pictures(
    context: typer.Context,
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
    folder: Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Folder of the pictures.")] = PICTURES,
) -> None:
    """Take the two pictures of the README: the first screen of a passport and of the explanation page.

    Needs Chromium on the path, or named in CHROMIUM. The passport is the first one in the order of their pseudonyms.

    Example: passport pictures --profile demo --folder docs/pictures
    """
    from pipelines.commands.pictures import write_pictures
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place

    terminal: Terminal = context.obj
    chosen = load_profile(profile)
    for path in write_pictures(Place(chosen.name, out), folder, os.environ):
        terminal.say(f"pictures: {path}")
