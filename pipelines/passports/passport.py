"""From a row of scores to a credit passport: the document, its signature, its salt and its pages."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipelines.passports.claims import ClaimRow, claim_lines, pillar_grades
from pipelines.passports.document import CONTEXT, SCHEMA_VERSION, PassportDocument, validity
from pipelines.passports.related_parties import related_signals
from pipelines.reports.passport_page import render_passport_page
from pipelines.reports.rendering import LANGUAGES, page_texts
from pipelines.score_codes import code_in_words
from pipelines.score_rows import INTERVAL_LEVEL, INTERVAL_METHOD, REFUSED
from pipelines.signing.credential import issue
from pipelines.signing.keys import pseudonym, subject_commitment, subject_salt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from features.related_parties import RelatedParties
    from models.registry.bundle import Bundle
    from models.registry.promotion_ledger import Promotion
    from pipelines.passports.terms import PassportTerms

UNKNOWN_VERSION: Final = "unknown"

Row = dict[str, Any]
"""A row of ``pipelines.score_rows.SCORE_SCHEMA`` as Python values."""


@dataclass(frozen=True)
class Delivery:
    """What one source delivered for one table of a seller, over all deliveries."""

    source: str
    table: str
    period_from: date
    period_to: date
    deliveries: int


@dataclass(frozen=True)
class Evidence:
    """What is known about the data and the model behind the scores.

    ``deliveries`` maps a seller to its deliveries, ``pillar_tables`` a pillar to the tables that its features read.
    Both are None for a ready matrix, whose origin is unknown. ``data_digests`` maps a name to the SHA-256 of what was
    scored. ``promotion`` is what the promotion ledger says of the model. ``related`` finds the related parties behind
    the reasons and flags of a row; None if nothing is known about links.
    """

    data_digests: Mapping[str, str]
    deliveries: Mapping[str, Sequence[Delivery]] | None = None
    pillar_tables: Mapping[str, frozenset[str]] | None = None
    feature_set_version: str = UNKNOWN_VERSION
    claims: Mapping[str, Sequence[ClaimRow]] | None = None
    promotion: Promotion | None = None
    related: Callable[[Row], RelatedParties | None] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class IssuedPassport:
    """A passport as the bytes to publish, its pages by language, and the salt that goes to the seller alone."""

    seller_id: str
    pseudonym: str
    data: bytes = field(repr=False)
    salt: str = field(repr=False)
    pages: Mapping[str, str] = field(repr=False)


def issue_passport(row: Row, bundle: Bundle, evidence: Evidence, terms: PassportTerms) -> IssuedPassport:
    """Issue the signed passport of a scored row, with its pages.

    Raises:
        ValueError: the row was refused, or was scored without reasons.
    """
    if row["status"] == REFUSED or row["reasons"] is None:
        raise ValueError("a passport needs a scored row with its reasons")
    salt = passport_salt(row, terms)
    document = passport_document(row, bundle, evidence, terms).as_json()
    data = issue(document, terms.keys.signing_key, document["validFrom"])
    secured = json.loads(data)
    pages: dict[str, str] = {language: render_passport_page(secured, language) for language in LANGUAGES}
    return IssuedPassport(row["seller_id"], document["credentialSubject"]["pseudonym"], data, salt, pages)


def passport_salt(row: Row, terms: PassportTerms) -> str:
    """Return the salt of one passport's commitment; each passport of a seller has its own."""
    parts = (row["seller_id"], row["as_of"].isoformat(), terms.issued_on.isoformat(), row["bundle_sha256"])
    return subject_salt(terms.keys.hmac_key, *parts)


def passport_document(row: Row, bundle: Bundle, evidence: Evidence, terms: PassportTerms) -> PassportDocument:
    """Build the passport of a scored row, without its proof."""
    name = pseudonym(terms.keys.hmac_key, row["seller_id"])
    last_day = (terms.issued_on + timedelta(days=terms.valid_days - 1)).isoformat()
    valid_from, valid_until = validity(terms.issued_on.isoformat(), last_day)
    identity = "/".join((terms.keys.did, name, row["as_of"].isoformat(), valid_from, row["bundle_sha256"]))
    subject = {
        "id": f"urn:seller-pseudonym:{name}",
        "schema_version": SCHEMA_VERSION,
        "pseudonym": name,
        "subject_commitment": {
            "method": "hmac-sha256",
            "value": subject_commitment(passport_salt(row, terms), row["seller_id"]),
        },
        "as_of": row["as_of"].isoformat(),
        "issued_on": terms.issued_on.isoformat(),
        "valid_until": last_day,
        "stale_after": (row["as_of"] + timedelta(days=terms.as_of_age_days)).isoformat(),
        "demonstration": terms.keys.is_demonstration,
        "evidence": bundle.meta.evidence,
        "status": row["status"],
        "warnings": _cautions(row, bundle),
        "assessment": _assessment(row, bundle, terms),
        "points": _points(row, evidence),
        "claims": None if evidence.claims is None else claim_lines(evidence.claims.get(row["seller_id"], ())),
        "related_parties": _related_parties(row, evidence, terms),
        **_coverage(row, evidence),
        "model": _model(row, bundle, evidence),
        "contracts": bundle.meta.contracts or None,
        "data_digests": {**bundle.meta.data_digests, **evidence.data_digests},
    }
    return PassportDocument.model_validate(
        {
            "@context": CONTEXT,
            "id": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, identity)}",
            "type": ("VerifiableCredential", "SellerCreditPassport"),
            "issuer": {"id": terms.keys.did, "name": terms.issuer_name},
            "validFrom": valid_from,
            "validUntil": valid_until,
            "credentialSubject": subject,
        }
    )


