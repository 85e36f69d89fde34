from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import ConfigurationRefused
from pipelines.commands.new_keys import make_keys
from pipelines.profiles import load_profile
from pipelines.signing.keys import load_keys, read_trust_file

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = load_profile("small").model_copy(update={"name": "our_sellers", "is_demonstration": False})


def test_new_keys_are_those_the_profile_loads_and_the_trust_file_names(tmp_path: Path) -> None:
    environment = {"KEYS_DIR": str(tmp_path)}
    written = make_keys(PROFILE, environment)
    assert [path.name for path in written] == ["signing_key.pem", "hmac_key.hex", "trust.json"]
    keys = load_keys("our_sellers", is_demonstration=False, environment=environment)
    (issuer,) = read_trust_file(tmp_path / "our_sellers" / "trust.json").issuers
    assert (issuer.did, issuer.name) == (keys.did, PROFILE.scoring.issuer_name)


def test_secrets_are_readable_by_their_owner_alone_and_remembered(tmp_path: Path) -> None:
    *secrets, _ = make_keys(PROFILE, {"KEYS_DIR": str(tmp_path)})
    for path in secrets:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.with_name(f"{path.name}.sha256").is_file()


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    environment = {"KEYS_DIR": str(tmp_path)}
    written = make_keys(PROFILE, environment)
    before = [path.read_bytes() for path in written]
    with pytest.raises(ConfigurationRefused, match="exists already"):
        make_keys(PROFILE, environment)
    assert [path.read_bytes() for path in written] == before


def test_keys_are_written_to_the_folder_of_the_environment(tmp_path: Path) -> None:
    places = {
        "PASSPORT_SIGNING_KEY_FILE": str(tmp_path / "secrets" / "sign.pem"),
        "PASSPORT_HMAC_KEY_FILE": str(tmp_path / "secrets" / "hmac.hex"),
        "KEYS_DIR": str(tmp_path / "keys"),
    }
    signing, hmac, trust = make_keys(PROFILE, places)
    assert (str(signing), str(hmac)) == (places["PASSPORT_SIGNING_KEY_FILE"], places["PASSPORT_HMAC_KEY_FILE"])
    assert trust == tmp_path / "keys" / "our_sellers" / "trust.json"


def test_without_keys_the_refusal_names_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationRefused, match="passport keys new"):
        load_keys("our_sellers", is_demonstration=False, environment={"KEYS_DIR": str(tmp_path)})
