"""Changes between two versions of a contract, and whether they break those who rely on the old version.

Two groups rely on a contract: those who deliver files under it and those who read its rows. A change is breaking if a
file or row that was valid may now be refused, or if a value that is still accepted may now mean something else. Changes
of wording are compatible. So are all changes to rules that only warn.
"""

from __future__ import annotations

import math
import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from data_contracts.compatibility.change import Change, ChangeKind
from data_contracts.compatibility.columns import column_changes
from data_contracts.compatibility.rules import rule_changes
from data_contracts.errors import one_line
from data_contracts.reading.heading_text import normalised

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from data_contracts.definition.contract import Column, CompiledContract, ReadSpec, Rule, SheetSpec

_POLICIES = ("refuse", "warn", "allow")


def contract_changes(old: CompiledContract, new: CompiledContract) -> tuple[Change, ...]:
    """Return every change from ``old`` to ``new``, breaking changes first."""
    pairs = _paired_names(old, new)
    before = _renamed(old, {a: b for a, b in pairs.items() if a != b})
    own = {name: column for name, column in _columns(new).items() if name in pairs.values()}
    changes = [
        *_contract_changes(old, new),
        *_column_set_changes(old, new, pairs),
        *(
            change
            for a, b in pairs.items()
            for change in column_changes(old.column(a), own[b], (before.read_spec, new.read_spec))
        ),
        *rule_changes(_rules_of(before, own), _rules_of(new, own)),
        *_reading_changes(before.read_spec, new.read_spec),
        *_form_changes(before, new),
    ]
    if before.primary_key != new.primary_key:
        words = f"{' + '.join(before.primary_key) or 'none'} → {' + '.join(new.primary_key) or 'none'}"
        changes.append(Change(ChangeKind.PRIMARY_KEY_CHANGED, "primary key", words, breaking=True))
    return tuple(sorted(changes, key=lambda change: not change.breaking))


def change_report(old: CompiledContract, new: CompiledContract, changes: Sequence[Change]) -> list[str]:
    """Return the changes as lines of text: summary, breaking changes, compatible changes, and a note on the version."""
    breaking = [change for change in changes if change.breaking]
    compatible = [change for change in changes if not change.breaking]
    lines = [f"{old.identity} → {new.identity}: {len(breaking)} breaking, {len(compatible)} compatible"]
    for title, chosen in (("breaking", breaking), ("compatible", compatible)):
        lines += [f"{title}: {change.kind}: {change.place}: {change.words}" for change in chosen]
    if changes and old.identity == new.identity:
        lines.append(f"note: both have version {new.version}, which is recorded with every row; raise the version")
    return [one_line(line) for line in lines]


def _columns(contract: CompiledContract) -> dict[str, Column]:
    return {column.name: column for column in contract.columns}


def _paired_names(old: CompiledContract, new: CompiledContract) -> dict[str, str]:
    """Return the columns present in both, old name to new name: same name, else same header, else same description."""
    before, after = _columns(old), _columns(new)
    added = [column for name, column in after.items() if name not in before]
    pairs = {}
    for name, column in before.items():
        twin = name if name in after else next((other.name for other in added if _same_meaning(column, other)), None)
        if twin is not None:
            pairs[name] = twin
            added = [other for other in added if other.name != twin]
    return pairs


def _same_meaning(old: Column, new: Column) -> bool:
    spelled = {normalised(spelling) for spelling in (new.header, *new.synonyms)}
    if any(normalised(spelling) in spelled for spelling in (old.header, *old.synonyms)):
        return True
    return old.description != "" and (old.description, old.description_zh) == (new.description, new.description_zh)


def _renamed(contract: CompiledContract, names: Mapping[str, str]) -> CompiledContract:
    """Return a contract whose rules, key and read settings use the new column names."""
    if not names:
        return contract
    spec = contract.read_spec
    if spec is not None:
        spec = replace(
            spec,
            exactly_one_of=tuple(tuple(names.get(name, name) for name in group) for group in spec.exactly_one_of),
            any_of=tuple(tuple(names.get(name, name) for name in group) for group in spec.any_of),
            locale_column=names.get(spec.locale_column or "", spec.locale_column),
            preamble_column=spec.preamble_column
            and replace(
                spec.preamble_column, column=names.get(spec.preamble_column.column, spec.preamble_column.column)
            ),
            sheet_column=names.get(spec.sheet_column or "", spec.sheet_column),
            sheets=tuple(replace(one, needs=tuple(names.get(name, name) for name in one.needs)) for one in spec.sheets),
        )
    return replace(
        contract,
        rules=tuple(_renamed_rule(rule, names) for rule in contract.rules),
        primary_key=tuple(names.get(name, name) for name in contract.primary_key),
        read_spec=spec,
    )


def _renamed_rule(rule: Rule, names: Mapping[str, str]) -> Rule:
    given = rule.arguments
    sql = given.sql and re.sub(r"[A-Za-z_][A-Za-z_0-9]*", lambda word: names.get(word.group(), word.group()), given.sql)
    arguments = replace(given, columns=tuple(names.get(name, name) for name in given.columns), sql=sql)
    if rule.column is None or rule.column not in names:
        return replace(rule, arguments=arguments)
    column = names[rule.column]
    rule_id = f"{column}{rule.rule_id.removeprefix(rule.column)}"
    return replace(rule, rule_id=rule_id, column=column, arguments=arguments)


