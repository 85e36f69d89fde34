"""A folder in which a test types commands as a user does."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.factories.small_run import environment

PASSPORT = Path(sys.executable).with_name("passport")


@dataclass(frozen=True)
class Desk:
    """A folder to type commands in, and its keys."""

    folder: Path
    keys: Path

    def type(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(PASSPORT), *map(str, arguments)]
        found = environment(self.keys, MLFLOW_DISABLE_TELEMETRY="true")
        done = subprocess.run(command, cwd=self.folder, env=found, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def refusal(self, *arguments: object, code: int = 2) -> str:
        """Run a command that must be refused, and return its one line."""
        done = self.type(*arguments)
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert line.startswith("passport: ")
        return line
