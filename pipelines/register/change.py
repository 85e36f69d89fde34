"""What a registration changed, from what to what, in a few lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.register.training_runs import VERDICTS, estimate_text

if TYPE_CHECKING:
    from collections.abc import Mapping


def change_lines(registration: Mapping[str, Any]) -> list[str]:
    """Return what a registration says of the champion before and after; empty for one written by an earlier version."""
    change = registration.get("change")
    if change is None:
        return []
    before, candidate, champion = change["before"], change["candidate"], registration["champion"]
    is_promoted = registration["outcome"] == "promoted"
    if is_promoted:
        one = "no champion" if before is None else _named(before["version"], before["kind"])
        first = f"{one} -> {_named(candidate['version'], candidate['kind'])}"
    else:
        stays = "there is no champion" if champion is None else f"version {champion['version']} stays champion"
        first = f"{stays}; the candidate ({candidate['kind'] or 'unknown kind'}) was refused"
    first = f"{registration['model_name']}: {first}"
    return [first, *_figures(before, candidate)]


def _figures(before: Mapping[str, Any] | None, candidate: Mapping[str, Any]) -> list[str]:
    compared = None if before is None else before["compared"]
    if before is None or compared is None:
        lines = [f"  AUC of the candidate {estimate_text(candidate['auc'])}"]
        return (
            lines if before is None else [*lines, f"  not compared with version {before['version']}: {before['fault']}"]
        )
    difference = next(one for one in compared["differences"] if one["measure"] == "auc")
    gain = difference["gain"]
    before_and_after = f"{estimate_text(compared['incumbent_auc'])} -> {estimate_text(compared['auc'])}"
    rows = f"the same {compared['rows']:,} rows with {compared['bad']:,} defaults ({compared['basis']})"
    interval = f"95 % CI {gain['lower']:+.4f} to {gain['upper']:+.4f}"
    return [
        f"  AUC {before_and_after} on {rows}",
        f"  difference {gain['value']:+.4f} ({interval}): {VERDICTS[difference['verdict']]}",
    ]


def _named(version: str | None, kind: str | None) -> str:
    return f"version {version} ({kind or 'unknown kind'})"
