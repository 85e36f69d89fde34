"""Pages generated from contracts and features, so that documents cannot drift from what runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from data_contracts.compatibility.versions import recorded_versions
from data_contracts.definition.compiler import (
    source_contract,
    source_names,
    table_contract,
    table_names,
    template_names,
)
from data_contracts.definition.pages import contract_page, verification_table, verified_page
from data_contracts.definition.templates import PREFIX
from features.catalogue import feature_records, feature_set_names, load_feature_set
from features.pages import feature_page
from pipelines.passports.document import passport_schema
from pipelines.runs.publish import read_json
from pipelines.score_codes import codes_page
from pipelines.world.page import RESULT, realism_page, world_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from data_contracts.definition.contract import CompiledContract


PASSPORT_SCHEMA = "passport.schema.json"
RESULTS = "benchmarks/results"
"""Folder of committed benchmark results, beside the docs folder."""


VERSIONS = "contracts/versions.json"
"""Record of the version of each contract and of its rules, which changes only with a raised version."""


def pages(results: Path, recorded: str | None) -> dict[str, str]:
    """Return every generated page: path below the docs folder to text.

    Args:
        results: folder of benchmark results; pages about missing results are left out.
        recorded: the record of contract versions so far.

    Raises:
        ConfigurationRefused: the rules of a contract changed, and its version was not raised.
    """
    tables = [table_contract(name) for name in table_names()]
    sources = [source_contract(name) for name in source_names()]
    templates = [source_contract(f"{PREFIX}{name}") for name in template_names()]
    found = {f"contracts/tables/{contract.table}.md": contract_page(contract) for contract in tables}
    found |= {f"contracts/sources/{contract.table}.md": contract_page(contract) for contract in sources}
    found |= {f"contracts/templates/{contract.table}.md": contract_page(contract) for contract in templates}
    found["contracts/README.md"] = _contract_index({"sources": sources, "templates": templates, "tables": tables})
    found["contracts/verified.md"] = verified_page(sources)
    versions = recorded_versions([*tables, *sources, *templates], json.loads(recorded or "{}"))
    found[VERSIONS] = json.dumps(versions, indent=1) + "\n"
    found[PASSPORT_SCHEMA] = json.dumps(passport_schema(), ensure_ascii=False, indent=2) + "\n"
    found["codes.md"] = codes_page("en")
    found["codes.zh.md"] = codes_page("zh")
    found["features.md"] = feature_page(feature_records())
    found["feature_sets.md"] = _feature_sets_page()
    found["world.md"] = world_page()
    if (results / RESULT).is_file():
        found["world_realism.md"] = realism_page(read_json(results / RESULT))
    return found


def write_pages(folder: Path) -> list[str]:
    """Write every page below ``folder``, remove pages of contracts that are gone, and return the changed names."""
    wanted = _pages(folder)
    changed = _stale(wanted, folder)
    for name in changed:
        if name in wanted:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed


def stale_pages(folder: Path) -> list[str]:
    """Return the names of pages that are missing, out of date, or about a contract that is gone."""
    return _stale(_pages(folder), folder)


def _pages(folder: Path) -> dict[str, str]:
    return pages(folder.resolve().parent / RESULTS, _text_of(folder / VERSIONS))


def _stale(wanted: Mapping[str, str], folder: Path) -> list[str]:
    present = {path.relative_to(folder).as_posix() for path in (folder / "contracts").rglob("*.md")}
    differing = {name for name, text in wanted.items() if _text_of(folder / name) != text}
    return sorted(differing | (present - wanted.keys()))


def _text_of(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


_INDEX_HEADINGS = {
    "sources": "Sources",
    "templates": "Our own templates, for what comes from elsewhere",
    "tables": "Canonical tables",
}


_WHAT_A_BROKEN_RULE_COSTS = """
## What a broken rule costs

| severity | a rule on rows | a rule on a file as a whole (rows, freshness, sums) |
|---|---|---|
| critical | the file is rejected: its rows are set aside under the rule, it covers nothing | the same; the default |
| error | the row is set aside; the default | not to be stated |
| warning | the row is accepted and counted | the file is accepted and noted |

A rule on a file says that rows are missing, late or do not sum, not which of them are wrong. To set all of them aside
is what critical does. To keep them and only doubt the file would leave its period covered, so that what is missing
would read as zero. There is nothing between the two: the compiler refuses `error` and asks for a decision.

## What a rule costs that could not be checked

The stage `validate` checks every rule of the canonical tables a second time, with Great Expectations. A rule that
raises an exception there, or is evaluated on fewer values than the table holds, is not validated. Not validated is not
passed:

| severity | not validated |
|---|---|
| critical, error | the gate closes: exit code 1; `features`, `train` and `score` refuse the data |
| warning | the exit code stays; the rule is named |

In both cases the report, `validation.json` and the manifest name the rule. A rule about a column or table without any
values has nothing to check and costs nothing. The gate also closes if a table is rejected or loses more rows than the
profile allows.
"""


def _contract_index(contracts: Mapping[str, Sequence[CompiledContract]]) -> str:
    lines = ["# Contracts", "", "Generated from the contracts by `make docs`."]
    for folder, listed in contracts.items():
        lines += ["", f"## {_INDEX_HEADINGS[folder]}", ""]
        lines += [f"- [{contract.title}]({folder}/{contract.table}.md) `{contract.identity}`" for contract in listed]
        if folder == "sources":
            lines += ["", "### How the form of each source is known", ""]
            lines += ["In short: [what each source was verified against](verified.md).", "", verification_table(listed)]
    return "\n".join(lines) + "\n" + _WHAT_A_BROKEN_RULE_COSTS


def _feature_sets_page() -> str:
    lines = [
        "# Feature sets",
        "",
        "Generated from `features/sets/` by `make docs`; formulas are in [features](features.md).",
    ]
    for name in feature_set_names():
        chosen = load_feature_set(name)
        lines += ["", f"## {chosen.name} {chosen.version}", "", chosen.description, ""]
        lines += [f"{len(chosen.names)} features, SHA-256 `{chosen.digest[:16]}`.", ""]
        lines += ["| feature | pillar | unit | direction |", "|---|---|---|---|"]
        lines += [f"| `{r.name}` | {r.pillar} | {r.unit} | {r.direction:+d} |" for r in chosen.records]
    return "\n".join(lines) + "\n"
