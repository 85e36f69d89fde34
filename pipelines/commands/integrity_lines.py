"""The integrity rules in lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.errors import ConfigurationRefused
from features.integrity.rules import integrity_rules
from features.policy import load_policy

if TYPE_CHECKING:
    from pipelines.score_codes import Language


def rules_in_lines(language: Language) -> list[str]:
    """Return one line for each rule: code, name, severity and action."""
    rules = integrity_rules()
    width = max(map(len, rules))
    return [
        f"{code:{width}}  {rule.title.en if language == 'en' else rule.title.zh} ({rule.severity}; {rule.action})"
        for code, rule in rules.items()
    ]


def rule_in_lines(code: str, language: Language) -> list[str]:
    """Return a rule with source, tables, thresholds and formula.

    Raises:
        ConfigurationRefused: there is no such rule.
    """
    rules = integrity_rules()
    if code not in rules:
        raise ConfigurationRefused(f"there is no integrity rule {code!r}", "see passport rules list")
    rule, policy = rules[code], load_policy()
    texts = (rule.meaning, rule.remedy)
    return [
        f"{code}: {rule.title.en} ({rule.title.zh})",
        *(f"  {text.en if language == 'en' else text.zh}" for text in texts),
        f"  severity   {rule.severity}; action: {rule.action}",
        f"  since      {rule.since.isoformat()}",
        f"  source     {rule.source}",
        f"  tables     {', '.join(rule.tables)}",
        *(
            f"  threshold  {name} = {policy.thresholds[name].value}: {policy.thresholds[name].meaning}"
            for name in rule.thresholds()
        ),
        "  formula",
        *(f"    {line}" for line in rule.sql.rstrip().splitlines()),
    ]
