"""The version of each contract beside a digest of its rules, so that no rule changes under a version in use.

Every row names the version of the contract that it was read under. Two rows with one version must have met the same
rules, so a change of anything but words asks for another version.
"""

from __future__ import annotations

import dataclasses
import json
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from data_contracts.digest import sha256_bytes
from data_contracts.errors import ConfigurationRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from data_contracts.definition.contract import CompiledContract

# Words for people, and what is recorded beside the digest.
_WORDS: Final = frozenset({"title", "purpose", "description", "description_zh", "verification", "digest", "version"})


def rules_digest(contract: CompiledContract) -> str:
    """Return the SHA-256 of what decides how a contract reads and judges rows: everything but its words."""
    return sha256_bytes(json.dumps(_plain(contract), ensure_ascii=False, sort_keys=True).encode())


def recorded_versions(contracts: Iterable[CompiledContract], before: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return the record of all contracts by identifier: ``version`` and ``rules_sha256``.

    Args:
        contracts: the contracts as they are.
        before: the record so far.

    Raises:
        ConfigurationRefused: the rules of a contract changed, and its version was not raised.
    """
    found = {}
    for contract in contracts:
        digest, earlier = rules_digest(contract), before.get(contract.contract_id)
        if earlier is not None and earlier["rules_sha256"] != digest:
            _require_raised(contract, earlier["version"])
        found[contract.contract_id] = {"version": contract.version, "rules_sha256": digest}
    return dict(sorted(found.items()))


def _require_raised(contract: CompiledContract, earlier: str) -> None:
    if _numbers(contract.version) <= _numbers(earlier):
        raise ConfigurationRefused(
            f"the rules of contract {contract.contract_id} changed, and its version {contract.version} was not raised",
            "raise its version, then run make docs (passport contract diff OLD NEW lists the changes)",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _plain(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value of a contract as JSON, without words."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (field.name for field in dataclasses.fields(value) if field.name not in _WORDS)
        return {name: _plain(getattr(value, name)) for name in fields}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value if isinstance(value, (bool, int, str, type(None))) else str(value)
