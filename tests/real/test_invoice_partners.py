"""Trading partners in the real invoices, and the features they can support."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from features.catalogue import load_feature_set
from features.record import GraphFeature

if TYPE_CHECKING:
    from pathlib import Path

SIDES = {"purchase": "销方单位代号", "sales": "购方单位代号"}


@pytest.fixture(scope="module")
def pairs(shared_data: Path) -> dict[tuple[str, str], pd.DataFrame]:
    """Return distinct (firm, partner) pairs, by sample and side."""
    return {
        (sample, side): partners(shared_data / "cumcm2020c" / f"{sample}_record_{side}_invoices.zip", header)
        for sample in ("with", "without")
        for side, header in SIDES.items()
    }


def partners(path: Path, header: str) -> pd.DataFrame:
    frames = []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".csv"):
                raw = io.BytesIO(archive.read(name))
                frames.append(pd.read_csv(raw, encoding="utf-8-sig", usecols=["企业代号", header], dtype=str))
    return pd.concat(frames).set_axis(["firm", "partner"], axis="columns").drop_duplicates()


@pytest.mark.parametrize("side", sorted(SIDES))
def test_no_partner_is_shared_between_the_learnt_and_the_scored(
    pairs: dict[tuple[str, str], pd.DataFrame], side: str
) -> None:
    """A neighbour's default would be known for every firm in training and for no scored firm."""
    learnt, scored = set(pairs["with", side]["partner"]), set(pairs["without", side]["partner"])
    assert learnt
    assert scored
    assert learnt & scored == set()


def test_so_the_sets_for_invoices_hold_no_neighbours_default() -> None:
    for name in ("trade_invoice", "trade_invoice_without_recency"):
        signals = {record.signal for record in load_feature_set(name).records if isinstance(record, GraphFeature)}
        assert signals
        assert "related_known_default_excess" not in signals


def test_partners_are_shared_widely_within_the_firms_learnt_from(pairs: dict[tuple[str, str], pd.DataFrame]) -> None:
    shared = {side: int((pairs["with", side]["partner"].value_counts() > 1).sum()) for side in SIDES}
    assert shared == {"purchase": 4668, "sales": 1629}
