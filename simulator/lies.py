"""Who deceives, and how: brushing of own-site orders, hiding the worse source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.world import World


def withheld_sources(world: World) -> NDArray[np.str_]:
    """Name of the source each withholding seller hides, empty for the honest, shape (sellers,).

    A seller with a web shop hides it where it earned less than the shop promised (site sales over the world below the
    share planned); the others hide their tax invoices, where thin purchases show.
    """
    firms = world.firms
    sales, site = world.weekly["sales"].sum(axis=0), world.weekly["site_sales"].sum(axis=0)
    is_weak_site = (firms.site_week <= world.timeline.weeks) & (site < firms.site_share * sales)
    hidden = np.where(is_weak_site, "shopify_orders", "vat_invoices")
    return np.where(firms.is_withholder, hidden, "")
