"""Scenes of the fault tests."""

from __future__ import annotations

import functools
import json
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from data_contracts.errors import GateFailed
from models.registry.mlflow_client import DATABASE
from models.registry.promotion_ledger import LEDGER_FILE, Decision, Ledger
from pipelines.ingest import stage as ingest
from pipelines.ingest.batches import workers as batch_reading
from pipelines.ingest.deliveries.manifest import find_deliveries
from pipelines.profiles import load_profile
from pipelines.profiles.ingest_settings import ValidationSettings
from pipelines.register import decision
from pipelines.register import stage as register
from pipelines.register.registry import registry_of
from pipelines.reports.validation_page import render_validation_page
from pipelines.runs.publish import read_parquet, write_json
from pipelines.runs.sandbox import Call
from pipelines.runs.stages import Place, current_output
from pipelines.signing.keys import load_keys
from pipelines.validate import stage as validate
from pipelines.validate.reconciliation import reconciled
from pipelines.validate.table_checks import validate_tables
from tests.factories.faults.crashes import Scene
from tests.factories.files.templates import template_csv, template_row
from tests.factories.invoice_world import AS_OF, invoice_meta, publish_tables, write_invoice_bundle
from tests.factories.published import champion_version, evaluation, publish, publish_candidate, record
from tests.factories.raw_files import (
    RawFile,
    amazon_amount,
    amazon_file,
    amazon_total,
    ingest_settings,
    vat_file,
    vat_row,
    write_raw_folder,
)
from tests.factories.scoring import KEYS, META, write_small_bundle

PROFILE = "test"
FIRST_DELIVERY = (RawFile("v/1.csv", "vat_invoices", vat_file("sale", [vat_row("1"), vat_row("2")]), "S000001"),)
SECOND_DELIVERY = (
    *FIRST_DELIVERY,
    RawFile(
        "v/2.csv",
        "vat_invoices",
        vat_file("sale", [vat_row("2"), vat_row("3"), vat_row("4", amounts="x,0,0")]),
        "S000001",
    ),
    RawFile(
        "a/1.txt",
        "amazon_settlement_v2",
        amazon_file([amazon_total("1", "9.00"), amazon_amount("1", "9.00")]),
        "S000001",
        "A",
    ),
)


# Above three times these, a batch goes in parts.
PART_BYTES = 1_500
PARTITIONED_DELIVERY = (
    *FIRST_DELIVERY,
    RawFile(
        "m/1.csv",
        "template_money_event",
        template_csv(
            [
                *(template_row("money_event", f"E{number}", event_type="sale", amount="5") for number in range(60)),
                template_row("money_event", "E3", event_type="sale", amount="5"),
                template_row("money_event", "E61", event_type="sale", amount="five"),
            ]
        ),
        "S000001",
        delivered_at="2023-12-31 00:00:00",
    ),
)


def profile_of(raw_dir: Path, **settings: object) -> SimpleNamespace:
    """Return what ingest and validation read of a profile; ``settings`` are ingest settings."""
    return SimpleNamespace(
        name=PROFILE,
        title="A test",
        is_synthetic=True,
        is_demonstration=True,
        evidence="synthetic world",
        ingest=ingest_settings(raw_dir=raw_dir, worker_count=1, quarantine_limit_share=1.0, **settings),
        validation=ValidationSettings(quarantine_limit_share=1.0),
        observations=SimpleNamespace(last_as_of=AS_OF),
    )