def _assessment(row: Row, bundle: Bundle, terms: PassportTerms) -> dict[str, object]:
    scale = bundle.model.scale
    words = terms.default_definition
    interval = None
    if row["pd_lower"] is not None:
        interval = {
            "lower": _probability(row["pd_lower"]),
            "upper": _probability(row["pd_upper"]),
            "level": str(INTERVAL_LEVEL),
            "method": INTERVAL_METHOD,
        }
    return {
        "probability_of_default": _probability(row["probability_of_default"]),
        "probability_of_default_interval": interval,
        "score": str(row["score"]),
        "grade": row["grade"],
        "horizon_days": str(bundle.meta.performance_days) if bundle.meta.performance_days else None,
        "default_definition": None if words is None else {"en": words[0], "zh": words[1]},
        "scale": {
            "base_score": decimal_text(scale.base_score),
            "base_odds": decimal_text(scale.base_odds),
            "points_to_double_odds": decimal_text(scale.points_to_double_odds),
        },
    }


def _points(row: Row, evidence: Evidence) -> dict[str, object]:
    reasons = json.loads(row["reasons"])
    titles = {language: page_texts("common", language) for language in LANGUAGES}
    pillars = tuple(
        {
            "pillar": pillar,
            "points": str(points),
            **{language: titles[language].of_code("pillar", pillar) for language in LANGUAGES},
            "evidence": _pillar_evidence(pillar, row["seller_id"], evidence),
        }
        for pillar, points in json.loads(row["pillar_points"]).items()
    )
    return {
        "base": str(row["base_points"]),
        "pillars": pillars,
        "for": tuple(_reason(reason) for reason in reasons["for"]),
        "against": tuple(_reason(reason) for reason in reasons["against"]),
        "all_others": str(reasons["all_others"]),
    }


def _reason(reason: Mapping[str, Any]) -> dict[str, object]:
    value = reason["value"]
    return {
        **{name: reason[name] for name in ("code", "feature", "pillar", "unit", "en", "zh")},
        "points": str(reason["points"]),
        "value": None if value is None else decimal_text(value),
    }


def _pillar_evidence(pillar: str, seller_id: str, evidence: Evidence) -> dict[str, object] | None:
    """Return the evidence of a pillar; None if several sources were delivered but could not be compared."""
    if evidence.deliveries is None or evidence.pillar_tables is None:
        return None
    tables = evidence.pillar_tables.get(pillar, frozenset())
    delivered = evidence.deliveries.get(seller_id, ())
    sources = tuple(sorted({delivery.source for delivery in delivered if delivery.table in tables}))
    compared = pillar_grades((evidence.claims or {}).get(seller_id, ())).get(pillar)
    if sources and compared is not None:
        grade, families = compared
        held = {one.source for one in delivered if any(family.holds(one.source, one.table) for family in families)}
        return {"grade": grade, "sources": tuple(sorted(held.union(sources)))}
    if len(sources) > 1:
        return None
    return {"grade": "single_source" if sources else "not_evidenced", "sources": sources}


def _related_parties(row: Row, evidence: Evidence, terms: PassportTerms) -> tuple[dict[str, Any], ...] | None:
    found = None if evidence.related is None else evidence.related(row)
    return None if found is None else related_signals(found, terms.keys.hmac_key)


def _coverage(row: Row, evidence: Evidence) -> dict[str, tuple[dict[str, object], ...]]:
    """Return what was delivered: what a feature of the model reads, and apart from it everything else."""
    if evidence.deliveries is None:
        return {}
    delivered = sorted(evidence.deliveries.get(row["seller_id"], ()), key=lambda one: (one.source, one.table))
    by_pillar = evidence.pillar_tables
    read = {one.table for one in delivered} if by_pillar is None else frozenset().union(*by_pillar.values())
    return {
        "data_coverage": tuple(_covered(one) for one in delivered if one.table in read),
        "data_not_read": tuple(_covered(one) for one in delivered if one.table not in read),
    }


def _covered(delivery: Delivery) -> dict[str, object]:
    return {
        "source": delivery.source,
        "table": delivery.table,
        "period_from": delivery.period_from.isoformat(),
        "period_to": delivery.period_to.isoformat(),
        "deliveries": str(delivery.deliveries),
    }


def _model(row: Row, bundle: Bundle, evidence: Evidence) -> dict[str, object]:
    return {
        "name": row["model_name"],
        "version": row["model_version"],
        "bundle_sha256": row["bundle_sha256"],
        "feature_set": {
            "name": bundle.meta.feature_set,
            "version": evidence.feature_set_version,
            "sha256": bundle.meta.feature_set_digest,
        },
        "promotion": evidence.promotion,
    }


def _cautions(row: Row, bundle: Bundle) -> tuple[dict[str, object], ...]:
    titles = {feature.name: (feature.title_en, feature.title_zh) for feature in bundle.model.features}
    found = []
    for text in filter(None, row["codes"].split(";")):
        code, _, about = text.partition(":")
        # Features have titles in the bundle; pillars have words of their own.
        pillar_en, pillar_zh = (
            page_texts("passport_page", language).of_code("pillar", about) for language in LANGUAGES
        )
        title_en, title_zh = titles.get(about, (pillar_en, pillar_zh))
        en, zh = code_in_words(code, title_en, "en"), code_in_words(code, title_zh, "zh")
        found.append({"code": code, "feature": about if about in titles else None, "en": en, "zh": zh})
    return tuple(found)


def _probability(value: float) -> str:
    """Return a probability with six decimals."""
    return f"{value:.6f}"


def decimal_text(value: float) -> str:
    """Return the shortest decimal that equals this number, without an exponent.

    >>> decimal_text(600.0), decimal_text(0.25), decimal_text(1e-7)
    ('600', '0.25', '0.0000001')
    """
    return np.format_float_positional(value, unique=True, trim="-")
