"""What the data page shows first: counts at a glance, and the rows, money and coverage of each source by month."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipelines.reports.charts import month_bars
from pipelines.reports.rendering import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipelines.reports.rendering import Texts

MOST_GAPS_NAMED: Final = 3


def counts_at_a_glance(document: Mapping[str, Any], rules: Mapping[str, int], texts: Texts) -> list[dict[str, Any]]:
    """Return the counts that need a person, each with a note; figures that were not delivered are left out."""
    doubled, payouts = document.get("doubled_money"), document.get("payouts_in_bank")
    withheld = rows_withheld(document["sources"])
    found = [
        _count("failed", rules["failed"], texts("glance_of_rules", judged=whole(rules["judged"]))),
        _count("not_validated", rules["not_validated"], texts("glance_not_passed")),
        _count("contradicted", document["reconciliation"]["contradicted_sellers"], texts("glance_sellers")),
    ]
    if doubled is not None:
        found.append(_count("doubled", doubled["rows"], texts("glance_usd", usd=whole(float(doubled["usd"])))))
    shared = document.get("shared_statements")
    if shared is not None:
        found.append(_count("shared", shared["statements"], texts("glance_usd", usd=whole(float(shared["usd"])))))
    if payouts is not None:
        found.append(
            _count(
                "unmatched",
                payouts["payouts"] - payouts["matched"],
                texts("glance_of", total=whole(payouts["payouts"])),
            )
        )
    files = len(document["withheld_files"])
    found.append(_count("withheld", files, texts("glance_rows", rows=whole(withheld))))
    return found


def _count(name: str, count: int, note: str) -> dict[str, Any]:
    return {"name": name, "count": count, "note": note}


def rows_withheld(sources: Sequence[Mapping[str, Any]]) -> int:
    """Return the rows of shared files that were not read for lack of consent."""
    return sum(rows for source in sources for code, rows in source["quarantined"].items() if is_consent(code))


def is_consent(code: str) -> bool:
    """Return whether a row was set aside for lack of consent."""
    return code.startswith("consent:")


def months_of(
    by_month: Sequence[Mapping[str, Any]], title_of: Callable[[str], str], texts: Texts
) -> dict[str, Any] | None:
    """Return the sources with bars of rows, money and covered sellers by month; None if no source has a month.

    Args:
        by_month: the figures of ``validation.json``, by source.
        title_of: returns the title of a source.
        texts: words of the page.
    """
    # Links and certificates may be decades older than anything delivered about a period.
    covered = sorted({month for one in by_month for month in one["sellers"]})
    months = covered or sorted({month for one in by_month for month in one["rows"]})
    if not months:
        return None
    axis = _months_between(months[0], months[-1])
    starts = [at for at, month in enumerate(axis) if month.endswith("-01")]
    gaps = {one["source"]: _covered_without_rows(one) for one in by_month}
    named = [title_of(source) for source, count in gaps.items() if count]
    more = len(named) - MOST_GAPS_NAMED
    listed = texts("comma").join(named[:MOST_GAPS_NAMED]) + (texts("and_more_sources", count=more) if more > 0 else "")
    return {
        "first": axis[0],
        "last": axis[-1],
        "gaps": sum(gaps.values()),
        "gap_sources": listed,
        "sources": [
            {
                "title": title_of(one["source"]),
                "cells": [_cell(one[kind], axis, starts, texts) for kind in ("rows", "usd", "sellers")],
            }
            for one in by_month
        ],
    }


def _covered_without_rows(one: Mapping[str, Any]) -> int:
    """Return the covered months without a row, between the first and the last month with rows.

    Only sources about money count: a month without a new certificate is nothing to ask about.
    """
    if not one["usd"]:
        return 0
    first, last = min(one["rows"]), max(one["rows"])
    return sum(first < month < last and month not in one["rows"] for month in one["sellers"])


def _cell(
    values: Mapping[str, float], axis: Sequence[str], starts: Sequence[int], texts: Texts
) -> dict[str, Any] | None:
    values = {month: values[month] for month in axis if month in values}
    if not values:
        return None
    highest = max(values, key=lambda month: (values[month], month))
    words = texts("month_most", most=whole(values[highest]), month=highest)
    return {"chart": month_bars([values.get(month) for month in axis], words, starts), "words": words}


def _months_between(first: str, last: str) -> list[str]:
    """Return all months from the first to the last, both included.

    >>> _months_between("2023-11", "2024-02")
    ['2023-11', '2023-12', '2024-01', '2024-02']
    """
    start, end = (12 * int(month[:4]) + int(month[5:]) - 1 for month in (first, last))
    return [f"{place // 12}-{place % 12 + 1:02d}" for place in range(start, end + 1)]