@pytest.fixture(scope="session")
def score_scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Return a scene with forty applicants and two passports, after an earlier model's scores were published."""
    start = tmp_path_factory.mktemp("score") / "start"
    demo = load_profile("demo")
    scoring = demo.scoring.model_copy(update={"issued_on": AS_OF, "passport_count": 2, "chunk_rows": 16})
    observations = demo.observations.model_copy(update={"last_as_of": AS_OF})
    profile = demo.model_copy(update={"scoring": scoring, "observations": observations})
    place = Place(profile.name, start / "out")
    publish_tables(place)
    train, register = publish(place, "train"), publish(place, "register")

    @contextmanager
    def around(copy: Path) -> Iterator[None]:
        keys = mock.patch("pipelines.score.stage.load_keys", return_value=KEYS)
        with keys, mock.patch.dict("os.environ", {"KEYS_DIR": str(copy / "keys")}):
            yield

    scene = Scene("score", "pipelines.score.stage", start, lambda _: profile, around)

    def promote(version: str) -> None:
        shutil.rmtree(train / "bundle", ignore_errors=True)
        meta = invoice_meta().model_copy(update={"model_version": version})
        digest = write_invoice_bundle(train / "bundle", meta)
        passed = Decision(
            outcome="promoted",
            model_name=profile.model.name,
            version=version,
            bundle_sha256=digest,
            decided_at=datetime(2024, 7, int(version), tzinfo=UTC),
            approver="Li Wei",
            reason="passed every gate",
            gates=(),
        )
        Ledger(place.root / "ledger").append(passed, KEYS.signing_key)
        write_json(register / "registration.json", {"champion": {"version": version, "bundle_sha256": digest}})
        record(train, register)

    promote("1")
    with mock.patch("time.perf_counter", return_value=0.0):
        scene.run(start)
    promote("2")
    return scene


@pytest.fixture(scope="session")
def ingest_scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Return a scene with a second delivery after a first one was published.

    Reading it does not change the disk (another test checks that), so it is read once for all runs.
    """
    folder = tmp_path_factory.mktemp("ingest")
    start = folder / "start"
    raw, out = start / "raw", start / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYS_DIR", str(start / "keys"))
        write_raw_folder(raw, FIRST_DELIVERY)
        with mock.patch("time.perf_counter", return_value=0.0):
            ingest.run(profile_of(raw), Place(PROFILE, out))  # type: ignore[arg-type]
        keys = load_keys(PROFILE, is_demonstration=True, environment={"KEYS_DIR": str(start / "keys")})
        write_raw_folder(raw, SECOND_DELIVERY)
        found = ingest.deliveries_in(raw, ingest_settings())
        result = ingest.ingest_files(raw, found, ingest_settings(worker_count=1), keys.hmac_key)

    @contextmanager
    def around(copy: Path) -> Iterator[None]:
        keys_of_copy = mock.patch.dict("os.environ", {"KEYS_DIR": str(copy / "keys")})
        read = mock.patch.multiple(ingest, deliveries_in=lambda *_: found, ingest_files=lambda *_: result)
        with keys_of_copy, read:
            yield

    return Scene("ingest", "pipelines.ingest.stage", start, lambda copy: profile_of(copy / "raw"), around)


@pytest.fixture(scope="session")
def partitioned_scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Return a scene with a delivery that is ingested in partitions, after a small first one was published."""
    start = tmp_path_factory.mktemp("parted") / "start"
    raw = start / "raw"

    @contextmanager
    def around(copy: Path) -> Iterator[None]:
        with mock.patch.dict("os.environ", {"KEYS_DIR": str(copy / "keys")}):
            yield

    scene = Scene(
        "ingest", "pipelines.ingest.stage", start, lambda copy: profile_of(copy / "raw", batch_bytes=PART_BYTES), around
    )
    write_raw_folder(raw, FIRST_DELIVERY)
    with mock.patch("time.perf_counter", return_value=0.0):
        scene.run(start)
    write_raw_folder(raw, PARTITIONED_DELIVERY)
    return scene


@pytest.fixture(scope="session")
def partitioned_in_process(partitioned_scene: Scene) -> Scene:
    """Return the same scene without a reading process, so that the run itself makes every call to the disk."""

    @contextmanager
    def around(copy: Path) -> Iterator[None]:
        def called(calls: Sequence[Call[object]], process_count: int) -> Iterator[object]:
            assert process_count == 1
            yield from (call.function(*call.arguments) for call in calls)

        found = find_deliveries(copy / "raw", partitioned_scene.profile(copy).ingest)
        here = mock.patch.object(batch_reading, "run_each_in_sandbox", called)
        with partitioned_scene.around(copy), here, mock.patch.object(ingest, "deliveries_in", return_value=found):
            yield

    return replace(partitioned_scene, around=around)


