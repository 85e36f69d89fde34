"""Command ``passport keys new``: make the two keys of an issuer and the trust file that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.runs.publish import atomic_write_bytes
from pipelines.signing.keys import TRUST_FILE, create_keys, keys_folder, load_keys, trust_file_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipelines.profiles import Profile


def make_keys(profile: Profile, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Create the keys of a profile and a trust file for those who verify its passports.

    Returns:
        The files written: signing key, HMAC key and trust file.

    Raises:
        ConfigurationRefused: a key exists already; it is never replaced.
    """
    created = create_keys(profile.name, environment)
    keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=environment)
    trust = keys_folder(profile.name, environment) / TRUST_FILE
    trust.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    atomic_write_bytes(trust, trust_file_for(keys, profile.scoring.issuer_name, profile.scoring.issued_on))
    return (*created, trust)
