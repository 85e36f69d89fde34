"""Options that several commands share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

if TYPE_CHECKING:
    from pipelines.ingest.deliveries.unlisted import Terms

DEFAULT_OUT: Final = Path("artifacts")
DAY: Final = "%Y-%m-%d"
MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"

Language = Literal["en", "zh"]
DateOrder = Literal["day-first", "month-first"]
ProfileOption = Annotated[
    str, typer.Option("--profile", metavar="NAME|FILE", help="Name of a built-in profile, or a TOML file.")
]
OutOption = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Folder that holds the outputs.")]
SellerOption = Annotated[str | None, typer.Option("--seller", metavar="ID", help="Seller ID that the files belong to.")]
AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="NAME", help="Store or shop that the files were exported from.")
]
FromOption = Annotated[
    datetime | None, typer.Option("--from", metavar="DATE", formats=[DAY], help="First day that the files cover.")
]
ToOption = Annotated[
    datetime | None, typer.Option("--to", metavar="DATE", formats=[DAY], help="Last day that the files cover.")
]
DeliveredAtOption = Annotated[
    datetime | None,
    typer.Option(
        "--delivered-at",
        metavar="DATE|TIME",
        formats=[DAY, MOMENT],
        help="When the files arrived (UTC), to the day or second.",
    ),
]

DateOrderOption = Annotated[
    DateOrder | None,
    typer.Option("--date-order", help="Order of day and month, for files with days like 03/04/2025 that do not tell."),
]


def terms_of(
    seller: str | None,
    account: str | None,
    period_from: datetime | None,
    period_to: datetime | None,
    delivered_at: datetime | None,
    *,
    date_order: DateOrder | None = None,
) -> Terms:
    """Return what the options state about files."""
    from data_contracts.mapping.days.day_order import DayOrder
    from pipelines.ingest.deliveries.unlisted import Terms

    return Terms(
        seller=seller,
        account=account,
        period_from=period_from.date() if period_from else None,
        period_to=period_to.date() if period_to else None,
        delivered_at=delivered_at.replace(tzinfo=UTC) if delivered_at else None,
        date_order=DayOrder(date_order) if date_order else None,
    )


ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="URI", help="models:/NAME@ALIAS or models:/NAME/VERSION (default: the profile's champion)."
    ),
]
BundleOption = Annotated[
    Path | None,
    typer.Option("--bundle", metavar="FOLDER", help="Folder of a model bundle, instead of a registered model."),
]
