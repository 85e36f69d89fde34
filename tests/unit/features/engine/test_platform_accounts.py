from __future__ import annotations

import importlib
import tomllib
from importlib.resources import files

import pytest

from data_contracts.mapping.money_events import MoneyEventSource
from features.engine.platform_accounts import sources_feeding


def test_sources_with_payouts_and_orders_are_found() -> None:
    assert {"amazon_settlement_v2", "temu_settlement", "shein_statement"} <= set(sources_feeding("money_event"))
    assert "vat_invoices" not in sources_feeding("money_event")
    assert set(sources_feeding("site_order")) == {"shopify_orders", "web_shop_orders", "woocommerce_orders"}


@pytest.mark.parametrize("name", sources_feeding("money_event"))
def test_a_source_begins_with_the_first_word_of_its_platform(name: str) -> None:
    module = importlib.import_module(f"data_contracts.sources.{name}.mapping")
    named = {value.platform for value in vars(module).values() if isinstance(value, MoneyEventSource)}
    assert {platform.split()[0].lower() for platform in named} <= {name.partition("_")[0]}


def test_bank_entries_name_platforms_by_the_same_word() -> None:
    text = (files("data_contracts.mapping.bank") / "words.toml").read_text(encoding="utf-8")
    known = {name.partition("_")[0] for name in sources_feeding("money_event")}
    platforms = {entry["platform"] for entry in tomllib.loads(text)["payer"] if entry["kind"] == "platform_payout"}
    assert {platform for platform in platforms if platform.split()[0].lower() not in known} == set()
