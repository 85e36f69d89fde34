"""Spellings of one company form one group, similar companies stay apart, and every step can be undone."""

from __future__ import annotations

import pytest

from data_contracts.entities.company_names import parse_company_name
from data_contracts.entities.comparison import EvidenceSettings, Party, compare
from data_contracts.entities.matching import MATCH_SCHEMA, Match, MatchingSettings, Override, match_parties
from data_contracts.errors import ConfigurationRefused

SETTINGS = EvidenceSettings()
USCC, OTHER_USCC = ("uscc", "91110000600037341L"), ("uscc", "91440300M00000012X")


def party(ident: str, text: str, *identifiers: tuple[str, str]) -> Party:
    return Party(ident, parse_company_name(text), identifiers)


def parties(*texts: str) -> list[Party]:
    return [party(f"p{place}", text) for place, text in enumerate(texts)]


def groups(*texts: str) -> list[set[str]]:
    """Return names by group."""
    found: dict[str, set[str]] = {}
    group_of = match_parties(parties(*texts)).group_of
    for place, text in enumerate(texts):
        found.setdefault(group_of[f"p{place}"], set()).add(text)
    return list(found.values())


def match_of(left: str, right: str) -> Match:
    (match,) = match_parties(parties(left, right)).matches
    return match


REGISTERED = "深圳市恒瑞通贸易有限公司"


@pytest.mark.parametrize(
    "spelling",
    [
        "深圳恒瑞通贸易有限责任公司",
        "恒瑞通（深圳）贸易有限公司",
        "恒瑞通贸易有限公司",
        "深圳市恆瑞通貿易有限公司",
        "深圳市恒锐通贸易有限公司",
        "深圳市恒瑞瑞通贸易有限公司",
        "深圳市瑞恒通贸易有限公司",
        "深圳恒市瑞通贸易有限公司",
        "深圳市恒瑞通货易有限公司",
        "深圳市恒瑞通贸易有陷公司",
        "Shenzhen Hengruitong Trading Co., Ltd.",
        "SHENZHEN HENG RUI TONG MAOYI YOUXIAN GONGSI",
        "Shenzhen Hengruitogn Trading Limited",
    ],
)
def test_a_misspelled_name_is_matched_to_its_company(spelling: str) -> None:
    assert match_of(REGISTERED, spelling).is_accepted
    assert match_of(spelling, REGISTERED).is_accepted


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ("广州市恒瑞通贸易有限公司", "regions differ"),
        ("深圳市恒瑞通科技有限公司", "trades differ"),
        ("深圳市恒瑞通国际贸易有限公司", "trades differ"),
        ("深圳市恒瑞通贸易有限公司分公司", "legal forms differ"),
        ("Heng Rui Tong Trading LLC", "legal forms differ"),
        ("深圳市恒瑞贸易有限公司", "one trade name has a character more"),
        ("深圳市恒瑞达贸易有限公司", "trade names differ"),
        ("深圳市衡锐通贸易有限公司", "trade names sound the same but are written otherwise"),
    ],
)
def test_a_similar_company_is_not_matched_and_the_reason_is_kept(other: str, reason: str) -> None:
    match = match_of(REGISTERED, other)
    assert not match.is_accepted
    assert match.reason.startswith(reason)


def test_names_with_two_swapped_characters_are_listed_but_not_matched() -> None:
    match = match_of("深圳市华瑞贸易有限公司", "深圳市瑞华贸易有限公司")
    assert not match.is_accepted
    assert match.score == SETTINGS.doubtful
    assert match.reason == "trade names of two characters in the other order"


def test_two_meaningful_names_one_letter_apart_are_two_companies() -> None:
    assert len(groups("Shenzhen Hengfan Trading Ltd", "Shenzhen Hengfang Trading Ltd")) == 2


def test_foreign_names_match_by_letters_and_differ_by_legal_form() -> None:
    assert len(groups("BRIGHTSTAR TRADING LLC", "Bright Star, Trading L.L.C.", "BRIGHTSTRA TRADING LLC")) == 1
    assert len(groups("BRIGHTSTAR TRADING LLC", "BRIGHTSTAR TRADING GMBH")) == 2


def test_a_name_without_a_region_matches_only_if_one_company_has_that_name() -> None:
    regionless, here, there = "恒瑞贸易有限公司", "深圳市恒瑞贸易有限公司", "广州市恒瑞贸易有限公司"
    assert groups(regionless, here) == [{regionless, here}]
    assert len(groups(regionless, here, there)) == 3
    ambiguous = [match for match in match_parties(parties(regionless, here, there)).matches if match.left == "p0"]
    assert all(match.reason.startswith("ambiguous") for match in ambiguous)


def test_equal_identifiers_match_companies_with_different_names() -> None:
    left, right = party("a", "深圳市恒瑞贸易有限公司", USCC), party("b", "Bright Star Ltd", USCC)
    matching = match_parties([left, right])
    assert matching.group_of == {"a": "a", "b": "a"}
    assert matching.matches[0].reason == "same uscc"


