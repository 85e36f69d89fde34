"""What ``passport scorecard-sql`` writes: a scorecard in SQL, and a comment that names its model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from models.components.scorecard_sql import scorecard_sql
from pipelines.runs.stages import Place
from pipelines.score.model import ModelChoice, load_model
from pipelines.signing.keys import load_keys
from pipelines.signing.ledgers import promotion_ledger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.components.scorecard_sql import Dialect
    from pipelines.profiles import Profile


def model_choice(profile: Profile, out: Path, address: str | None, bundle: Path | None) -> ModelChoice:
    """Return which model is meant: a bundle folder, else a ``models:/`` address, else the profile's champion."""
    place = Place(profile.name, out)
    keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=os.environ)
    ledger = promotion_ledger(place, os.environ)
    return ModelChoice(place, profile.model.name, ledger, bundle=bundle, address=address, trusted=[keys.public_key])


def scorecard_statement(choice: ModelChoice, table: str, through: Sequence[str], dialect: Dialect) -> str:
    """Return the statement for the chosen model, with a comment that names it.

    Args:
        choice: which model.
        table: name of the table, as written in the statement.
        through: columns that are passed through.
        dialect: of the database.

    Raises:
        ConfigurationRefused: the model is not one scorecard, or there is no such model.
        IntegrityRefused: as in ``load_model``.
    """
    found = load_model(choice)
    meta = found.bundle.meta
    said = [
        f"{meta.model_name}, version {found.version}, bundle {found.bundle.digest}",
        f"features {meta.feature_set} ({meta.feature_set_digest}); evidence: {meta.evidence}",
        "score and grade equal those of passport score for every row that may be scored",
    ]
    return "\n".join([*(f"-- {line}" for line in said), scorecard_sql(found.bundle.model, table, through, dialect)])
