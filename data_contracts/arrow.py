"""A name for Arrow values whose element type only the contract knows."""

from __future__ import annotations

from typing import Any, TypeAlias

Values: TypeAlias = Any
"""An Arrow array, chunked array or scalar. The published type stubs cannot follow types decided at run time."""
