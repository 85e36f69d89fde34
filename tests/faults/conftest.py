"""Scenes of the fault campaigns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from pipelines import ingest
from pipelines.ingest_settings import ValidationSettings
from pipelines.keys import load_keys
from pipelines.profiles import load_profile
from pipelines.publish import write_json
from pipelines.stages import Place
from tests.factories.crashes import Scene
from tests.factories.invoice_world import AS_OF, publish_tables, write_invoice_bundle
from tests.factories.published import publish, record
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
from tests.factories.scoring import KEYS

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


def profile_of(raw_dir: Path) -> SimpleNamespace:
    """What ingest and validation read of a profile."""
    return SimpleNamespace(
        name=PROFILE,
        title="A test",
        is_synthetic=True,
        is_demonstration=True,
        evidence="synthetic world",
        ingest=ingest_settings(raw_dir=raw_dir, worker_count=1, quarantine_limit_share=1.0),
        validation=ValidationSettings(quarantine_limit_share=1.0),
    )


@pytest.fixture(scope="session")
def score_scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Forty applicants and two passports, after an earlier model's scores were published."""
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
        keys = mock.patch("pipelines.score.load_keys", return_value=KEYS)
        with keys, mock.patch.dict("os.environ", {"KEYS_DIR": str(copy / "keys")}):
            yield

    scene = Scene("score", "pipelines.score", start, lambda _: profile, around)
    digest = write_invoice_bundle(train / "bundle")

    def promote(version: str) -> None:
        write_json(register / "registration.json", {"champion": {"version": version, "bundle_sha256": digest}})
        record(train, register)

    promote("1")
    with mock.patch("time.perf_counter", return_value=0.0):
        scene.run(start)
    promote("2")
    return scene


@pytest.fixture(scope="session")
def ingest_scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A second delivery after a first one was published.

    Reading it changes nothing on disk (a test of its own), so what it gives is read once for all runs.
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

    return Scene("ingest", "pipelines.ingest", start, lambda copy: profile_of(copy / "raw"), around)
