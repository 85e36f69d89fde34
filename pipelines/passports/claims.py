"""A seller's claims on a passport: the grade, the amounts of each source, and a sentence in each language."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from features.reconciliation.claims import CLAIMS, FAMILIES
from features.reconciliation.reconcile import (
    ABOVE,
    AGREES,
    BELOW,
    BESIDE,
    CLAIMED,
    COMPATIBLE,
    CONTRADICTED,
    CORROBORATED,
    NOT_CONTRADICTED,
    NOT_EVIDENCED,
    SMALL,
)
from pipelines.reports.rendering import LANGUAGES, Language, Texts, page_texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from features.reconciliation.claims import Family

ClaimRow = dict[str, Any]
"""A row of ``features.reconciliation.RECONCILIATION_SCHEMA`` as Python values."""

_ORDER: Final = {claim.name: place for place, claim in enumerate(CLAIMS)}
_COMPARED: Final = (AGREES, COMPATIBLE, BELOW, ABOVE)
# Grades that come from a comparison; of several claims, the first of these decides.
_DECISIVE: Final = (CONTRADICTED, CORROBORATED, NOT_CONTRADICTED)
_SPEAKING: Final = (CLAIMED, *_COMPARED)
_CENT: Final = Decimal("0.01")


def rows_by_seller(reconciliation: pa.Table) -> dict[str, tuple[ClaimRow, ...]]:
    """Group the rows of a reconciliation of one date and quarter by seller, in their order."""
    found: dict[str, list[ClaimRow]] = {}
    for row in reconciliation.to_pylist():
        found.setdefault(row["seller_id"], []).append(row)
    return {seller: tuple(rows) for seller, rows in found.items()}


def claim_lines(rows: Sequence[ClaimRow]) -> tuple[dict[str, object], ...]:
    """Return a seller's claims as a passport states them, from the seller's rows of one quarter."""
    by_claim: dict[str, list[ClaimRow]] = {}
    for row in rows:
        by_claim.setdefault(row["claim"], []).append(row)
    return tuple(_line(claim, by_claim[claim]) for claim in sorted(by_claim, key=_ORDER.__getitem__))


def pillar_grades(rows: Sequence[ClaimRow]) -> dict[str, tuple[str, tuple[Family, ...]]]:
    """Return, for each pillar that a comparison is about, its evidence grade and the source families behind it.

    One contradiction outweighs any agreement, and an agreement outweighs witnesses that could not have contradicted.
    """
    grade_of = {row["claim"]: str(row["grade"]) for row in rows}
    grades: dict[str, tuple[str, tuple[Family, ...]]] = {}
    for decisive in _DECISIVE:
        for claim in (claim for claim in CLAIMS if grade_of.get(claim.name) == decisive):
            spoke = {row["source"] for row in rows if row["claim"] == claim.name and row["verdict"] in _SPEAKING}
            families = tuple(family for family in FAMILIES if family.name in spoke)
            for pillar in claim.pillars:
                grade, others = grades.get(pillar, (decisive, ()))
                if grade == decisive:
                    grades[pillar] = (grade, tuple(dict.fromkeys((*others, *families))))
    return grades


def _line(claim: str, rows: Sequence[ClaimRow]) -> dict[str, object]:
    first, *_ = rows
    texts = {language: page_texts("common", language) for language in LANGUAGES}
    return {
        "claim": claim,
        "grade": first["grade"],
        "period_to": first["quarter_end"].isoformat(),
        "amounts": tuple(_amount(row, texts) for row in rows if row["source"] is not None),
        **{language: _sentence(claim, rows, words) for language, words in texts.items()},
    }


def _amount(row: ClaimRow, texts: Mapping[Language, Texts]) -> dict[str, object]:
    amounts = {name: _cents(row[name]) for name in ("usd", "claimed_usd", "lowest_usd", "highest_usd")}
    names: dict[str, object] = {language: words.of_code("family", row["source"]) for language, words in texts.items()}
    plain = {"source": row["source"], "verdict": row["verdict"], "quarters": str(row["quarters"])}
    return {**plain, **amounts, **names}


def _sentence(claim: str, rows: Sequence[ClaimRow], words: Texts) -> str:
    title = words(f"claim_{claim}")
    first, *_ = rows
    if first["grade"] == NOT_EVIDENCED:
        return words("claim_not_evidenced", claim=title)
    stated = [row for row in rows if row["verdict"] not in (BESIDE, *_COMPARED, SMALL)]
    parts = words("claim_separator").join(_shown(row, words) for row in stated or rows)
    quarters = max(row["quarters"] for row in rows)
    sentences = [words("claim_stated", claim=title, parts=parts, quarters=quarters, until=first["quarter_end"])]
    for row in rows:
        if row["verdict"] in _COMPARED:
            places = {name: _whole(row[f"{name}_usd"]) for name in ("claimed", "lowest", "highest")}
            shown = words("claim_against", shown=_shown(row, words), **places)
            sentences.append(words(f"claim_{row['verdict']}", shown=shown))
    if not any(row["verdict"] in _COMPARED for row in rows):
        sentences.append(words("claim_alone"))
    return words("claim_joint").join(sentences)


def _shown(row: ClaimRow, words: Texts) -> str:
    return words("claim_amount", source=words(f"family_{row['source']}"), usd=_whole(row["usd"]))


def _whole(usd: Decimal) -> str:
    return f"{usd:,.0f}"


def _cents(usd: Decimal | None) -> str | None:
    """Return an amount with two decimals, never a negative zero."""
    return None if usd is None else f"{usd.quantize(_CENT) + 0:f}"
