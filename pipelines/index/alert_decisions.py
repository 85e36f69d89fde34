"""What people decided about alerts, as the pages read it: with the profile's key where there is one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from pipelines.signing.keys import load_keys
from pipelines.watch.decisions import alert_log

if TYPE_CHECKING:
    from pipelines.profiles import Profile
    from pipelines.runs.stages import Place
    from pipelines.watch.decisions import AlertDecision


def read_decisions(profile: Profile, place: Place) -> tuple[AlertDecision, ...] | None:
    """Return what people decided about alerts; None where the log cannot be checked or is broken."""
    log = alert_log(place, os.environ)
    try:
        keys = load_keys(profile.name, is_demonstration=False, environment=os.environ)
        return log.read(keys.public_key)
    except ConfigurationRefused:
        return None if log.path.is_file() else ()
    except IntegrityRefused:
        return None
