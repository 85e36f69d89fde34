"""Profiles: one TOML file a way through the pipeline, read into frozen settings that refuse unknown keys."""

from __future__ import annotations

import os
import tomllib
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from data_contracts.errors import ConfigurationRefused
from models.settings import LabelSettings, TrainingSettings
from models.training.dataset import SplitSettings
from pipelines.profiles.ingest_settings import IngestSettings, ValidationSettings
from pipelines.profiles.score_settings import RegistrationSettings, ScoringSettings
from simulator.settings import WorldSettings

DATA_DIR_VARIABLE = "DATA_DIR"


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ObservationSettings(_Settings):
    """Which sellers are observed when.

    ``open_loans``: sellers with an open loan at each quarter end from ``first_as_of`` to ``last_as_of``.
    ``every_seller``: every seller with a credit record at ``last_as_of``, and again at each of ``earlier_as_of``.
    ``stopped_before``: sellers without a sale since that day are reported as having stopped trading.
    """

    kind: Literal["open_loans", "every_seller"]
    first_as_of: date | None = None
    last_as_of: date
    earlier_as_of: tuple[date, ...] = ()
    stopped_before: date | None = None

    @model_validator(mode="after")
    def _dates_make_sense(self) -> Self:
        if self.kind == "open_loans" and (self.first_as_of is None or self.first_as_of > self.last_as_of):
            raise ValueError("open_loans needs first_as_of, not after last_as_of")
        if any(as_of >= self.last_as_of for as_of in self.earlier_as_of):
            raise ValueError("earlier_as_of dates must lie before last_as_of")
        return self

    def as_of_dates(self) -> tuple[date, ...]:
        """Return all observation dates, ascending."""
        if self.kind == "every_seller" or self.first_as_of is None:
            return (*sorted(self.earlier_as_of), self.last_as_of)
        years = range(self.first_as_of.year, self.last_as_of.year + 1)
        ends = (date(year, month, day) for year in years for month, day in ((3, 31), (6, 30), (9, 30), (12, 31)))
        return tuple(end for end in ends if self.first_as_of <= end <= self.last_as_of)


class TargetSettings(_Settings):
    """What counts as default: days past due within a performance window, or a flag a lender recorded without a date."""

    kind: Literal["days_past_due", "recorded"]
    days_past_due: int = Field(default=90, ge=1)
    performance: LabelSettings | None = None

    @model_validator(mode="after")
    def _maturity_is_known(self) -> Self:
        if (self.kind == "days_past_due") != (self.performance is not None):
            raise ValueError("target 'days_past_due' needs [target.performance]; 'recorded' has none")
        return self


class FeatureSettings(_Settings):
    """The feature set in use."""

    feature_set: str


class CrossValidationSettings(_Settings):
    """Repeated cross-validation for a sample too small to hold rows back, with all of training nested inside."""

    folds: int = Field(default=5, ge=2)
    repeats: int = Field(default=10, ge=2)
    sensitivity_repeats: int = Field(default=3, ge=2)


class ModelSettings(_Settings):
    """Name and version of the model a profile trains, and the last day it may score."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{2,62}$")
    version: str = "1"
    valid_until: date | None = None


class EconomicsSettings(_Settings):
    """What a loan earns and loses, for the table of cut-offs on the model page.

    ``margin`` is what a loan that is paid earns after funding and work, as a share of its amount.
    ``loss_given_default`` is the share lost on one in default; 45 % is the value of the Basel II foundation approach
    for senior unsecured claims.
    """

    margin: float = Field(default=0.06, ge=0.0, le=1.0)
    loss_given_default: float = Field(default=0.45, ge=0.0, le=1.0)


class Profile(_Settings):
    """All settings of a run of the pipeline.

    ``is_synthetic`` and ``evidence`` are printed on every page and passport. A profile with ``is_demonstration`` may
    create its own keys. ``segments`` maps a feature to the edges of the bands in which results are broken down. Exactly
    one of ``split`` (out of time) and ``cross_validation`` says how the model is evaluated.
    """

    TRAINING_SECTIONS: ClassVar[frozenset[str]] = frozenset(
        {
            *("name", "is_synthetic", "is_demonstration", "evidence", "observations", "target", "features"),
            *("model", "training", "split", "cross_validation", "segments", "economics"),
        }
    )

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{2,62}$")
    title: str
    is_synthetic: bool
    is_demonstration: bool
    evidence: str
    world: WorldSettings | None = None
    ingest: IngestSettings
    validation: ValidationSettings = ValidationSettings()
    observations: ObservationSettings
    target: TargetSettings
    features: FeatureSettings
    model: ModelSettings
    training: TrainingSettings = TrainingSettings()
    split: SplitSettings | None = None
    cross_validation: CrossValidationSettings | None = None
    segments: dict[str, tuple[float, ...]] = {}
    economics: EconomicsSettings = EconomicsSettings()
    registration: RegistrationSettings
    scoring: ScoringSettings

    @model_validator(mode="after")
    def _one_way_to_judge(self) -> Self:
        if (self.split is None) == (self.cross_validation is None):
            raise ValueError("a profile has either [split] or [cross_validation]")
        if self.world is not None and not self.is_synthetic:
            raise ValueError("a profile with a [world] is synthetic")
        if any(not edges or list(edges) != sorted(set(edges)) for edges in self.segments.values()):
            raise ValueError("edges of a segment must rise")
        return self


def load_profile(name_or_path: str) -> Profile:
    """Return the profile of a shipped name, or of a TOML file.

    Relative paths in a file are relative to the working folder. ``DATA_DIR`` in the environment replaces the parent
    of ``ingest.raw_dir``. Raises ConfigurationRefused if there is no such profile or a setting is invalid.
    """
    content = _read(name_or_path)
    try:
        values = tomllib.loads(content.decode())
        _replace_data_dir(values)
        return Profile.model_validate(values)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationRefused(f"profile {name_or_path}: {error}", "correct the TOML file") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigurationRefused(
            f"profile {name_or_path}: {place}: {first['msg']} ({error.error_count()} in all)", "correct this setting"
        ) from error


def shipped_profiles() -> tuple[str, ...]:
    """Return the names of the profiles that come with the package."""
    names = (entry.name for entry in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def _read(name_or_path: str) -> bytes:
    if name_or_path.endswith(".toml"):
        path = Path(name_or_path)
        if path.is_file():
            return path.read_bytes()
    elif name_or_path in shipped_profiles():
        return (resources.files(__name__) / f"{name_or_path}.toml").read_bytes()
    raise ConfigurationRefused(
        f"there is no profile '{name_or_path}'", f"use one of {', '.join(shipped_profiles())}, or a TOML file"
    )


def _replace_data_dir(values: dict[str, Any]) -> None:
    folder, raw_dir = os.environ.get(DATA_DIR_VARIABLE), values.get("ingest", {}).get("raw_dir")
    if folder and isinstance(raw_dir, str):
        values["ingest"]["raw_dir"] = str(Path(folder) / Path(raw_dir).name)
