"""Pictures of the README: taken by a rule, small, and refused in one line where there is no browser."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from data_contracts.errors import ConfigurationRefused, InputRefused
from pipelines.commands.pictures import HEIGHT, MOST_BYTES, WIDTH, find_browser, first_passport, write_pictures
from pipelines.runs.stages import Place, read_manifest, write_manifest
from tests.factories.browser import find_chromium
from tests.factories.published_run import publish_run


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return publish_run(tmp_path / "out")


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_both_pictures_are_taken_and_small(place: Place, tmp_path: Path) -> None:
    if find_chromium() is None:
        pytest.skip("no Chromium on this machine; install one, or name it in CHROMIUM, to take pictures")
    written = write_pictures(place, tmp_path / "docs" / "pictures", os.environ)
    assert [path.name for path in written] == ["passport.png", "explanation.png"]
    for path in written:
        data = path.read_bytes()
        assert size_of(data) == (WIDTH, HEIGHT)
        assert len(data) <= MOST_BYTES


@pytest.mark.parametrize("environment", [{"PATH": ""}, {"PATH": os.environ["PATH"], "CHROMIUM": "no-such-browser"}])
def test_without_a_browser_nothing_is_written(environment: dict[str, str], place: Place, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationRefused, match=r"no Chromium found.*CHROMIUM"):
        write_pictures(place, tmp_path / "pictures", environment)
    assert not (tmp_path / "pictures").exists()


def test_a_browser_that_fails_is_named(place: Place, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text("#!/bin/sh\nexit 7\n")
    browser.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "CHROMIUM": str(browser)}
    assert find_browser(environment) == str(browser)
    with pytest.raises(ConfigurationRefused, match="took no picture"):
        write_pictures(place, tmp_path / "pictures", environment)


def test_the_first_passport_in_the_order_of_pseudonyms_is_shown(place: Place) -> None:
    pages = sorted((place.stage_dir("score") / "run1" / "passports").glob("*.en.html"))
    assert first_passport(place) == pages[0]


def test_a_run_without_passports_is_refused(tmp_path: Path) -> None:
    place = publish_run(tmp_path / "none", ("score",))
    run = place.stage_dir("score") / "run1"
    for path in (run / "passports").iterdir():
        path.unlink()
    facts = read_manifest(run)
    write_manifest(run, {name: facts[name] for name in ("record", "seconds")})
    with pytest.raises(InputRefused, match="no passport was issued"):
        first_passport(place)
