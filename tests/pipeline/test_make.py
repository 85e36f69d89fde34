"""Make follows the dependencies: nothing is repeated without reason, and nothing is left out."""

from __future__ import annotations

import importlib
import re
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from data_contracts.digest import sha256_file
from pipelines.runs.stages import StageInputs
from tests.factories.small_run import CHECKOUT, PROFILE, STAGES, FinishedRun, make

SOURCES = (
    "data_contracts", "features", "models", "pipelines", "simulator", "Makefile", "pyproject.toml", "requirements.lock",
)  # fmt: skip
FOLLOWERS = {
    "world": {"ingest"},
    "ingest": {"validate"},
    "validate": {"features", "train", "explain", "score", "watch", "monitor"},
    "features": {"train", "explain", "register", "score", "monitor"},
    "train": {"explain", "register", "score", "monitor"},
    "explain": set(),
    "register": {"score"},
    "score": {"monitor"},
    "watch": set(),
    "monitor": set(),
}


@dataclass(frozen=True)
class Workshop:
    """A copy of the checkout and of a finished run that a test may change."""

    checkout: Path
    out: Path
    keys: Path

    def make(self, *arguments: str) -> list[str]:
        """Return the stages for which Make runs (or, with ``-n``, would run) a command, in order."""
        done = make(self.out, self.keys, *arguments, checkout=self.checkout)
        assert done.returncode == 0, done.stdout + done.stderr
        # A dry run prints the command of a stage, a real one the stage's line.
        pattern = rf"^(?:\S+/passport (?=\w+ --profile))?({'|'.join(STAGES)})(?: --profile|: )"
        return re.findall(pattern, done.stdout, flags=re.MULTILINE)

    def state(self, *names: str) -> dict[str, tuple[str, int]]:
        """Return content and time of ``CURRENT`` and ``CHECKED`` of every stage, or of the named ones."""
        chosen = names or STAGES
        files = [self.out / PROFILE / stage / name for stage in chosen for name in ("CURRENT", "CHECKED")]
        return {f"{path.parent.name}/{path.name}": (path.read_text(), path.stat().st_mtime_ns) for path in files}

    @property
    def raw(self) -> Path:
        folder = self.out / PROFILE / "world"
        return folder / (folder / "CURRENT").read_text().strip() / "raw"


