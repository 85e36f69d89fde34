"""The architecture page names files that exist, and its picture shows the layers that import-linter checks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "architecture.md"
PICTURE = CHECKOUT / "docs" / "pictures" / "floors.svg"
PACKAGES = ("pipelines", "lending", "models", "features", "data_contracts")
TEXT = "{http://www.w3.org/2000/svg}text"


def named_paths(text: str) -> set[str]:
    """Return the words in backticks that look like a path of the repository."""
    quoted = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    not_ours = ("artifacts/", "pipelines/X/", "amazon_settlement_v2/S000013")
    is_path = re.compile(r"[\w.]+(/[\w.]+)+/?|[\w.]+/|[\w]+\.(md|toml)|Makefile")
    return {name for name in quoted if is_path.fullmatch(name) and not name.startswith(not_ours)}


def contracts() -> dict[str, list[set[str]]]:
    """Return the layers of each package, the highest first, from the import-linter contracts."""
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    found = {}
    for contract in settings["contracts"]:
        for container in contract.get("containers", ("",)) if contract["type"] == "layers" else ():
            found[container] = [{name.strip() for name in layer.split("|")} for layer in contract["layers"]]
    return found


def drawn() -> dict[str, list[list[str]]]:
    """Return the layers that the picture draws for each package: texts of class ``in`` below each name."""
    layers: dict[str, list[list[str]]] = {}
    package = ""
    for text in ElementTree.parse(PICTURE).iter(TEXT):  # noqa: S314 - our own file
        words = text.text or ""
        if text.get("class") == "name":
            package = words
            layers[package] = []
        elif text.get("class") == "in" and package in PACKAGES:
            layers[package] += [part.split(" · ") for part in words.split(" → ")]
    return layers


def test_the_page_names_only_files_that_exist() -> None:
    paths = named_paths(PAGE.read_text(encoding="utf-8"))
    assert len(paths) > 30
    assert {path for path in paths if not (CHECKOUT / path).exists()} == set()


def test_the_floors_are_drawn_in_the_order_of_the_imports() -> None:
    floors = [{name} for name in drawn() if name in PACKAGES]
    assert floors == contracts()[""]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_rooms_of_a_floor_are_drawn_in_the_order_of_its_layers(package: str) -> None:
    order = contracts()[package]
    places = [
        [next(level for level, names in enumerate(order) if room in names) for room in layer]
        for layer in drawn()[package]
    ]
    assert all(len(set(layer)) == 1 for layer in places), "rooms of one layer are on one level"
    levels = [layer[0] for layer in places]
    assert levels == sorted(levels)


def test_every_room_of_pipelines_is_drawn() -> None:
    assert {room for layer in drawn()["pipelines"] for room in layer} == set().union(*contracts()["pipelines"])
