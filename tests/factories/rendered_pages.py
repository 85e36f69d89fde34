"""Every kind of page, rendered from small documents; on request with hostile names in every place that data fills."""

from __future__ import annotations

import copy
import functools
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.catalogue import feature_records
from features.graph.paths import Path as PathOfLinks
from features.graph.paths import Tie
from features.record import GraphFeature
from features.related_parties import RelatedParties, SignalPaths
from models.explanation.explain import explain_model
from models.explanation.explanation import ExplainSettings
from pipelines.commands.seller_delivery import delivery_document, overview_document
from pipelines.index.health_page import render_health_page
from pipelines.index.index_page import render_index_page
from pipelines.index.passport_list import PassportLine, render_passport_list
from pipelines.index.promotion_page import render_promotion_page
from pipelines.index.run_record import RunRecord, read_run
from pipelines.index.watch_page import render_watch_page
from pipelines.reports.delivery_page import render_deliveries_page, render_delivery_page
from pipelines.reports.explanation_page import ExplanationSubject, render_explanation_page
from pipelines.reports.model_page import render_model_page
from pipelines.reports.passport_page import render_passport_page
from pipelines.reports.validation_page import render_validation_page
from pipelines.validate.reconciliation import reconciled, reconciliation_document
from pipelines.validate.stage import validation_document
from pipelines.validate.table_checks import validate_tables
from tests.factories.deliveries import SELLER, delivered_files, received
from tests.factories.model_reports import identity, out_of_time_report
from tests.factories.models import small_credit_model, small_world
from tests.factories.pages import ABOUT
from tests.factories.passports import passport_json
from tests.factories.published_run import publish_run, synthetic_profile
from tests.factories.raw_files import ingest_settings, ingested_and_written, write_raw_folder
from tests.factories.run_documents import changed, monitor, registration, validation, watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.reports.rendering import Language

SUBJECT = ExplanationSubject(
    "seller-default", "1", "12" * 32, "synthetic world", is_synthetic=True, points_to_double_odds=40.0
)
RUN_PAGES = ("data", "model", "explanation", "promotion", "health", "watch", "passports")


def linked_parties(owner: str) -> RelatedParties:
    """Return two sellers of one owner; the other is in default."""
    (record,) = (one for one in feature_records() if one.name == "related_known_default_excess")
    assert isinstance(record, GraphFeature)
    since = date(2023, 2, 1)
    ties = [Tie(owner, seller, "owner", valid_from=since, source_file="links.csv", source_row=3) for seller in "AB"]
    path = PathOfLinks(tuple(ties), "B", date(2024, 3, 5))
    return RelatedParties("A", (SignalPaths(record, (path,)),), frozenset("AB"))


@functools.cache
def explanation_text(hostile: str | None, language: Language) -> str:
    sample = small_world().dataset
    days = list(sample.as_of[:200].astype(object))
    explained = explain_model(
        small_credit_model(), sample.X[:200], list(sample.seller_id[:200]), days, ExplainSettings(tested_rows=20)
    ).to_dict()
    if hostile is not None:
        for feature in explained["features"]:
            feature |= {"title_en": hostile, "title_zh": hostile}
        for local in explained["local"]:
            local["seller_id"] = hostile
    return render_explanation_page(explained, SUBJECT, language, {"weakest": linked_parties(hostile or "pe-00026")})


def model_text(hostile: str | None, language: Language) -> str:
    document = out_of_time_report()
    if hostile is not None:
        document["population"] = {**document["population"], "dropped": {hostile: 9041}}
    return render_model_page(document, identity(), language)


def passport_text(hostile: str | None, language: Language) -> str:
    passport = passport_json()
    if hostile is not None:
        subject = passport["credentialSubject"]
        for reason in (*subject["points"]["for"], *subject["points"]["against"]):
            reason |= {"en": hostile, "zh": hostile}
        subject["warnings"][0] |= {"en": hostile, "zh": hostile}
        subject["related_parties"][0] |= {"en": hostile, "zh": hostile}
        subject["related_parties"][0]["paths"][0] = {
            "links": [{"from": subject["id"], "to": hostile, "link_type": "owner"}],
            "reaches": hostile,
        }
        passport["issuer"]["name"] = hostile
    return render_passport_page(passport, language)


