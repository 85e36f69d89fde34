"""A new HMAC key makes other pseudonyms and seals; only the old key opens the old seals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from data_contracts.privacy import open_sealed_original
from pipelines.ingest import stage as ingest
from pipelines.runs.publish import read_parquet
from pipelines.runs.stages import Place
from pipelines.signing.keys import HMAC_KEY_VARIABLE, load_keys, pseudonym
from tests.factories.raw_files import RawFile, cells, ingest_settings, shopify_file, shopify_order, write_raw_folder

EMAIL = "anna@example.com"
ORDERS = [
    shopify_order("#1", "1000", Email=EMAIL),
    shopify_order("#2", "1001", Email=f" {EMAIL.upper()}"),
    shopify_order("#3", "1002", Email="x@example.com"),
    shopify_order("#4", "1003", Email=EMAIL, Total="broken"),
]


@dataclass(frozen=True)
class Ingested:
    """What a run with one key left."""

    key: bytes
    run_dir: Path
    customers: list[str]
    others: list[Any]
    seal: bytes


@pytest.fixture
def rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Ingested, Ingested]:
    """Ingest the same delivery with one key and then, into the same place, with the next."""
    raw = write_raw_folder(
        tmp_path / "raw", [RawFile("s.csv", "shopify_orders", shopify_file(ORDERS), "S000001", "shop")]
    )
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    first, second = (ingested(tmp_path, raw, name, monkeypatch) for name in ("2025.hex", "2026.hex"))
    return first, second


def ingested(tmp_path: Path, raw: Path, key_file: str, monkeypatch: pytest.MonkeyPatch) -> Ingested:
    monkeypatch.setenv(HMAC_KEY_VARIABLE, str(tmp_path / key_file))
    settings = ingest_settings(raw_dir=raw, quarantine_limit_share=1.0)
    profile = SimpleNamespace(name="test", is_demonstration=True, ingest=settings)
    run_dir = ingest.run(profile, Place("test", tmp_path / "out")).run_dir  # type: ignore[arg-type]
    keys = load_keys("test", is_demonstration=True, environment={HMAC_KEY_VARIABLE: str(tmp_path / key_file)})
    orders = read_parquet(run_dir / "tables" / "site_order.parquet")
    (seal,) = cells(read_parquet(run_dir / "quarantine" / "shopify_orders.parquet"), "original")
    kept = orders.drop_columns("customer_id").to_pylist()
    return Ingested(keys.hmac_key, run_dir, cells(orders, "customer_id"), kept, seal)


def test_a_new_key_changes_every_pseudonym_and_nothing_else(
    rotated: tuple[Ingested, Ingested],
) -> None:
    old, new = rotated
    assert old.run_dir != new.run_dir
    assert old.others == new.others
    assert not set(old.customers) & set(new.customers)
    for one in rotated:  # a mailbox written in two ways is one person under either key
        assert one.customers[0] == one.customers[1] != one.customers[2]
    assert pseudonym(old.key, "S000001") != pseudonym(new.key, "S000001")


def test_only_the_old_key_opens_old_seals(rotated: tuple[Ingested, Ingested]) -> None:
    old, new = rotated
    assert old.seal != new.seal
    for one in rotated:
        assert open_sealed_original(one.seal, one.key).startswith(b"#4,anna@example.com")
    for sealed, key in ((old.seal, new.key), (new.seal, old.key)):
        with pytest.raises(InvalidTag):
            open_sealed_original(sealed, key)
