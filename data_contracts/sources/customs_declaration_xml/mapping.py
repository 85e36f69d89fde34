"""Map export declarations in XML to ``export_declaration``, one row for each item, like those in JSON."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column
from data_contracts.mapping.source_mapping import SourceMapping
from data_contracts.sources.customs_declaration.exporters import own_names
from data_contracts.sources.customs_declaration.mapping import screened, to_canonical
from data_contracts.sources.customs_declaration.prices import price_doubts

if TYPE_CHECKING:
    from data_contracts.arrow import Values

SOURCE = "customs_declaration_xml"


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the rows with origin and destination swapped if foreign goods would otherwise be bound for China."""
    origin, final = (text_rows[name] for name in ("origin_country", "final_country"))
    abroad: Values = pc.invert(pc.is_in(origin, value_set=pa.array(["", "CHN"])))
    exchanged: Values = pc.and_(pc.equal(final, pa.scalar("CHN")), abroad)
    for name, own, other in (("origin_country", origin, final), ("final_country", final, origin)):
        values: Values = pc.if_else(exchanged, other, own)
        text_rows = with_column(text_rows, name, values)
    return text_rows


MAPPING = SourceMapping(
    source=SOURCE,
    covered_tables=("export_declaration",),
    to_canonical=to_canonical,
    happened="exported_on",
    prepare=prepare,
    screen=functools.partial(screened, SOURCE),
    remarks=price_doubts,
    own_names=own_names,
)
