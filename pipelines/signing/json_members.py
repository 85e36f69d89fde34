"""Members of JSON objects: a name that occurs twice has two meanings, one for each reader."""

from __future__ import annotations

from typing import Any


class RepeatedMember(ValueError):
    """A JSON object names a member twice."""


def unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of a JSON object; a hook for ``json.loads``.

    Raises:
        RepeatedMember: a name occurs twice.
    """
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise RepeatedMember(f"the member {name!r} is repeated")
        members[name] = value
    return members
