"""Links are counted against the truth, intervals are never falsely certain, and matching reaches its target."""

from __future__ import annotations

from entity_matching import (
    Links,
    Spelt,
    by_entities,
    by_equality,
    by_kind,
    by_token_set,
    figures,
    links_of,
    made_names,
    reaches_bar,
    token_set_scores,
    world_names,
)

NAMES = [
    Spelt("a", "深圳市恒瑞贸易有限公司", "registered"),
    Spelt("a", "恒瑞（深圳）贸易有限公司", "region in brackets"),
    Spelt("a", "Shenzhen Hengrui Trading Ltd", "english"),
    Spelt("b", "深圳市恒瑞科技有限公司", "registered"),
    Spelt("b", "深圳市恒瑞科技有限责任公司", "other legal form"),
]


def test_links_right_and_wrong_are_counted_by_hand() -> None:
    links = [
        Links("a", "x", 1, is_right=True),
        Links("a", "x", 2, is_right=True),
        Links("b", "y", 1, is_right=False),
        Links("b", "y", 0, is_right=False),
    ]
    found = figures(links)
    assert (found["links"], found["precision"], found["recall"]) == (4, 0.5, 0.5)
    assert by_kind(links)["y"]["precision"] == 0
    assert figures(links[3:])["precision"] is None


def test_no_mistake_among_few_companies_leaves_a_wide_interval() -> None:
    found = figures([Links(f"c{number}", "x", 1, is_right=True) for number in range(10)])
    assert found["precision_interval"] == [round(0.025 ** (1 / 10), 4), 1.0]


def test_each_method_links_what_it_should() -> None:
    assert by_entities(NAMES) == [{"a"}, {"a"}, {"a"}, {"b"}, {"b"}]
    assert by_equality(NAMES) == [{"a"}, set(), set(), {"b"}, set()]
    assert by_token_set(token_set_scores(NAMES), 70)[0] == {"a", "b"}


def test_the_target_is_reached_on_a_world_and_on_made_up_names() -> None:
    for names in (world_names(seed=6, sellers=300), made_names(500)):
        assert reaches_bar(figures(links_of(names, by_entities(names))))


def test_a_missed_target_is_reported() -> None:
    assert not reaches_bar({"precision": 0.97, "recall": 1.0})
    assert not reaches_bar({"precision": None, "recall": 0.0})
