"""Truth tables of an observation: every planted defect and every spelling of a name, for judging the pipeline.

They belong to the observation, not to the world: another observation seed produces other tables. No pipeline stage may
read them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from simulator.files.company_links import link_findings
from simulator.files.pool.claims import all_ip_claims, claim_numbers, claimed_members, is_reported
from simulator.files.pool.debts import Balances, facility_text, told_share, true_balances
from simulator.files.pool.rows import month_ends
from simulator.observation.name_spellings import names_table
from simulator.text_columns import day_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.economy.simulated_world import World
    from simulator.observation.availability import Observation
    from simulator.observation.defects import Defect

OBSERVATION_NOTE = """\
How the synthetic world was seen: what was done to it on its way into the raw files, never read by the pipeline.

defects.csv            planted defects by raw file and kind, with the rows concerned:
                       malformed row, impossible date, cut row: no contract can accept them
                       repeated record, repeated row, duplicate delivery, corrected delivery: rows that are elsewhere
                       late rows: came in a file of their own, later than the rest
                       rows cut off: lost behind a cut row, unless a corrected delivery followed
                       unit slip, swapped date: wrong and plausible
                       red-letter invoice: cancels an invoice issued wrong, which is issued again the same day
names.csv              spellings of each seller's name, where they may be met, and the kind of noise
unreported.csv         debts and IP claims that pool members leave out or understate: since when, and the share stated
links.csv              links that registers show late, never, or beyond their end (ownership: the shares were sold)
"""
_DEFECT_COLUMNS: Mapping[str, pa.DataType] = {"file": pa.string(), "kind": pa.string(), "rows": pa.int64()}


def observation_tables(
    world: World, observation: Observation, defects: Sequence[tuple[str, Defect]]
) -> dict[str, pa.Table]:
    """Return the tables of one district.

    Args:
        world: The district.
        observation: How it was observed.
        defects: Path of a raw file and one of its defects, in order of writing.
    """
    rows = [(path, defect.kind, defect.rows) for path, defect in defects]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_DEFECT_COLUMNS)
    return {
        "defects": pa.table(
            {
                name: pa.array(list(values), type=kind)
                for (name, kind), values in zip(_DEFECT_COLUMNS.items(), columns, strict=True)
            }
        ),
        "names": pa.table(names_table(world, observation.names)),
        "unreported": _unreported(world),
        "links": _links(world),
    }


def _links(world: World) -> pa.Table:
    found = link_findings(world)
    days = day_text(world.timeline.first_day, np.array([finding.day for finding in found], dtype=np.int64))
    columns: dict[str, list[str]] = {
        "link_id": [finding.link for finding in found],
        "seller_id": [world.seller_id(finding.seller) for finding in found],
        "link_type": [finding.link_type for finding in found],
        "kind": [finding.kind for finding in found],
        "day": [str(day) for day in days.to_pylist()],
    }
    return pa.table({name: pa.array(values, type=pa.string()) for name, values in columns.items()})


def _unreported(world: World) -> pa.Table:
    """Return each debt or claim that a pool member does not state in full: reference, first day and share stated."""
    owed = true_balances(world)
    told = told_share(world, owed)
    short = np.flatnonzero(told < 1)
    _, firsts = np.unique(np.stack([owed.seller, owed.kind, owed.loan])[:, short], axis=1, return_index=True)
    at = short[firsts]  # balances of one debt are in order of time
    debts = Balances(*(getattr(owed, name)[at] for name in Balances.__dataclass_fields__))
    claims = all_ip_claims(world)
    hidden = np.flatnonzero(claimed_members(world)[claims.seller] & ~is_reported(world, claims))
    seller = np.concatenate([debts.seller, claims.seller[hidden]])
    day = np.concatenate([month_ends(world)[debts.month], 7 * claims.week[hidden]])
    references = [facility_text(world, debts), claim_numbers(world, claims.seller[hidden], claims.week[hidden])]
    return pa.table(
        {
            "seller_id": pa.array(world.seller_ids()[seller], type=pa.string()),
            "table": pa.array(["debt"] * len(at) + ["ip_claim"] * len(hidden), type=pa.string()),
            "reference": pa.concat_arrays(references),
            "from": pa.array(day_text(world.timeline.first_day, day).to_pylist(), type=pa.string()),
            "told_share": pa.array(np.concatenate([told[at], np.zeros(len(hidden))])),
        }
    )
