"""The plain form of a JSON record: values below a key of their own, and JSON inside a text, are opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_contracts.definition.contract import ReadSpec

Decode = Callable[[str], Any]


def plain_record(record: object, spec: ReadSpec, decode: Decode) -> object:
    """Return a record whose values are where the contract expects them.

    An object with the key ``spec.value_key`` stands for the value under it. A text at one of the paths of
    ``spec.json_in_text`` that holds a JSON array or object stands for that; other text is left as it is. Raises
    RecursionError if the record is nested too deeply.
    """
    if spec.value_key is not None:
        record = _values_lifted(record, spec.value_key)
    for path in spec.json_in_text:
        record = _text_opened(record, path.split("."), decode)
    return record


def _values_lifted(value: object, key: str) -> object:
    if isinstance(value, dict):
        if key in value:
            return value[key]
        # The type of the object tells whether it repeats a key.
        return type(value)({name: _values_lifted(inner, key) for name, inner in value.items()})
    if isinstance(value, list):
        return [_values_lifted(inner, key) for inner in value]
    return value


def _text_opened(value: object, path: Sequence[str], decode: Decode) -> object:
    if path:
        if not isinstance(value, dict) or path[0] not in value:
            return value
        return type(value)({**value, path[0]: _text_opened(value[path[0]], path[1:], decode)})
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return decode(value)
    except ValueError:
        return value
