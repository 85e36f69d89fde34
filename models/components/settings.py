"""Settings of a single fit."""

from __future__ import annotations

from typing import NamedTuple


class FitSettings(NamedTuple):
    """Settings shared by every fit of a training run."""

    seed: int = 0
    threads: int = 1
    max_rounds: int = 500
    patience: int = 25
