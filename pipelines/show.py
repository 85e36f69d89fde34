"""``passport show SELLER``: what the last scoring run of a profile says of one seller, and where its passport is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import InputRefused
from pipelines.issuing import PASSPORTS_FOLDER
from pipelines.keys import pseudonym
from pipelines.publish import read_parquet
from pipelines.score_parts import SCORES_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from data_contracts.arrow import Values
    from pipelines.passports import Row


@dataclass(frozen=True)
class SellerResults:
    """The score rows of one seller, latest date first, and its passport and pages where one was issued."""

    seller_id: str
    rows: tuple[Row, ...]
    passport: Path | None
    pages: tuple[Path, ...]


def seller_results(scores: Path, seller_id: str, hmac_key: bytes) -> SellerResults:
    """What a folder of results says of a seller.

    Raises:
        InputRefused: the folder has no row of this seller.
    """
    table = read_parquet(scores / SCORES_FILE)
    of_seller: Values = pc.equal(table["seller_id"], pa.scalar(seller_id))
    rows: list[dict[str, Any]] = table.filter(of_seller).sort_by([("as_of", "descending")]).to_pylist()
    if not rows:
        raise InputRefused(
            file=str(scores / SCORES_FILE),
            column="seller_id",
            rule=f"seller {seller_id!r} is not among the scored applicants",
            remedy="score it first: passport score APPLICANTS",
        )
    stem = scores / PASSPORTS_FOLDER / pseudonym(hmac_key, seller_id)
    passport = stem.with_suffix(".json")
    pages = tuple(
        path for path in (stem.with_suffix(f".{language}.html") for language in ("en", "zh")) if path.is_file()
    )
    return SellerResults(seller_id, tuple(rows), passport if passport.is_file() else None, pages)