def _rules_of(contract: CompiledContract, columns: Mapping[str, Column]) -> list[Rule]:
    """Return the table rules and the rules of the columns present in both. The primary key is compared separately."""
    return [
        rule
        for rule in contract.rules
        if rule.rule_id != "primary_key" and (rule.column is None or rule.column in columns)
    ]


def _contract_changes(old: CompiledContract, new: CompiledContract) -> Iterator[Change]:
    if (old.contract_id, old.table) != (new.contract_id, new.table):
        words = f"{old.contract_id} of {old.table} → {new.contract_id} of {new.table}"
        yield Change(ChangeKind.CONTRACT_RENAMED, "contract", words, breaking=True)
    if old.known_lag_days != new.known_lag_days:
        words = f"{old.known_lag_days} → {new.known_lag_days} days from the event until a row is known"
        yield Change(ChangeKind.LAG_CHANGED, "known lag", words, breaking=True)
    if old.retention_days != new.retention_days:
        kept = [f"kept {one.retention_days} days" if one.retention_days else "kept forever" for one in (old, new)]
        shorter = new.retention_days is not None and (old.retention_days or math.inf) > new.retention_days
        yield Change(ChangeKind.RETENTION_CHANGED, "retention", f"{kept[0]} → {kept[1]}", breaking=shorter)
    for place in ("title", "purpose", "verification"):
        if getattr(old, place) != getattr(new, place):
            yield Change(ChangeKind.WORDING_CHANGED, place, "new wording", breaking=False)


def _column_set_changes(old: CompiledContract, new: CompiledContract, pairs: Mapping[str, str]) -> Iterator[Change]:
    for name, column in _columns(old).items():
        if name not in pairs:
            yield Change(ChangeKind.COLUMN_DROPPED, name, column.description, breaking=True)
    kept = set(pairs.values())
    for name, column in _columns(new).items():
        if name not in kept:
            needed = column.required or (new.read_spec is not None and not column.cell.header_optional)
            need = "required" if column.required else "its header is required" if needed else "may be absent"
            yield Change(ChangeKind.COLUMN_ADDED, name, f"{column.description} ({need})", breaking=needed)
    if list(pairs.values()) != [name for name in _columns(new) if name in kept]:
        words = "columns are matched by name, so their order does not matter"
        yield Change(ChangeKind.COLUMNS_REORDERED, "columns", words, breaking=False)


def _reading_changes(old: ReadSpec | None, new: ReadSpec | None) -> Iterator[Change]:
    """Yield the changes to the read settings of the file."""
    if old is None or new is None:
        if old is not new:
            words = "no raw file is described any more" if new is None else "a raw file is now described"
            yield Change(ChangeKind.FORMAT_CHANGED, "file", words, breaking=new is None)
        return
    for field in fields(old):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before != after:
            breaking = not _reads_more(field.name, before, after)
            place = field.name.replace("_", " ")
            yield Change(ChangeKind.FORMAT_CHANGED, place, f"{before!r} → {after!r}", breaking=breaking)


def _form_changes(old: CompiledContract, new: CompiledContract) -> Iterator[Change]:
    """Yield the changes to the further forms in which a file may be delivered."""
    if old.other_forms != new.other_forms:
        kept = new.other_forms[: len(old.other_forms)] == old.other_forms
        words = ", ".join(form.format for form in new.other_forms) or "none"
        yield Change(ChangeKind.FORMAT_CHANGED, "other forms of file", words, breaking=not kept)


def _reads_more(field: str, before: object, after: object) -> bool:
    """Return whether the change lets the reader accept more files or cells than before, and never fewer."""
    if field in {"preamble", "quoted_newlines", "single_record"}:
        return after is True
    if field == "extra_columns":
        return _POLICIES.index(str(after)) > _POLICIES.index(str(before))
    if field in {"thousands_mark", "value_key"}:
        return before is None
    if field == "json_in_text" and isinstance(before, tuple) and isinstance(after, tuple):
        return set(before) < set(after)
    if field == "exactly_one_of" and isinstance(before, tuple) and isinstance(after, tuple):
        return set(after) < set(before)
    return field == "sheets" and isinstance(before, tuple) and isinstance(after, tuple) and _more_sheets(before, after)


def _more_sheets(before: tuple[SheetSpec, ...], after: tuple[SheetSpec, ...]) -> bool:
    """Return whether no existing sheet needs more than before and every new sheet is optional."""
    old, new = ({sheet.name: sheet for sheet in sheets} for sheets in (before, after))
    return set(old) <= set(new) and all(
        sheet.optional
        if name not in old
        else (sheet.optional or not old[name].optional)
        and set(sheet.needs) <= set(old[name].needs)
        and sheet.header_rows >= old[name].header_rows
        for name, sheet in new.items()
    )
