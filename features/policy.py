"""The policy file: every threshold of features and rules, with its meaning and its source."""

from __future__ import annotations

import functools
import re
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from data_contracts.errors import ConfigurationRefused
from data_contracts.strict_yaml import read_yaml
from features.record import Name, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE: Final = "features/policy.yaml"
_PLACE: Final = re.compile(r"\{([a-z0-9_]+)\}")


class Threshold(BaseModel):
    """A number that separates usual from unusual.

    Attributes:
        value: the number.
        meaning: what it separates, in words.
        source: the paper, regulation or standard that proposes it, or "own".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: int | float
    meaning: Text
    source: Text


class Policy(BaseModel):
    """All thresholds by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    thresholds: dict[Name, Threshold]

    def filled(self, text: str, words: Mapping[str, str] = MappingProxyType({})) -> str:
        """Return a formula or a sentence with each name in braces replaced, by ``words`` or by a threshold.

        Raises:
            ValueError: a name in braces is neither.
        """
        return _PLACE.sub(lambda place: words.get(place[1]) or self._text(place[1]), text)

    def _text(self, name: str) -> str:
        if name not in self.thresholds:
            raise ValueError(f"{_FILE} has no threshold {name!r}")
        return str(self.thresholds[name].value)


@functools.cache
def load_policy() -> Policy:
    """Return the packaged policy.

    Raises:
        ConfigurationRefused: the file is not valid.
    """
    content = read_yaml(resources.files("features").joinpath("policy.yaml").read_bytes(), _FILE)
    try:
        return Policy.model_validate({"thresholds": content})
    except ValidationError as error:
        raise ConfigurationRefused(f"{_FILE}: {' '.join(str(error).split())}", "correct the file") from error