@pytest.fixture(scope="module")
def finished(small_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Return a workshop with a finished run; tests must not change it."""
    return workshop_in(tmp_path_factory.mktemp("finished"), small_run)


@pytest.fixture
def workshop(small_run: FinishedRun, tmp_path: Path) -> Workshop:
    """Return a workshop that the test may change."""
    return workshop_in(tmp_path, small_run)


def workshop_in(folder: Path, small_run: FinishedRun) -> Workshop:
    for name in SOURCES:
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(CHECKOUT / name, folder / name)
    shutil.copytree(small_run.place.out, folder / "artifacts")
    return Workshop(folder, folder / "artifacts", small_run.keys)


def test_after_a_finished_run_there_is_nothing_to_do(finished: Workshop) -> None:
    before = finished.state()
    assert finished.make("-n", "run") == []
    assert finished.make("run") == []
    assert finished.state() == before


def test_a_run_prints_one_line_a_stage_and_then_where_to_look(small_run: FinishedRun) -> None:
    stages, _, rest = small_run.printed.partition("\n\n")
    lines = stages.splitlines()
    # Train also names what it sets aside, and how candidate and baselines did on the test rows.
    below = [line for line in lines if line.startswith("  ") and not line.startswith("  AUC of the candidate")]
    lines = [line for line in lines if line not in below]
    assert [line.split("  AUC ")[0].strip() for line in below if "log-loss" in line] == [
        *("gbm (candidate)", "linear", "scorecard", "blend", "best single variable"),
    ]
    assert [line for line in below if "log-loss" not in line] == [
        "  1 feature set aside, no declared direction: loan_count"
    ]
    # Register also says in two lines which model came into force.
    first = next(number for number, line in enumerate(lines) if line.startswith("seller-default: "))
    said = [lines.pop(first), lines.pop(first)]
    assert re.match(r"  AUC of the candidate [\d.]+ \(", said[1])
    assert [line.partition(":")[0] for line in lines] == [
        *("world", "ingest", "validate", "features", "train", "register", "score", "watch", "monitor", "explain"),
    ]
    assert lines[first - 1].startswith("register: ")
    assert all(re.search(r", [\d,.]+ s$", line) for line in lines)
    assert "\x1b" not in small_run.printed
    listed = [line.split()[-1] for line in rest.partition("Where to look\n")[2].partition("\n\n")[0].splitlines()]
    assert str(small_run.place.root / "index.html") in listed
    assert all(Path(name).exists() for name in listed)


def test_a_quiet_run_prints_nothing(finished: Workshop) -> None:
    next(finished.raw.glob("shopify_orders/*/*.csv")).touch()
    done = make(finished.out, finished.keys, "run", "QUIET=1", checkout=finished.checkout)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_verbose_run_prints_commands_and_reasons(finished: Workshop) -> None:
    next(finished.raw.glob("shopify_orders/*/*.csv")).touch()
    done = make(finished.out, finished.keys, "run", "VERBOSE=1", checkout=finished.checkout)
    assert re.search(r"^\S+/passport --verbose ingest --profile", done.stdout, flags=re.MULTILINE)
    assert re.search(r"^  quarantined by \S+: [\d,]+$", done.stdout, flags=re.MULTILINE)


def test_on_an_empty_place_every_stage_is_to_do(finished: Workshop, tmp_path: Path) -> None:
    planned = Workshop(finished.checkout, tmp_path / "artifacts", tmp_path / "keys").make("-n", "run")
    assert sorted(planned) == sorted(STAGES)
    assert all(planned.index(stage) < planned.index(next_one) for stage in STAGES for next_one in FOLLOWERS[stage])
    assert not (tmp_path / "artifacts").exists()


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_moved_is_followed_by_those_that_read_it(finished: Workshop, stage: str) -> None:
    current = finished.out / PROFILE / stage / "CURRENT"
    assert set(finished.make("-n", "-W", str(current), "run")) == FOLLOWERS[stage]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_lost_its_current_looks_again(finished: Workshop, stage: str) -> None:
    current = finished.out / PROFILE / stage / "CURRENT"
    hidden = current.rename(current.with_name("hidden"))
    planned = finished.make("-n", "run")
    hidden.rename(current)
    assert stage in planned
    assert set(planned) >= FOLLOWERS[stage]
    assert finished.make("-n", "run") == []


@pytest.mark.parametrize("stage", STAGES)
def test_make_watches_all_that_a_stage_hashes(
    finished: Workshop, small_run: FinishedRun, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYS_DIR", str(small_run.keys))
    inputs = stage_inputs(small_run, stage, monkeypatch)
    hashed = {path.resolve() for path in inputs.files.values()} | {
        (CHECKOUT / place).resolve() for place in inputs.code
    }
    sources = {path for place in hashed if place.is_relative_to(CHECKOUT) for path in files_under(place)}
    results = {
        path.relative_to(small_run.place.root).parts[0] for path in hashed if path.is_relative_to(small_run.place.root)
    }
    watched = prerequisites(finished, stage)
    assert {path.relative_to(CHECKOUT).as_posix() for path in sources} <= watched
    assert {f"{finished.out / PROFILE / read}/CURRENT" for read in results} <= watched
    assert f"pipelines/profiles/{PROFILE}.toml" in watched


def test_a_file_that_was_only_touched_is_hashed_again_and_nothing_else_happens(finished: Workshop) -> None:
    before = finished.state()
    next(finished.raw.glob("shopify_orders/*/*.csv")).touch()
    assert finished.make("run") == ["ingest"]
    after = finished.state()
    assert {name for name in before if before[name] != after[name]} == {"ingest/CHECKED"}
    assert finished.make("-n", "run") == []


def test_a_changed_template_makes_pages_again_and_no_model(workshop: Workshop) -> None:
    before = workshop.state()
    template = workshop.checkout / "pipelines" / "reports" / "templates" / "passport_page.html.j2"
    text = template.read_text(encoding="utf-8")
    assert "{% block content %}" in text
    template.write_text(text.replace("{% block content %}", "{% block content %}<!-- new -->"), encoding="utf-8")
    assert set(workshop.make("run")) == {"validate", "explain", "score", "monitor"}
    after = workshop.state()
    moved = {name for name in before if before[name] != after[name] and name.endswith("/CURRENT")}
    assert moved == {"score/CURRENT"}
    assert workshop.make("-n", "run") == []


def test_a_changed_source_file_changes_all_that_depends_on_it(workshop: Workshop) -> None:
    before = workshop.state()
    change_a_day_of_trading(workshop)
    assert workshop.make("train") == ["ingest", "validate", "features", "train"]
    after = workshop.state()
    moved = {name for name in before if before[name][0] != after[name][0]}
    assert moved == {f"{stage}/CURRENT" for stage in ("ingest", "validate", "features", "train")}
    assert {"explain", "register"} <= set(workshop.make("-n", "run"))


def test_a_user_profile_is_a_toml_file(finished: Workshop, tmp_path: Path) -> None:
    shipped = (finished.checkout / "pipelines" / "profiles" / f"{PROFILE}.toml").read_text()
    own = tmp_path / "mine.toml"
    own.write_text(shipped.replace(f'name = "{PROFILE}"', 'name = "our_sellers"', 1))
    done = make(finished.out, finished.keys, "-n", "run", checkout=finished.checkout, profile=str(own))
    assert (
        f"passport world --profile {own} --out {finished.out} && touch {finished.out}/our_sellers/world/" in done.stdout
    )


def test_a_profile_that_does_not_exist_is_refused_in_a_line(finished: Workshop) -> None:
    done = make(finished.out, finished.keys, "run", checkout=finished.checkout, profile="nonsense")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "nonsense" in line
    assert "demo" in line


def test_help_lists_every_target_with_a_description(tmp_path: Path) -> None:
    text = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    declared = re.search(r"^\.PHONY:((?:.|\\\n)*?)(?<!\\)$", text, flags=re.MULTILINE)
    assert declared is not None
    targets = {*declared[1].replace("$(STAGES)", " ".join(STAGES)).replace("\\", " ").split()} - {"force"}
    said = make(tmp_path, tmp_path, "help").stdout
    listed = {line.split()[0] for line in said.splitlines() if len(line.split()) > 2}
    assert targets <= listed
    assert {"run", "test", "setup", *STAGES} <= targets


def files_under(place: Path) -> list[Path]:
    suffixes = {".py", ".yaml", ".j2", ".css", ".toml", ".json"}
    found = [place] if place.is_file() else [path for path in place.rglob("*") if path.suffix in suffixes]
    return [path for path in found if "profiles" not in path.parts]


def stage_inputs(finished_run: FinishedRun, stage: str, monkeypatch: pytest.MonkeyPatch) -> StageInputs:
    """Return what a stage hashes, without running it."""

    class Captured(Exception):
        pass

    def capture(_name: str, _place: Any, inputs: StageInputs, _work: Any) -> None:  # noqa: ANN401 - passed on as they are
        raise Captured(inputs)

    module = importlib.import_module(f"pipelines.{stage}.stage")
    monkeypatch.setattr(module, "run_stage", capture)
    with pytest.raises(Captured) as caught:
        module.run(finished_run.profile, finished_run.place)
    inputs: StageInputs = caught.value.args[0]
    return inputs


def prerequisites(workshop: Workshop, stage: str) -> set[str]:
    """Return the prerequisites of a stage's ``CHECKED`` in Make."""
    done = make(workshop.out, workshop.keys, "-p", "-n", "help", checkout=workshop.checkout)
    target = f"{workshop.out / PROFILE / stage}/CHECKED: "
    lines = [line.removeprefix(target) for line in done.stdout.splitlines() if line.startswith(target)]
    return {name for line in lines for name in line.partition("|")[0].split()}


def change_a_day_of_trading(workshop: Workshop) -> None:
    """Change one day's number of sessions of an observed seller's shop, and the digest in the manifest."""
    features = workshop.out / PROFILE / "features"
    matrix = pq.read_table(features / (features / "CURRENT").read_text().strip() / "matrix.parquet").to_pylist()
    # A shop whose share of bounced sessions is known and not nothing, so that more sessions must change it.
    shops = [row for row in matrix if row["as_of"] == date(2022, 12, 31) and row["site_bounce_share_90d"]]
    observed = [row["seller_id"] for row in shops]
    names = [f"shop_traffic/{seller}/2022-2024.csv" for seller in observed]
    path = next(workshop.raw / name for name in names if (workshop.raw / name).is_file())
    days = path.read_text(encoding="utf-8").splitlines(keepends=True)
    place = next(number for number, line in enumerate(days) if line.startswith("2022-12-2"))
    cells = days[place].split(",")
    days[place] = ",".join([*cells[:2], str(int(cells[2]) + 1000), *cells[3:]])
    was = sha256_file(path)
    path.write_text("".join(days), encoding="utf-8")
    listed = workshop.raw / "deliveries.csv"
    listed.write_text(listed.read_text(encoding="utf-8").replace(was, sha256_file(path)), encoding="utf-8")


def test_cleaning_keeps_what_cannot_be_made_again(tmp_path: Path) -> None:
    root = tmp_path / "out" / PROFILE
    kept = [root / "ledger" / "promotions.jsonl", root / "mlflow.db", root / "mlflow-artifacts" / "1" / "model.json"]
    removed = [root / "train" / "run" / "bundle.json", root / "index.html", tmp_path / "out" / "notebooks" / "a.ipynb"]
    for path in (*kept, *removed):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    # The wheel and its metadata are beside the Makefile, so a copy of it stands in for the checkout.
    checkout = tmp_path / "checkout"
    shutil.copytree(CHECKOUT / "pipelines" / "profiles", checkout / "pipelines" / "profiles")
    shutil.copy(CHECKOUT / "Makefile", checkout)
    done = make(tmp_path / "out", tmp_path / "keys", "clean", checkout=checkout)
    assert done.returncode == 0, done.stderr
    assert sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file()) == sorted(kept)
    # Without an answer nothing is removed.
    refused = make(tmp_path / "out", tmp_path / "keys", "clean-registry", checkout=checkout)
    assert refused.returncode != 0
    assert all(path.is_file() for path in kept)