def test_conflicting_identifiers_prevent_a_match_by_name() -> None:
    left, right = party("a", REGISTERED, USCC), party("b", REGISTERED, OTHER_USCC)
    found = compare(left, right, SETTINGS)
    assert found.conflict
    assert found.reason == "identifiers conflict: uscc"
    assert len(set(match_parties([left, right]).group_of.values())) == 2


def test_a_third_party_never_links_two_companies_with_conflicting_identifiers() -> None:
    between = party("b", REGISTERED)
    matching = match_parties([party("a", REGISTERED, USCC), between, party("c", REGISTERED, OTHER_USCC)])
    assert matching.group_of["a"] != matching.group_of["c"]


def test_a_shared_bank_account_alone_is_no_match() -> None:
    account = ("iban", "GR1601101050000010547023795")
    matching = match_parties(
        [party("a", "深圳市恒瑞贸易有限公司", account), party("b", "义乌市美康玩具有限公司", account)]
    )
    assert not matching.matches[0].is_accepted


def test_a_reviewers_rejection_separates_two_parties_even_through_others() -> None:
    names = parties(REGISTERED, REGISTERED, REGISTERED)
    assert set(match_parties(names).group_of.values()) == {"p0"}
    said = [Override("p2", "p0", is_same=False, reviewer="reviewer 7", note="two companies by the register")]
    matching = match_parties(names, overrides=said)
    assert matching.group_of["p0"] != matching.group_of["p2"]
    (match,) = [match for match in matching.matches if (match.left, match.right) == ("p0", "p2")]
    assert (match.is_accepted, match.decided_by) == (False, "reviewer 7")
    assert "two companies by the register" in match.reason
    assert match_parties(names).group_of == {"p0": "p0", "p1": "p0", "p2": "p0"}


def test_a_reviewers_acceptance_matches_parties_that_were_never_compared_and_keeps_the_score() -> None:
    names = parties("深圳市恒瑞贸易有限公司", "Bright Star LLC")
    assert match_parties(names).matches == ()
    said = [Override("p0", "p1", is_same=True, reviewer="reviewer 7", note="renamed")]
    (match,) = match_parties(names, overrides=said).matches
    assert match.is_accepted
    assert match.score < SETTINGS.accept_at
    assert match_parties(names, overrides=said).group_of == {"p0": "p0", "p1": "p0"}


def test_overrides_that_contradict_or_name_an_unknown_party_are_refused() -> None:
    names = parties(REGISTERED, REGISTERED, "深圳市美康玩具有限公司")
    same = Override("p0", "p1", is_same=True, reviewer="one", note="")
    with pytest.raises(ConfigurationRefused, match="contradict"):
        match_parties(names, overrides=[same, Override("p1", "p0", is_same=False, reviewer="two", note="")])
    with pytest.raises(ConfigurationRefused, match="unknown party 'p9'"):
        match_parties(names, overrides=[Override("p0", "p9", is_same=True, reviewer="one", note="")])
    with pytest.raises(ConfigurationRefused, match="itself"):
        match_parties(names, overrides=[Override("p0", "p0", is_same=True, reviewer="one", note="")])
    around = [same, Override("p1", "p2", is_same=True, reviewer="one", note="")]
    with pytest.raises(ConfigurationRefused, match="contradict"):
        match_parties(names, overrides=[*around, Override("p0", "p2", is_same=False, reviewer="two", note="")])


def test_a_party_that_occurs_twice_is_refused() -> None:
    with pytest.raises(ConfigurationRefused, match="'p0' occurs twice"):
        match_parties([*parties(REGISTERED), *parties(REGISTERED)])


def test_an_empty_table_of_matches_has_the_same_schema() -> None:
    assert match_parties([]).table().schema == MATCH_SCHEMA
    table = match_parties(parties(REGISTERED, "恒瑞通贸易有限公司")).table()
    assert table.to_pylist() == [
        {
            "left": "p0", "right": "p1", "score": pytest.approx(SETTINGS.region_on_one_side), "is_accepted": True,
            "reason": "same trade name; region on one side only", "decided_by": "rules",
        }
    ]  # fmt: skip


def test_equal_names_need_one_comparison_each_and_form_one_group() -> None:
    matching = match_parties([*parties(*["恒瑞通贸易有限公司"] * 500), party("q", REGISTERED)])
    assert len(matching.matches) == 500
    assert set(matching.group_of.values()) == {"p0"}


def test_a_block_that_is_too_large_is_compared_only_within_region_and_trade() -> None:
    names = parties(REGISTERED, "深圳恒瑞通贸易股份有限公司", "恒瑞通贸易有限公司")
    assert len(match_parties(names).matches) == 3
    assert len(match_parties(names, MatchingSettings(largest_block=2)).matches) == 1


def test_a_lower_threshold_accepts_matches_that_were_only_listed() -> None:
    names = parties(REGISTERED, "深圳市恒瑞贸易有限公司")
    loose = MatchingSettings(evidence=EvidenceSettings(accept_at=0.80))
    assert match_parties(names, loose).group_of == {"p0": "p0", "p1": "p0"}


def test_a_name_that_is_only_a_region_matches_nothing() -> None:
    assert match_parties(parties("深圳市", "深圳市", "深圳市有限公司")).matches == ()
