"""Entities: normalising is idempotent, matching does not depend on order, and a reviewer's decision is final."""

from __future__ import annotations

import unicodedata

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.entities.company_names import normalised_name, parse_company_name
from data_contracts.entities.comparison import EvidenceSettings, Party, compare
from data_contracts.entities.identifiers import IDENTIFIER_KINDS, check_identifier
from data_contracts.entities.matching import Override, match_parties
from simulator.observation.name_spellings import CHINESE_NOISE, LATIN_NOISE, noisy_spelling
from simulator.population.names import company_name

WRITTEN = st.text(
    st.one_of(
        st.characters(min_codepoint=0x20, max_codepoint=0x24F),
        st.characters(min_codepoint=0x3000, max_codepoint=0x303F),
        st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF),
        st.characters(min_codepoint=0xF900, max_codepoint=0xFFEF),
        st.sampled_from("深圳市恒瑞貿易有限公司()（） .,&"),
    ),
    max_size=30,
)


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """Draw a spelling of one of a few companies with similar names."""
    name = company_name(draw(st.sampled_from((1, 2, 3, 10, 11, 12, 221, 220, 1569))))
    if draw(st.booleans()):
        return name.chinese()
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return noisy_spelling(name, CHINESE_NOISE if draw(st.booleans()) else LATIN_NOISE, rng).text


IDENTIFIERS = st.sampled_from(((), (("uscc", "A"),), (("uscc", "B"),), (("iban", "C"),)))
PARTIES = st.lists(st.tuples(spellings(), IDENTIFIERS), max_size=8).map(
    lambda found: [Party(f"p{place}", parse_company_name(text), ids) for place, (text, ids) in enumerate(found)]
)


@given(WRITTEN)
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalised_name(text)
    assert normalised_name(once) == once


@given(WRITTEN)
def test_full_width_letters_and_capitals_do_not_change_a_name(text: str) -> None:
    assert normalised_name(unicodedata.normalize("NFKC", text)) == normalised_name(text)
    ascii_only = "".join(sign for sign in text if sign.isascii())
    assert normalised_name(ascii_only.upper()) == normalised_name(ascii_only)


@given(WRITTEN)
def test_any_text_can_be_parsed_and_its_key_has_no_spaces(text: str) -> None:
    name = parse_company_name(text)
    assert not set(name.key) & set(" ()")
    assert name.syllables == () or "".join(name.syllables) == name.key


@given(st.sampled_from(IDENTIFIER_KINDS), WRITTEN)
def test_an_identifier_is_valid_or_has_a_reason_and_its_normal_form_is_stable(kind: str, text: str) -> None:
    found = check_identifier(kind, text)
    assert (found.number is None) != (found.reason is None)
    if found.number is not None:
        assert check_identifier(kind, found.number).number == found.number


@given(spellings(), spellings(), IDENTIFIERS, IDENTIFIERS)
def test_comparison_is_symmetric(one: str, other: str, ours: object, theirs: object) -> None:
    left, right = Party("a", parse_company_name(one), ours), Party("b", parse_company_name(other), theirs)  # type: ignore[arg-type]
    assert compare(left, right, EvidenceSettings()) == compare(right, left, EvidenceSettings())


@settings(deadline=None)
@given(PARTIES, st.randoms(use_true_random=False))
def test_matching_does_not_depend_on_the_order_of_rows(found: list[Party], random: object) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = match_parties(found), match_parties(shuffled)
    assert one.matches == other.matches
    assert one.group_of == other.group_of


@settings(deadline=None)
@given(PARTIES)
def test_groups_are_the_components_of_the_accepted_matches(found: list[Party]) -> None:
    matching = match_parties(found)
    near = {party.ident: {party.ident} for party in found}
    for match in matching.matches:
        if match.is_accepted:
            joined = near[match.left] | near[match.right]
            for ident in joined:
                near[ident] = joined
    assert matching.group_of == {ident: min(members) for ident, members in near.items()}


@settings(deadline=None)
@given(PARTIES)
def test_no_group_holds_the_identifiers_of_two_companies(found: list[Party]) -> None:
    group_of = match_parties(found).group_of
    numbers: dict[str, set[str]] = {}
    for party in found:
        numbers.setdefault(group_of[party.ident], set()).update(no for kind, no in party.identifiers if kind == "uscc")
    assert all(len(held) <= 1 for held in numbers.values())


@settings(deadline=None)
@given(PARTIES.filter(lambda found: len(found) > 1), st.booleans(), st.data())
def test_a_reviewers_decision_overrides_the_match(found: list[Party], is_same: bool, data: st.DataObject) -> None:
    pair = data.draw(st.lists(st.sampled_from([party.ident for party in found]), min_size=2, max_size=2, unique=True))
    override = Override(pair[0], pair[1], is_same=is_same, reviewer="reviewer", note="seen")
    matching = match_parties(found, overrides=[override])
    assert (matching.group_of[pair[0]] == matching.group_of[pair[1]]) is is_same
    (match,) = [match for match in matching.matches if {match.left, match.right} == set(pair)]
    assert (match.is_accepted, match.decided_by) == (is_same, "reviewer")
