"""Every flipped bit in stored data is noticed: 300 bits in each kind of stored file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

import pipelines
from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from models.registry.bundle import load_bundle
from models.registry.promotion_ledger import LEDGER_FILE, Decision, Ledger
from pipelines.passports.passport import Evidence, issue_passport
from pipelines.passports.verify import VerifyOptions, exit_code_of, verify_command
from pipelines.runs.stages import CURRENT, MANIFEST, Place, current_output, current_run
from pipelines.score.chunk_files import ChunkFolder, score_in_chunks
from pipelines.score.scorer import score_chunk
from pipelines.signing.keys import load_keys, trust_file_for
from tests.factories.faults.crashes import Scene
from tests.factories.scoring import ISSUED_ON, KEYS, applicants, context, small_bundle, write_small_bundle
from tests.unit.pipelines.passports.test_passport import TERMS

FLIPS = 300


def flips(path: Path, count: int = FLIPS) -> Iterator[int]:
    """Flip one bit in one file after another, ``count`` of them or all; each stays flipped until the next one."""
    data = path.read_bytes()
    chosen = np.random.default_rng(len(data)).choice(8 * len(data), min(count, 8 * len(data)), replace=False)
    for bit in chosen.tolist():
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        yield bit
    path.write_bytes(data)


def unnoticed(path: Path, is_noticed: Callable[[], bool], count: int = FLIPS) -> list[int]:
    """Return the bits whose flip was not noticed; without a flip nothing may be noticed."""
    assert not is_noticed(), f"{path.name} is refused as it is"
    missed = [bit for bit in flips(path, count) if not is_noticed()]
    assert not is_noticed()
    return missed


def refused(read: Callable[[], object], refusal: type[Exception] = IntegrityRefused) -> Callable[[], bool]:
    """Return whether reading is refused."""

    def is_refused() -> bool:
        try:
            read()
        except refusal:
            return True
        return False

    return is_refused


@pytest.fixture(scope="module")
def published(ingest_scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return the output that ingest published."""
    return ingest_scene.place(ingest_scene.copy(tmp_path_factory.mktemp("published") / "copy"))


@pytest.mark.parametrize("name", ["tables/trade_invoice.parquet", "row_counts.json"])
def test_a_flipped_bit_in_a_published_file_is_noticed_by_every_reader(published: Place, name: str) -> None:
    path = current_run(published, "ingest") / name
    assert unnoticed(path, refused(lambda: current_output(published, "ingest", name))) == []


@pytest.mark.parametrize("name", [MANIFEST, CURRENT])
def test_a_flipped_bit_in_what_leads_to_the_files_is_noticed(published: Place, name: str) -> None:
    run_dir = current_run(published, "ingest")
    path = run_dir / MANIFEST if name == MANIFEST else run_dir.with_name(CURRENT)
    assert unnoticed(path, refused(lambda: current_run(published, "ingest"))) == []


def test_every_stage_reads_its_inputs_with_the_check() -> None:
    folder = Path(pipelines.__file__).parent
    unchecked = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if "current_run(" in path.read_text(encoding="utf-8")
    }
    assert unchecked == {
        "runs/stages.py",
        # Raw files of a synthetic world are checked one by one against the digests in their delivery manifest.
        "ingest/stage.py",
        # The delivery log asks which run is in force, and reads no file of it.
        "ingest/deliveries/log.py",
        # The pages over a run ask where it is, and read its files with the check.
        "index/run_record.py",
        # Training runs are compared by files that are checked against the manifest of their own run.
        "register/training_runs.py",
    }


def test_a_flipped_bit_in_the_promotion_ledger_is_noticed(tmp_path: Path) -> None:
    decision = Decision(
        outcome="promoted",
        model_name="seller-default",
        version="1",
        bundle_sha256="ab" * 32,
        decided_at=datetime(2025, 1, 2, tzinfo=UTC),
        approver="committee",
        reason="first",
        gates=(),
    )
    for _ in range(2):
        Ledger(tmp_path).append(decision, KEYS.signing_key)
    assert unnoticed(tmp_path / LEDGER_FILE, refused(lambda: Ledger(tmp_path).read(KEYS.public_key))) == []


def test_a_flipped_bit_in_any_file_of_a_bundle_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    write_small_bundle(folder)
    is_noticed = refused(lambda: load_bundle(folder, [KEYS.public_key]))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert not is_noticed()
    for path in files:
        assert [bit for bit in flips(path, FLIPS // len(files) + 1) if not is_noticed()] == []
    assert not is_noticed()


def test_a_flipped_bit_in_a_signed_passport_is_noticed(tmp_path: Path) -> None:
    row = score_chunk(context(), applicants(1)).to_pylist()[0]
    path, trust = tmp_path / "passport.json", tmp_path / "trust.json"
    path.write_bytes(issue_passport(row, small_bundle(), Evidence({}), TERMS).data)
    trust.write_bytes(trust_file_for(KEYS, "test issuer", date(2025, 1, 1)))
    options = VerifyOptions(on=ISSUED_ON, trust=trust)
    assert unnoticed(path, lambda: exit_code_of(verify_command([path], options)) == 2) == []


def test_a_flipped_bit_in_a_chunk_of_an_interrupted_scoring_run_is_noticed_and_the_chunk_scored_again(
    tmp_path: Path,
) -> None:
    chunks = [applicants(3)]
    scored = score_chunk(context(), chunks[0])
    times: list[int] = []

    def score(_: object) -> object:
        times.append(1)
        return scored

    folder = ChunkFolder(tmp_path / "chunks", b"key of the issuer")
    (file,) = score_in_chunks(chunks, score, folder)  # type: ignore[arg-type]
    data = file.read_bytes()
    for done, _ in enumerate(flips(file), start=1):
        assert score_in_chunks(chunks, score, folder) == (file,)  # type: ignore[arg-type]
        assert len(times) == 1 + done
        assert file.read_bytes() == data


@pytest.mark.parametrize("name", ["signing_key.pem", "hmac_key.hex"])
def test_a_flipped_bit_in_a_key_is_noticed_though_it_may_make_another_key(tmp_path: Path, name: str) -> None:
    def load() -> object:
        return load_keys("demo", is_demonstration=True, environment={"KEYS_DIR": str(tmp_path)})

    load()
    path = tmp_path / "demo" / name
    assert unnoticed(path, refused(load, ConfigurationRefused)) == []
    assert unnoticed(path.with_name(f"{name}.sha256"), refused(load, ConfigurationRefused)) == []
