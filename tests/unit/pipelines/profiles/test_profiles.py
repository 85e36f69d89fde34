from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import ConfigurationRefused
from pipelines.profiles import load_profile

if TYPE_CHECKING:
    from pathlib import Path


def shipped(name: str) -> str:
    from importlib import resources

    return (resources.files("pipelines.profiles") / f"{name}.toml").read_text(encoding="utf-8")


def test_a_profile_that_simulates_a_world_must_call_itself_synthetic(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(shipped("small").replace("is_synthetic = true", "is_synthetic = false"))
    with pytest.raises(ConfigurationRefused, match=r"a profile with a \[world\] is synthetic"):
        load_profile(str(path))


def test_synthetic_files_made_elsewhere_may_be_called_synthetic(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(shipped("cumcm2020c").replace("is_synthetic = false", "is_synthetic = true"))
    assert load_profile(str(path)).is_synthetic