@functools.cache
def delivery_documents() -> tuple[dict[str, Any], dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        deliveries = received(Path(folder))
        return delivery_document(deliveries, SELLER, 3), overview_document(deliveries)


def delivery_text(hostile: str | None, language: Language) -> str:
    document = copy.deepcopy(delivery_documents()[0])
    if hostile is not None:
        document["files"][0] |= {"file": hostile, "notes": [hostile]}
        for source in document["sources"]:
            for shown in source["examples"].values():
                shown[0] |= {"file": hostile, "value": hostile}
    return render_delivery_page(document, language)


def deliveries_text(hostile: str | None, language: Language) -> str:
    document = copy.deepcopy(delivery_documents()[1])
    if hostile is not None:
        document["about"]["title"] = document["worst"][0]["seller_id"] = hostile
    return render_deliveries_page(document, language)


@functools.cache
def data_document() -> dict[str, Any]:
    as_of = date(2024, 12, 31)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw_dir = write_raw_folder(folder / "raw", delivered_files())
        ingested = ingested_and_written(raw_dir, ingest_settings(), folder / "run")
        result = validate_tables(ingested.tables)
        document = validation_document(result, folder / "run", 3)
        checked = reconciled(result.accepted, as_of)
        return {"about": ABOUT, **document, "reconciliation": reconciliation_document(checked, as_of, 20)}


def data_text(hostile: str | None, language: Language) -> str:
    document = copy.deepcopy(data_document())
    if hostile is not None:
        document["about"]["title"] = hostile
        document["unlisted_files"] = [hostile]
        for source in document["sources"]:
            for shown in source["examples"].values():
                shown[0] |= {"file": hostile, "value": hostile}
    return render_validation_page(document, language)


@functools.cache
def run_record() -> RunRecord:
    documents = {
        "validate": changed(validation(), "reconciliation", "contradicted_sellers", to=5),
        "monitor": monitor(alerts=4),
        "register": registration(),
    }
    with tempfile.TemporaryDirectory() as folder:
        place = publish_run(Path(folder), documents=documents)
        return read_run(synthetic_profile(), place)


def run_with(hostile: str | None) -> RunRecord:
    run = run_record()
    if hostile is None:
        return run
    gates = [{**gate, "measured": hostile, "limit": hostile, "passed": False} for gate in registration()["gates"]]
    return replace(
        run,
        profile=run.profile.model_copy(update={"title": hostile}),
        registration={**registration(refused=True), "gates": gates},
        feature_titles={name: {"en": hostile, "zh": hostile} for name in ("x0", "x1")},
        summary={"by_status": {}, "by_code": {hostile: 3}},
    )


def index_text(hostile: str | None, language: Language) -> str:
    return render_index_page(run_with(hostile), RUN_PAGES, language)


def promotion_text(hostile: str | None, language: Language) -> str:
    return render_promotion_page(run_with(hostile), language)


def health_text(hostile: str | None, language: Language) -> str:
    return render_health_page(run_with(hostile), language)


def watch_text(hostile: str | None, language: Language) -> str:
    return render_watch_page(replace(run_record(), watch=watch(hostile or "L1"), alert_decisions=()), language)


def passports_text(hostile: str | None, language: Language) -> str:
    line = PassportLine("5f0c2d9a" * 4, "2024-12-31", "2025-04-16", "B2", "612", 0.031, 1)
    return render_passport_list(run_with(hostile), (40, [line] * 8), language)


PAGES: dict[str, Callable[[str | None, Language], str]] = {
    "model": model_text,
    "explanation": explanation_text,
    "passport": passport_text,
    "delivery": delivery_text,
    "deliveries": deliveries_text,
    "data": data_text,
    "index": index_text,
    "promotion": promotion_text,
    "health": health_text,
    "watch": watch_text,
    "passports": passports_text,
}
"""Name of each page to a function of hostile words (None: none) and language that renders it."""
