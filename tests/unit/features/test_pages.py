from __future__ import annotations

from features.catalogue import feature_records, load_feature_set
from features.pages import PILLAR_TITLES, feature_page


def test_the_page_names_every_feature_part_and_pillar() -> None:
    page = feature_page(feature_records())
    for record in feature_records():
        assert f"`{record.name}`" in page
        assert record.title_zh in page
    for english, chinese in PILLAR_TITLES.values():
        assert f"## {english} · {chinese}" in page


def test_the_page_of_a_set_holds_its_members_and_what_they_need() -> None:
    feature_set = load_feature_set("trade_invoice")
    page = feature_page((*feature_set.records, *feature_set.inputs))
    assert page.count("### `") == len(feature_set.names)
    assert "Platform dependence" not in page
    assert "`invoice_sales_all`" in page


def test_the_page_is_the_same_every_time_and_has_no_overlong_table_rows() -> None:
    assert feature_page(feature_records()) == feature_page(feature_records())
    rows = [line for line in feature_page(feature_records()).splitlines() if line.startswith("|")]
    assert all(line.count("|") - line.count("\\|") in {3, 4} for line in rows)
