"""Pictures of a passport and of the explanation page, for the README, taken with headless Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from data_contracts.errors import ConfigurationRefused, InputRefused
from pipelines.runs.publish import atomic_write_bytes
from pipelines.runs.stages import current_output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.runs.stages import Place

CHROMIUM_VARIABLE: Final = "CHROMIUM"
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONS: Final = (
    *("--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"),
    "--force-device-scale-factor=1",
)
WIDTH: Final = 900
HEIGHT: Final = 1000
MOST_BYTES: Final = 150_000
DEADLINE_SECONDS: Final = 120


@dataclass(frozen=True)
class Picture:
    """A picture to take: its file name and the page it shows."""

    name: str
    page: Path


def write_pictures(place: Place, folder: Path, environment: Mapping[str, str]) -> list[Path]:
    """Write the first screen of a passport and of the explanation page as PNG files, and return their paths.

    The passport is the first one in the order of their pseudonyms: a rule, so that nobody chooses a seller by taste.

    Args:
        place: where the profile's outputs are.
        folder: folder of the pictures; created if absent.
        environment: ``CHROMIUM`` in it names the browser, else it is looked up on ``PATH``.

    Raises:
        ConfigurationRefused: there is no browser, it fails, or a stage has not run.
        InputRefused: no passport was issued.
    """
    browser = find_browser(environment)
    pictures = (
        Picture("passport.png", first_passport(place)),
        Picture("explanation.png", current_output(place, "explain", "explanation.en.html")),
    )
    written = []
    for picture in pictures:
        path = folder / picture.name
        atomic_write_bytes(path, first_screen(browser, picture.page))
        written.append(path)
    return written


def find_browser(environment: Mapping[str, str]) -> str:
    """Return the Chromium that ``CHROMIUM`` names, else one on ``PATH``.

    Raises:
        ConfigurationRefused: there is none.
    """
    named = environment.get(CHROMIUM_VARIABLE)
    names = (named,) if named else BROWSERS
    found = next((path for name in names if (path := shutil.which(name, path=environment.get("PATH")))), None)
    if found is None:
        raise ConfigurationRefused(
            f"no Chromium found ({', '.join(names)})", f"install Chromium, or name it in {CHROMIUM_VARIABLE}"
        )
    return found


def first_passport(place: Place) -> Path:
    """Return the English page of the first passport in the order of their pseudonyms.

    Raises:
        InputRefused: no passport was issued.
    """
    folder = current_output(place, "score", "passports")
    pages = sorted(folder.glob("*.en.html"))
    if not pages:
        raise InputRefused(
            file=str(folder), rule="no passport was issued", remedy="set passport_count in [scoring] of the profile"
        )
    return pages[0]


def first_screen(browser: str, page: Path) -> bytes:
    """Return the first screen of a page as PNG.

    Raises:
        ConfigurationRefused: the browser fails, or its picture is too large for the repository.
    """
    with tempfile.TemporaryDirectory() as name:
        target = Path(name) / "picture.png"
        command = [browser, *OPTIONS, f"--user-data-dir={name}/browser", f"--window-size={WIDTH},{HEIGHT}"]
        # Chromium refuses to run as root inside its sandbox; the page is our own and runs no script.
        command += ["--no-sandbox"] if os.geteuid() == 0 else []
        try:
            subprocess.run(  # noqa: S603 - the browser is one the user has installed or named; no shell
                [*command, f"--screenshot={target}", page.resolve().as_uri()],
                capture_output=True,
                timeout=DEADLINE_SECONDS,
                check=True,
            )
            data = target.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            raise ConfigurationRefused(
                f"{browser} took no picture of {page.name}: {error}", f"name another Chromium in {CHROMIUM_VARIABLE}"
            ) from error
    if len(data) > MOST_BYTES:
        raise ConfigurationRefused(
            f"the picture of {page.name} has {len(data):,} bytes, more than {MOST_BYTES:,}", "use another Chromium"
        )
    return data
