"""Where the logs of a profile are, and the folders outside its outputs that keep their heads.

Whoever can write the outputs could put an older state of a log there, or remove it. The head of each log is therefore
also kept beside the keys, and in a witness folder if the environment names one: a folder that other people keep.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from models.registry.mlflow_client import DATABASE
from models.registry.promotion_ledger import Ledger
from pipelines.signing.keys import keys_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.runs.stages import Place

WITNESS_VARIABLE: Final = "PASSPORT_WITNESS_DIR"
LEDGER_FOLDER: Final = "ledger"
HEADS_FOLDER: Final = "heads"


def head_folders(profile_name: str, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the folders that keep the heads of a profile's logs."""
    beside_keys = keys_folder(profile_name, environment) / HEADS_FOLDER
    witness = environment.get(WITNESS_VARIABLE)
    return (beside_keys, Path(witness) / profile_name) if witness else (beside_keys,)


def promotion_ledger(place: Place, environment: Mapping[str, str]) -> Ledger:
    """Return the promotion ledger of a place."""
    return Ledger(place.root / LEDGER_FOLDER, head_folders(place.profile_name, environment), place.root / DATABASE)
