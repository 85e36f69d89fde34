"""Score with a registered version in any MLflow client.

``mlflow.pyfunc.load_model("models:/seller-default@champion").predict(rows)`` does it. The client needs this package
installed, and the issuer's trust file in the variable ``PASSPORT_TRUST_FILE`` or, where the model was trained, the
profile's own key. Nothing is unpickled, and the bundle is verified before it is read. What the model answers is what
``passport score`` answers for the same rows.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow as pa

from data_contracts.errors import InputRefused
from models.registry.bundle import load_bundle
from models.registry.mlflow_registry import BUNDLE_FOLDER, DATA_FOLDER
from pipelines.profiles.score_settings import ScoringLimits
from pipelines.register.mlflow_run import ISSUED_ON, LOADED_TEXTS
from pipelines.score.model import keys_of, signer_objections
from pipelines.score.scorer import ScoringContext, score_chunk
from pipelines.signing.keys import load_keys, read_trust_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.registry.bundle import Bundle

TRUST_VARIABLE: Final = "PASSPORT_TRUST_FILE"
_VERSION_FILE: Final = "registered_model_meta"


class ScoringModel:
    """What ``mlflow.pyfunc`` calls to score rows."""

    def __init__(self, bundle: Bundle, limits: ScoringLimits, version: str) -> None:
        self.bundle = bundle
        self.limits = limits
        self.version = version

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, str] | None = None) -> pd.DataFrame:
        """Return one row for each row given, in the same order, with the columns of ``passport score``.

        Args:
            model_input: the features by name, missing ones allowed; and, where known, applicant_id, seller_id and as_of
                (a day).
            params: ``issued_on``, the day from which the age of the data is counted; by default the latest ``as_of``,
                else today.

        Raises:
            InputRefused: a date is not one.
        """
        issued_on = _day((params or {}).get(ISSUED_ON) or None, ISSUED_ON)
        days = [_day(value, "as_of", row) for row, value in enumerate(_column(model_input, "as_of"), start=1)]
        issued_on = issued_on or max((day for day in days if day), default=dt.datetime.now(dt.UTC).date())
        chunk = _chunk(model_input, [day or issued_on for day in days], self.bundle.model.feature_names)
        context = ScoringContext(self.bundle, self.limits, issued_on, self.version)
        return score_chunk(context, chunk).to_pandas()


def _load_pyfunc(path: str) -> ScoringModel:
    """Load a registered version, for MLflow.

    Raises:
        ConfigurationRefused: there is neither a trust file nor the profile's key.
        IntegrityRefused: the bundle is not what a trusted key signed.
    """
    import mlflow.models  # noqa: PLC0415 - takes long, and only MLflow itself calls this

    data = Path(path)
    folder = data.parent if data.name == DATA_FOLDER else data
    metadata: dict[str, Any] = mlflow.models.Model.load(str(folder)).metadata or {}
    bundle = _verified(folder / BUNDLE_FOLDER, str(metadata["profile"]))
    limits = ScoringLimits.model_validate(metadata["limits"])
    return ScoringModel(bundle, limits, _version(folder) or bundle.meta.model_version)


def _verified(folder: Path, profile_name: str) -> Bundle:
    trust_file = os.environ.get(TRUST_VARIABLE)
    if trust_file is None:
        keys = load_keys(profile_name, is_demonstration=False, environment=os.environ)
        return load_bundle(folder, [keys.public_key])
    trust, today = read_trust_file(Path(trust_file)), dt.datetime.now(dt.UTC).date()
    with signer_objections(trust, today, today):
        return load_bundle(folder, keys_of(trust, today, today))


def _version(folder: Path) -> str | None:
    """Return the version that MLflow writes beside a downloaded model; None for a folder without it."""
    file = folder / _VERSION_FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("model_version:")]
    return found[0] if found else None


def _chunk(rows: pd.DataFrame, as_of: list[dt.date], features: tuple[str, ...]) -> pa.Table:
    texts = {name: pa.array(_texts(rows, name), pa.string()) for name in LOADED_TEXTS if name != "as_of"}
    numbers = {name: pa.array(_numbers(rows, name), pa.float64()) for name in features}
    return pa.table(
        {
            "source_row": pa.array(range(1, len(rows) + 1), pa.int64()),
            **texts,
            "as_of": pa.array(as_of, pa.date32()),
            **numbers,
        }
    )


def _column(rows: pd.DataFrame, name: str) -> list[Any]:
    return rows[name].tolist() if name in rows.columns else [None] * len(rows)


def _texts(rows: pd.DataFrame, name: str) -> list[str | None]:
    return [None if pd.isna(value) else str(value) for value in _column(rows, name)]


def _numbers(rows: pd.DataFrame, name: str) -> list[float | None]:
    if name not in rows.columns:
        return [None] * len(rows)
    numbers = pd.to_numeric(rows[name]).astype("float64")
    return [None if pd.isna(value) else value for value in numbers.tolist()]


def _day(value: Any, column: str, row: int | None = None) -> dt.date | None:  # noqa: ANN401 - a cell may hold anything
    if value is None or pd.isna(value):
        return None
    try:
        return pd.Timestamp(value).date()
    except (ValueError, TypeError) as error:
        raise InputRefused(
            file="given to the model", rule=f"{value!r} is not a day", remedy="write YYYY-MM-DD", row=row, column=column
        ) from error
