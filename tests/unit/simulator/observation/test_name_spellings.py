"""Names and credit codes are realistic, unique in the register, spelt in many ways, and every spelling is listed."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.observation.name_spellings import (
    CHINESE_NOISE,
    LATIN_NOISE,
    company_names,
    entity_spellings,
    noisy_spelling,
)
from simulator.population.names import (
    SYLLABLES,
    company_name,
    credit_check,
    credit_code,
    entity_name,
    organisation_check,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.simulator.conftest import Written

NUMBERS = st.integers(min_value=1, max_value=1_000_000)
NAMED = re.compile(r"^[\u4e00-\u9fff]{2}市[\u4e00-\u9fff]{4,}(有限公司|有限责任公司)$")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def normalised(consignee: str) -> str:
    """Normalise as the pipeline does for consignees."""
    return re.sub(r"[^A-Z0-9]+", " ", consignee.upper()).strip()


def test_no_two_companies_have_one_name_and_many_are_close() -> None:
    names = [company_name(number).chinese() for number in range(1, 20_001)]
    assert len(set(names)) == len(names)
    assert all(NAMED.match(name) for name in names)
    brands = Counter("".join(word.simplified for word in company_name(number).brand) for number in range(1, 20_001))
    assert sum(count for count in brands.values() if count > 1) > 1_000


def test_syllables_differ_in_every_script_in_which_names_must() -> None:
    assert len({word.pinyin for word in SYLLABLES}) == len({word.simplified for word in SYLLABLES}) == len(SYLLABLES)


def test_entities_of_sellers_and_of_groups_have_different_names() -> None:
    numbers = [*range(1, 5_001), *range(10_000_001, 10_005_001)]
    assert len({normalised(entity_name(number)) for number in numbers}) == len(numbers)


def test_check_digits_are_those_of_a_published_code() -> None:
    # The example of a unified social credit code in the documentation of python-stdnum.
    assert credit_check("91110000600037341") == "L"
    assert organisation_check("60003734") == "1"


@given(NUMBERS)
def test_every_credit_code_carries_its_check_digits(number: int) -> None:
    code = credit_code(number)
    assert len(code) == 18
    assert code[17] == credit_check(code[:17])
    assert code[16] == organisation_check(code[8:16])
    assert code[2:8] == company_name(number).region.code


@given(NUMBERS, st.integers(min_value=0, max_value=2**32))
def test_noise_is_of_its_kind(number: int, seed: int) -> None:
    name, rng = company_name(number), np.random.default_rng(seed)
    registered = name.chinese()
    spelling = noisy_spelling(name, CHINESE_NOISE, rng)
    assert spelling.text != registered or spelling.kind in {"traditional", "typo"}
    if spelling.kind == "spaces":
        assert "".join(spelling.text.split()) == registered
    if spelling.kind in {"missing region", "city without its mark"}:
        assert registered.endswith(spelling.text.removeprefix(name.region.word.simplified))
    if spelling.kind == "typo":
        assert abs(len(spelling.text) - len(registered)) <= 1
    latin = noisy_spelling(name, LATIN_NOISE, rng)
    assert unicodedata.normalize("NFKC", latin.text).isascii()
    assert latin.text.isascii() == (latin.kind != "full width")


def test_half_of_the_groups_go_by_one_brand(written: Written) -> None:
    names, group = company_names(written.world), written.world.network.group
    shared = {
        len({name.brand for name, theirs in zip(names, group.tolist(), strict=True) if theirs == number}) == 1
        for number in range(int(group.max()) + 1)
    }
    assert shared == {True, False}
    assert len({name.chinese() for name in names}) == len(names)


@pytest.fixture(scope="module")
def listed(written: Written) -> dict[tuple[str, str], dict[str, str]]:
    """Return kind by spelling, for each seller and source."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in table(written.truth / "observation" / "names.csv"):
        found[row["seller_id"], row["source"]][row["spelling"]] = row["kind"]
    return found


def test_every_name_in_the_files_is_listed_with_its_kind(
    written: Written, listed: dict[tuple[str, str], dict[str, str]]
) -> None:
    kinds: Counter[str] = Counter()
    for path in (written.raw / "customs_declaration").glob("*/*.json"):
        for declaration in json.loads(path.read_text(encoding="utf-8")):
            kinds[listed[path.parent.name, "customs_declaration"][declaration["consignorCname"]]] += 1
    assert 0.7 < kinds["registered"] / kinds.total() < 0.8
    assert set(kinds) == {"registered", *(kind for kind, _, _ in CHINESE_NOISE)}
    for line in (written.raw / "company_links/links-000001.jsonl").read_text(encoding="utf-8").splitlines():
        entity = json.loads(line)
        if entity["schema"] == "Company":
            properties = entity["properties"]
            spellings = listed[properties["idNumber"][0], "company_links"]
            assert spellings[properties["name"][0]] == "registered"
            assert set(properties.get("alias", [])) == {
                text for text, kind in spellings.items() if kind != "registered"
            }


def test_consignees_are_misspelt_but_seldom_so_that_they_fall_apart(written: Written) -> None:
    spelt: list[tuple[str, str]] = []
    for path in (written.raw / "customs_declaration").glob("*/*.json"):
        declarations = json.loads(path.read_text(encoding="utf-8"))
        spelt += [(path.parent.name, declaration["consigneeEname"]) for declaration in declarations]
    sellers: dict[str, set[str]] = defaultdict(set)
    for seller, consignee in spelt:
        sellers[normalised(consignee)].add(seller)
    names = {normalised(entity_name(number)) for number in [*range(1, 151), *range(10_000_001, 10_000_151)]}
    not_own = {name for name, theirs in sellers.items() if len(theirs) > 4} - names  # warehouses, to order
    own = [consignee for _, consignee in spelt if normalised(consignee) not in not_own]
    assert 0.95 < sum(normalised(consignee) in names for consignee in own) / len(own) < 1
    assert len(set(own)) > 1.5 * len({normalised(consignee) for consignee in own})


def test_only_the_last_two_spellings_of_an_entity_are_other_names_to_the_pipeline() -> None:
    spellings = entity_spellings(7)
    same = [normalised(spelling.text) == normalised(spellings[0].text) for spelling in spellings]
    assert same == [True, True, True, False, False]
