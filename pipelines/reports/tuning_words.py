"""Candidates of training in words: the settings in its log, said to a reader."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from pipelines.reports.rendering import percent, significant, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.reports.rendering import Texts

PENALISED = re.compile(r"(?P<kind>linear|scorecard) penalty=(?P<penalty>[\d.e+-]+)")
BOOSTED = re.compile(r"gbm (?P<parameters>\{.*\}) rounds=(?P<rounds>\d+)")
BLENDED = re.compile(r"blend share_of_gbm=(?P<share>[\d.]+) rest=(?P<rest>\w+)")


def candidate_words(name: str, texts: Texts) -> str:
    """Return a candidate in words, or its name if its form is unknown."""
    if match := PENALISED.fullmatch(name):
        return texts(
            "candidate_penalised",
            model=texts.of_code("model", match["kind"]),
            penalty=significant(float(match["penalty"])),
        )
    if match := BLENDED.fullmatch(name):
        share = float(match["share"])
        rest = texts.of_code("component", match["rest"])
        return texts("candidate_blended", share=percent(share, 0), rest_share=percent(1 - share, 0), rest=rest)
    match = BOOSTED.fullmatch(name)
    return _boosted_words(match["parameters"], int(match["rounds"]), texts) or name if match else name


def _boosted_words(text: str, rounds: int, texts: Texts) -> str | None:
    """Return the settings of boosted trees in words; None if they are not the known ones."""
    try:
        parameters: Mapping[str, float] = json.loads(text)
        return texts(
            "candidate_boosted",
            trees=whole(rounds),
            leaves=whole(parameters["leaves"]),
            rows=whole(parameters["rows_in_leaf"]),
            rate=significant(parameters["learning_rate"]),
            penalty=significant(parameters["lambda_l2"]),
            features=percent(parameters["feature_share"], 0),
            shown_rows=percent(parameters["row_share"], 0),
        )
    except (ValueError, KeyError, TypeError):
        return None
