"""The command that creates keys."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from pipelines.command_line.options import ProfileOption

if TYPE_CHECKING:
    from pipelines.command_line.terminal import Terminal

keys_app = typer.Typer(help="Create the keys that sign passports and make pseudonyms.")


@keys_app.command("new")
def keys_new(context: typer.Context, profile: ProfileOption) -> None:
    """Create the keys of a profile, and the trust file for those who verify its passports.

    A key that exists is never replaced.

    Example: passport keys new --profile my.toml
    """
    from pipelines.commands.new_keys import make_keys
    from pipelines.profiles import load_profile

    written = make_keys(load_profile(profile), os.environ)
    terminal: Terminal = context.obj
    terminal.say("\n".join(f"keys: {path}" for path in written))
