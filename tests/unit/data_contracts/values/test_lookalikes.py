from __future__ import annotations

import pytest

from data_contracts.values.lookalikes import differing_characters, looks_equal, skeleton


@pytest.mark.parametrize(
    "twin", ["Аmount due", "Ａｍｏｕｎｔ due", "Amount\u00a0due", "Amount due ", "Amount  due", "Amo\u200bunt due"]
)
def test_texts_with_only_invisible_differences_look_equal(twin: str) -> None:
    assert looks_equal(twin, "Amount due")
    assert skeleton(twin) == "Amount due"


@pytest.mark.parametrize(("one", "other"), [("金额（元）", "金额(元)"), ("⽀出", "支出"), ("Total–net", "Total-net")])
def test_chinese_variants_and_dashes_look_equal(one: str, other: str) -> None:
    assert looks_equal(one, other)


@pytest.mark.parametrize(("one", "other"), [("Amount", "Amount"), ("Amount", "amount"), ("Amount", "Amounts")])
def test_equal_texts_and_clearly_different_texts_are_not_lookalikes(one: str, other: str) -> None:
    assert not looks_equal(one, other)


def test_each_strange_character_is_named_once() -> None:
    assert differing_characters("Аmоunt оf\u200b", "Amount of") == (
        "CYRILLIC CAPITAL LETTER A",
        "CYRILLIC SMALL LETTER O",
        "ZERO WIDTH SPACE",
    )
