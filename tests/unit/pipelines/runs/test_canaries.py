"""Content of personal columns appears nowhere in the outputs of ingest and validation, source by source."""

from __future__ import annotations

import base64
import io
import logging
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import python_calamine

from data_contracts.definition.compiler import source_contract, template_names
from data_contracts.definition.contract import CompiledContract
from data_contracts.definition.templates import PREFIX
from data_contracts.privacy import open_sealed_original
from pipelines.ingest import stage as ingest
from pipelines.profiles.ingest_settings import ValidationSettings
from pipelines.runs.stages import Place, current_run
from pipelines.signing.keys import load_keys
from pipelines.validate import stage as validate
from tests.factories.files.templates import SELLER, template_csv, template_row
from tests.factories.files.workbooks import workbook
from tests.factories.raw_files import RawFile, ingest_settings, write_raw_folder
from tests.unit.data_contracts.sources.test_privacy import SAMPLES, spiked

pytestmark = pytest.mark.slow


def personal_columns(source: str) -> list[str]:
    columns = source_contract(source).columns
    return [column.header for column in columns if column.classification == "personal"]


TEMPLATES = [f"{PREFIX}{table}" for table in template_names() if personal_columns(f"{PREFIX}{table}")]
SOURCES = sorted([*SAMPLES, *TEMPLATES])


def canary_of(source: str) -> str:
    """Return a word that never occurs by chance and identifies its source."""
    return f"Wq7Canary{SOURCES.index(source):03}x"


def sample(source: str) -> bytes:
    """Return a file of the source with its canary in every personal column."""
    canary = canary_of(source)
    if source in SAMPLES:
        return spiked(SAMPLES[source], source, canary)
    headers = personal_columns(source)
    row = template_row(source.removeprefix(PREFIX), **{header: f"{canary}-{n}" for n, header in enumerate(headers)})
    return template_csv([row])


def damaged(source: str, contract: CompiledContract) -> bytes:
    """Return the same file with a fault in each row, so that each is quarantined with its original."""
    data = sample(source)
    form = contract.read_spec.format if contract.read_spec else ""
    canary = canary_of(source)
    if form == "xlsx":
        book = python_calamine.load_workbook(io.BytesIO(data))
        sheets = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
        return workbook({name: [*rows[:-1], [*rows[-1], None, canary]] for name, rows in sheets.items()})
    if form in {"delimited", "tabular", "tagged"}:
        delimiter = (contract.read_spec.delimiter if contract.read_spec else ",").encode()
        header, row, *others = data.rstrip(b"\n").split(b"\n")
        return b"\n".join([header, row + delimiter + canary.encode() + delimiter, *others, b""])
    for year in (b"2023", b"2021", b"2019", b"20230301"):
        data = data.replace(year, b"20x" + year[3:])
    # Account messages: an amount that does not add up, and one that is none.
    return data.replace(b"RD7,00", b"RD8,00").replace(b"<TRNAMT>1200.50", b"<TRNAMT>twelve")


@dataclass(frozen=True)
class Left:
    """What a run left: every file by name as text, its log, and the opened seals by source."""

    files: dict[str, str]
    logged: str
    opened: dict[str, list[bytes]]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    folder = tmp_path_factory.mktemp("canaries")
    files = []
    for source in SOURCES:
        for name, data in (("good", sample(source)), ("bad", damaged(source, source_contract(source)))):
            files.append(RawFile(f"{source}/{name}", source, data, SELLER, f"shop-{name}", covered_to="2024-12-31"))
    raw = write_raw_folder(folder / "raw", files)
    profile = SimpleNamespace(
        name="test", title="A test", is_synthetic=True, is_demonstration=True, evidence="synthetic world",
        ingest=ingest_settings(raw_dir=raw, quarantine_limit_share=1.0),
        validation=ValidationSettings(quarantine_limit_share=1.0),
        observations=SimpleNamespace(last_as_of=date(2023, 12, 31)),
    )  # fmt: skip
    place = Place("test", folder / "out")
    told: list[str] = []
    handler = logging.Handler(logging.DEBUG)
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYS_DIR", str(folder / "keys"))
        logging.getLogger().addHandler(handler)
        ingest.run(profile, place)  # type: ignore[arg-type]
        validate.run(profile, place)  # type: ignore[arg-type]
        logging.getLogger().removeHandler(handler)
        keys = load_keys("test", is_demonstration=True, environment={"KEYS_DIR": str(folder / "keys")})
    opened = {}
    for path in (current_run(place, "ingest") / "quarantine").glob("*.parquet"):
        originals = [one for one in pq.read_table(path)["original"].to_pylist() if one]
        opened[path.stem] = [open_sealed_original(one, keys.hmac_key) for one in originals]
    files_left = {str(path): text_of(path) for path in (folder / "out").rglob("*") if path.is_file()}
    return Left(files_left, "\n".join(told), opened)


def text_of(path: Path) -> str:
    if path.suffix == ".parquet":
        return str(pq.read_table(path).to_pydict()).lower()
    return path.read_bytes().decode("utf-8", "replace").lower()


def forms_of(canary: str) -> set[str]:
    """Return the forms of a word: plain, hexadecimal, and base64 at each of its three offsets."""
    word = canary.encode()
    packed = [base64.b64encode(b"x" * shift + word)[4:-4].decode() for shift in range(3)]
    return {form.lower() for form in (canary, word.hex(), *packed)}


@pytest.mark.parametrize("source", SOURCES)
def test_a_canary_of_a_personal_column_is_found_nowhere_but_under_seal(source: str, left: Left) -> None:
    assert any(canary_of(source).encode() in original for original in left.opened[source]), "it must have been put in"
    for form in forms_of(canary_of(source)):
        assert [name for name, text in left.files.items() if form in text] == []
        assert form not in left.logged.lower()


def test_tables_quarantine_accounts_log_and_reports_were_all_looked_through(left: Left) -> None:
    for part in (
        "/tables/",
        "/quarantine/",
        "row_counts.json",
        "ledger/deliveries.jsonl",
        "data.en.html",
        "manifest",
    ):
        assert any(part in name for name in left.files), part
