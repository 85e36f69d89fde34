"""Refresh the pages over a run once a stage is done."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from data_contracts.errors import GateFailed, PassportError, QuarantineLimitExceeded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.profiles import Profile
    from pipelines.runs.stages import Place


@contextmanager
def refreshed_pages(profile: Profile, place: Place) -> Iterator[None]:
    """Write the pages once the work of a stage is done.

    A run whose data went over the limit, or whose model failed a gate, was published first: its pages are written too.
    """
    try:
        yield
    except (GateFailed, QuarantineLimitExceeded):
        with suppress(PassportError):
            _write_pages(profile, place)
        raise
    _write_pages(profile, place)


def _write_pages(profile: Profile, place: Place) -> None:
    # Imported after the stage has run, so that a stage loads only what it needs itself.
    from pipelines.index.publish import write_pages  # noqa: PLC0415 - see above

    write_pages(profile, place)
