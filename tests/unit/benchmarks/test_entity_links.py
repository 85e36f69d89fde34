"""The benchmark of links by matched names: what counts as a link, a hub or a mistake."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from entity_links import consignees, groups, judged, linked, matched, second_register, seller_ties, two_registers

from simulator.observation.name_spellings import Spelling
from tests.factories.raw_files import RawFile, entity, links_file, write_raw_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_consignees_are_distinguished_only_by_letters_and_digits(tmp_path: Path) -> None:
    folder = tmp_path / "customs_declaration" / "S1"
    folder.mkdir(parents=True)
    names = ["Huarui Inc.", "HUARUI, INC", "TO ORDER", "", None, "Hua Rui Inc"]
    (folder / "2024.json").write_text(json.dumps([{"consigneeEname": name} for name in names]), encoding="utf-8")
    (folder / "cut.json").write_text('[{"consigneeEname": "X"', encoding="utf-8")
    assert consignees(tmp_path) == {"S1": ["HUARUI INC", "HUARUI INC", "HUA RUI INC"]}


def test_sellers_who_name_one_consignee_are_linked_unless_nearly_everybody_does() -> None:
    named = {"S1": {"a"}, "S2": {"a", "b"}, "S3": {"b2"}} | {f"T{number}": {"hub"} for number in range(30)}
    names = {name for found in named.values() for name in found}
    assert linked(named, {name: name for name in names}) == {("S1", "S2")}
    assert linked(named, groups(names, {("b", "b2")})) == {("S1", "S2"), ("S2", "S3")}


def test_groups_join_along_pairs_in_any_order() -> None:
    assert groups("abcd", {("b", "c"), ("a", "b")}) == {"a": "a", "b": "a", "c": "a", "d": "d"}


def test_spellings_that_differ_in_blanks_match_and_other_names_do_not() -> None:
    names = ["SHENZHEN HUARUI TRADING CO LTD", "SHENZHEN HUA RUI TRADING CO LTD", "NINGBO HUARUI TRADING CO LTD"]
    assert matched(((name, name) for name in names), 0.85) == {(names[1], names[0])}


def test_precision_counts_links_found_and_recall_links_there_are() -> None:
    found = judged({("a", "b"), ("a", "c")}, {("a", "b"), ("d", "e"), ("f", "g"), ("h", "i")})
    assert found == {"pairs": 2, "precision": 0.5, "recall": 0.25}


def test_a_second_register_ties_companies_of_one_group_only_where_their_names_are_matched(tmp_path: Path) -> None:
    names = ["深圳市华锐贸易有限公司", "宁波市恒进贸易有限公司", "杭州市金鼎贸易有限公司"]
    spelt = tuple((Spelling(name, "registered"), Spelling(name.replace("市", ""), "region mark")) for name in names)
    world: Any = SimpleNamespace(network=SimpleNamespace(group=np.array([0, 0, -1])))
    observed: Any = SimpleNamespace(in_customs=spelt, alias=(None, None, None))
    companies = [
        entity(f"C{number}", "Company", name=name, jurisdiction="cn", idNumber=f"S{number}")
        for number, name in enumerate(names)
    ]
    links = RawFile("links.jsonl", "company_links", links_file(companies))
    raw = write_raw_folder(tmp_path / "raw", [links])
    (tmp_path / "both").mkdir()
    tables = two_registers(raw, second_register(world, observed), tmp_path / "both")
    assert seller_ties(tables, None) == set()
    assert seller_ties(tables, 0.85) == {("S0", "S1")}
