"""The data desk pages show what happened to each file, and nothing about other sellers or people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from data_contracts.definition.compiler import source_contract
from data_contracts.errors import InputRefused
from pipelines.commands.seller_delivery import delivery_document, overview_document
from pipelines.reports.delivery_page import remedy, render_deliveries_page, render_delivery_page
from pipelines.reports.rendering import LANGUAGES, Language, page_texts
from tests.factories.deliveries import OTHER, SELLER, received
from tests.factories.raw_files import CANARY_EMAIL

if TYPE_CHECKING:
    from pipelines.commands.seller_delivery import Received


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory: pytest.TempPathFactory) -> Received:
    return received(tmp_path_factory.mktemp("deliveries"))


def test_every_row_of_every_file_of_the_seller_is_accounted_for(deliveries: Received) -> None:
    document = delivery_document(deliveries, SELLER, 3)
    assert {file["file"] for file in document["files"]} == {"vat/2022.csv", "vat/2024.csv", "shop/1.csv"}
    for file in document["files"]:
        assert file["rows_in"] == file["accepted"] + file["quarantined"] + file["duplicates"]
    assert sum(file["quarantined"] for file in document["files"]) == 3
    assert sum(file["duplicates"] for file in document["files"]) == 1


def test_the_first_examples_name_file_row_and_value_of_the_seller_alone(deliveries: Received) -> None:
    document = delivery_document(deliveries, SELLER, 3)
    invoices = next(source for source in document["sources"] if source["name"] == "vat_invoices")
    assert invoices["examples"] == {
        "state:enum": [{"file": "vat/2022.csv", "row": 4, "column": "state", "value": "红冲发票"}],
        "type:net": [{"file": "vat/2022.csv", "row": 3, "column": "net", "value": "1O3.20"}],
    }


def test_rows_set_aside_by_validation_are_listed_for_correction_too(deliveries: Received) -> None:
    document = delivery_document(deliveries, SELLER, 3)
    (table,) = document["tables"]
    assert (table["table"], table["quarantined"]) == ("trade_invoice", {"gross_is_net_plus_tax": 1})
    assert [(one["file"], one["row"]) for one in table["examples"]["gross_is_net_plus_tax"]] == [("vat/2022.csv", 6)]
    assert "set aside after reading" in render_delivery_page(document, "en")
    assert "读取后校验时剔除" in render_delivery_page(document, "zh")
    assert delivery_document(deliveries, OTHER, 3)["tables"] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_shows_no_personal_value_and_no_other_seller(deliveries: Received, language: Language) -> None:
    document = delivery_document(deliveries, SELLER, 3)
    page = render_delivery_page(document, language)
    assert "1O3.20" in page
    for secret in (CANARY_EMAIL, OTHER, "vat/other.csv", "a lot"):
        assert secret not in page
        assert secret not in json.dumps(document)


def test_a_gap_between_covered_periods_is_shown_as_two_stretches(deliveries: Received) -> None:
    covered = delivery_document(deliveries, SELLER, 3)["coverage"]
    stretches = [(one["from"], one["to"], one["follows_gap"]) for one in covered if one["table"] == "trade_invoice"]
    assert stretches == [("2022-01-01", "2022-12-31", False), ("2024-01-01", "2024-12-31", True)]


def test_a_seller_nothing_was_delivered_for_is_refused_in_one_line(deliveries: Received) -> None:
    with pytest.raises(InputRefused, match=r"no file was delivered for seller '../S9'.*remedy") as refused:
        delivery_document(deliveries, "../S9", 3)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_overview_puts_those_with_most_to_put_right_first(deliveries: Received, language: Language) -> None:
    document = overview_document(deliveries)
    assert [(one["seller_id"], one["quarantined"]) for one in document["worst"]] == [(SELLER, 3), (OTHER, 1)]
    assert (document["sellers"], document["shared_files"]) == (2, 1)
    page = render_deliveries_page(document, language)
    assert page.index(SELLER) < page.index(OTHER)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["vat_invoices", "amazon_settlement_v2", "shopify_orders", "lender_repayments"])
def test_every_rule_of_a_contract_has_a_remedy(name: str, language: Language) -> None:
    contract = source_contract(name)
    words, texts = page_texts("validation_page", language), page_texts("delivery_page", language)
    codes = [*(rule.rule_id for rule in contract.rules), *(f"type:{column.name}" for column in contract.columns)]
    codes += ["line:width", "group:whole", "delivery:seller_matches", "something new"]
    remedies = {code: remedy(code, contract, words, texts) for code in codes}
    assert all(len(text) > 4 for text in remedies.values())
    assert len(set(remedies.values())) > 6