@pytest.fixture(scope="session")
def validate_scene(ingest_scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Return a scene with tables of a second ingest, after those of a first one were validated.

    Checking them does not change the disk (another test checks that), so they are checked once for all runs.
    """
    start = tmp_path_factory.mktemp("validate") / "start"
    shutil.copytree(ingest_scene.start, start)
    place = Place(PROFILE, start / "out")
    with mock.patch("time.perf_counter", return_value=0.0):
        validate.run(profile_of(start), place)  # type: ignore[arg-type]
        ingest_scene.run(start)
    paths = sorted((current_output(place, "ingest") / "tables").glob("*.parquet"))
    result = validate_tables({path.stem: read_parquet(path) for path in paths})
    checked = reconciled(result.accepted, AS_OF)
    render = functools.cache(lambda text, language: render_validation_page(json.loads(text), language))

    @contextmanager
    def around(_: Path) -> Iterator[None]:
        with mock.patch.multiple(
            validate,
            validate_tables=lambda *_: result,
            reconciled=lambda *_: checked,
            render_validation_page=lambda document, language: render(json.dumps(document), language),
        ):
            yield

    return Scene("validate", "pipelines.validate.stage", start, profile_of, around)


@pytest.fixture(scope="session", params=["promoted", "refused"])
def register_scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Return a scene with a second candidate that will be promoted, or refused, after a first one was promoted."""
    start = tmp_path_factory.mktemp(f"register_{request.param}") / "start"
    profile = load_profile("demo")
    place = Place(profile.name, start / "out")

    @contextmanager
    def around(copy: Path) -> Iterator[None]:
        # MLflow keeps whole paths.
        with closing(sqlite3.connect(copy / "out" / profile.name / DATABASE)) as database, database:
            artifacts = (copy / "out" / profile.name / "mlflow-artifacts").resolve().as_uri()
            database.execute("UPDATE experiments SET artifact_location = ?", [artifacts])
        clock = mock.Mock(now=lambda _: datetime(2026, 1, 1, tzinfo=UTC))
        given = mock.patch.object(register, "load_keys", return_value=KEYS)
        at_a_time = mock.patch.object(decision, "datetime", clock)
        heads = mock.patch.dict("os.environ", {"KEYS_DIR": str(copy / "keys")})
        with given, at_a_time, heads, suppress(GateFailed):
            yield

    def decided(copy: Path) -> dict[str, bytes]:
        root = copy / "out" / profile.name
        with closing(sqlite3.connect(root / DATABASE)) as database:
            versions = database.execute("SELECT name, version, status FROM model_versions").fetchall()
            aliases = database.execute("SELECT name, alias, version FROM registered_model_aliases").fetchall()
            running = database.execute("SELECT run_uuid FROM runs WHERE status = 'RUNNING'").fetchall()
        assert running == [], "a registration that was stopped has left a run running"
        ledger = (root / "ledger" / LEDGER_FILE).read_bytes()
        return {"ledger": ledger, "registry": repr((sorted(versions), sorted(aliases))).encode()}

    scene = Scene("register", "pipelines.register.stage", start, lambda _: profile, around, decided)
    publish_candidate(place)
    champion_version(registry_of(place, profile.model.name))  # makes the database
    with mock.patch("time.perf_counter", return_value=0.0):
        scene.run(start)
    publish_candidate(place, evaluation(auc_gain=0.01 if request.param == "promoted" else -0.05), "run2")
    train = place.stage_dir("train") / "run2"
    shutil.rmtree(train / "bundle")
    write_small_bundle(train / "bundle", META.model_copy(update={"model_version": "2.0.0"}))
    record(train)
    return scene
