"""Outputs that were made with other keys than those in use: what to do is not for the log itself to know."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature

from data_contracts.errors import IntegrityRefused
from pipelines.signing.keys import KEYS_FOLDER_VARIABLE, SIGNING_KEY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.runs.stages import Place


@contextmanager
def telling_other_keys(place: Place) -> Iterator[None]:
    """Let a log below ``place`` that another key has signed be refused with what to do about its profile.

    Raises:
        IntegrityRefused: names the log, the settings that name keys, and the way to start anew.
    """
    try:
        yield
    except IntegrityRefused as error:
        if not isinstance(error.__cause__, InvalidSignature):
            raise
        what = str(error).partition("; remedy: ")[0]
        raise IntegrityRefused(
            f"{what}; remedy: put back the keys that {place.root} was made with ({KEYS_FOLDER_VARIABLE} or "
            f"{SIGNING_KEY_VARIABLE} name them), or, if they are lost, move {place.root} away and make it again"
        ) from error
