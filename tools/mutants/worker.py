"""Run tests in a process that was forked from one with the libraries already imported.

Nothing of the product is imported here: a forked process has to import it from the copy that holds the mutant.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# Importing these takes longer than most tests.
LIBRARIES: Final = (
    *("pytest", "hypothesis", "hypothesis.strategies", "numpy", "pandas", "pyarrow", "pyarrow.compute"),
    *("pyarrow.csv", "pyarrow.parquet", "duckdb", "scipy.special", "scipy.stats", "scipy.optimize", "networkx"),
    *("sklearn.linear_model", "lightgbm", "pydantic", "yaml", "great_expectations", "cryptography.hazmat.primitives"),
)
OPTIONS: Final = ("-x", "-q", "-n", "0", "-p", "no:cacheprovider")
# A mutant that gathers without end must not take the memory of the machine.
_MOST_MEMORY: Final = 4 * 2**30


def run_tests(folder: str, checkout: str, tests: Sequence[str]) -> None:
    """Run tests in a copy of the checkout, silently, and end this process with pytest's exit code."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.chdir(folder)
    # Container images often switch this off; each run would then compile the whole product.
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # Processes that tests start import the copy too, not the checkout that is installed.
    os.environ["PYTHONPATH"] = folder
    sys.path[:] = [folder, *(entry for entry in sys.path if entry not in {"", checkout})]

    import pytest  # noqa: PLC0415 - only here, so that the process that forks decides when it is imported

    sys.exit(int(pytest.main([*OPTIONS, *tests])))
