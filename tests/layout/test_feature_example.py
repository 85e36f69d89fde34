"""The worked example of a feature is a patch that applies, and its feature has the values that the guide states."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
GUIDE = CHECKOUT / "docs" / "add_a_feature.md"
PATCH = CHECKOUT / "docs" / "examples" / "days_late_mean.patch"
COPIED = ("data_contracts", "features", "lending", "models", "pipelines", "simulator", "tests")


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the checkout with the example applied."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", copy)
    git = shutil.which("git")
    assert git
    subprocess.run([git, "apply", str(PATCH)], check=True, cwd=copy)
    return copy


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def test_the_guide_shows_the_record_and_the_case_of_the_patch(changed: Path) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    record = re.search(r"```yaml\n(  usual_delay:.*?)```", guide, flags=re.DOTALL)
    assert record
    assert squeezed(record[1]) in squeezed((changed / "features/pillars/liquidity.yaml").read_text(encoding="utf-8"))
    added = [line[1:] for line in PATCH.read_text(encoding="utf-8").splitlines() if re.match(r"\+[^+]", line)]
    case = next(line for line in added if line.startswith("days_late_mean_365d"))
    assert case in guide
    assert "version: 1.4.0" in added
    assert "version: 1.4.0" in guide


@pytest.mark.slow
def test_the_feature_has_the_values_of_its_case(changed: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests/spec", "-k", "loans"]
    done = subprocess.run(command, check=False, cwd=changed, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
