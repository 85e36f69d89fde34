"""Read YAML without losing anything: a key given twice is an error, not the last value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from data_contracts.errors import ConfigurationRefused

if TYPE_CHECKING:
    from collections.abc import Hashable

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):  # type: ignore[misc]  # the base is chosen when it runs: in C if it was built
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} is given twice", key.start_mark)
            seen.add(name)
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return found


def read_yaml(data: bytes | str, file: str) -> Any:  # noqa: ANN401 - the content is free-form until checked
    """Return the content of a YAML text; ``file`` names it in errors.

    Raises:
        ConfigurationRefused: it is not YAML, or a key is given twice in one mapping.
    """
    try:
        return yaml.load(data, Loader=_Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationRefused(f"{file}: {' '.join(str(error).split())}", "correct the file") from error
