"""The registry of source mappings, by name."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_contracts.definition.compiler import source_contract, source_names, template_names
from data_contracts.definition.templates import PREFIX
from data_contracts.errors import ConfigurationRefused
from data_contracts.mapping.template_mapping import template_mapping

if TYPE_CHECKING:
    from data_contracts.definition.contract import CompiledContract
    from data_contracts.mapping.source_mapping import SourceMapping

# Reference lists: they describe other files and contain no events of their own.
REFERENCE_LISTS = ("delivery_manifest", "exchange_rates")


@dataclass(frozen=True)
class Source:
    """A source of raw files: the contract of its files, and its mapping to canonical tables."""

    contract: CompiledContract
    mapping: SourceMapping


@functools.cache
def mapped_sources() -> tuple[str, ...]:
    """Return the sources that map to canonical tables, then our own templates, each in alphabetical order."""
    exports = (name for name in source_names() if name not in REFERENCE_LISTS)
    return (*exports, *(f"{PREFIX}{table}" for table in template_names()))


@functools.cache
def source_mapping(name: str) -> SourceMapping:
    """Return the mapping of a source.

    Raises:
        ConfigurationRefused: there is no such source.
    """
    if name not in mapped_sources():
        known = ", ".join(mapped_sources())
        raise ConfigurationRefused(f"there is no source {name!r}", f"use one of {known}")
    if name.startswith(PREFIX):
        return template_mapping(name.removeprefix(PREFIX))
    # The name is one of our own folders, so no other code can be imported here.
    module = importlib.import_module(f"data_contracts.sources.{name}.mapping")
    mapping: SourceMapping = module.MAPPING
    return mapping


@functools.cache
def known_source(name: str) -> Source:
    """Return a source by its name.

    Raises:
        ConfigurationRefused: there is no such source.
    """
    mapping = source_mapping(name)
    return Source(source_contract(name), mapping)
