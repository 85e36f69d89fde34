"""Relations of the sellers: control groups, guarantee circles, honest service addresses and shared suppliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.randomness import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.settings import WorldSettings

SHARED_TIES: tuple[str, ...] = ("owner", "director", "address", "phone", "bank_account", "device")
# How often a control group shows each tie: owners hide behind nominees, so no tie is certain.
_TIE_RATES = (0.72, 0.55, 0.45, 0.35, 0.22, 0.50)
_SUPPLIERS_PER_SELLER = 5


@dataclass(frozen=True)
class Network:
    """Relations of the sellers.

    Attributes:
        group: Control group of each seller, -1 for none, shape (sellers,).
        group_ties: Which of ``SHARED_TIES`` the members of a group share, shape (groups, ties).
        hub: Service address (forwarder, co-working space) used, -1 for none, shape (sellers,).
        guarantor: Seller that guarantees, shape (guarantees,).
        guaranteed: Seller that is guaranteed, shape (guarantees,).
        circle: Guarantee circle of each guarantee, -1 for one-way guarantees, shape (guarantees,).
        liable: Sellers whose owner is liable for another seller of the group, shape (pairs,).
        liable_for: That other seller, shape (pairs,).
        suppliers: Suppliers of each seller, -1 for none, shape (sellers, 5).
        supplier_weights: Share of purchases by supplier, rows sum to 1, shape (sellers, 5).
        supplier_count: Number of suppliers in the world.
    """

    group: NDArray[np.int64]
    group_ties: NDArray[np.bool_]
    hub: NDArray[np.int64]
    guarantor: NDArray[np.int64]
    guaranteed: NDArray[np.int64]
    circle: NDArray[np.int64]
    liable: NDArray[np.int64]
    liable_for: NDArray[np.int64]
    suppliers: NDArray[np.int64]
    supplier_weights: NDArray[np.float64]
    supplier_count: int


def _bundles(members: NDArray[np.int64], sizes: tuple[int, ...], rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Split a shuffled list of sellers into bundles of random sizes; a remainder below the smallest size is dropped."""
    bundles, start = [], 0
    while len(members) - start >= min(sizes):
        size = min(int(rng.choice(sizes)), len(members) - start)
        bundles.append(members[start : start + size])
        start += size
    return bundles


def _guarantees(
    groups: list[NDArray[np.int64]], circles: list[NDArray[np.int64]], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return a ring over each circle (each member guarantees the next), and one-way guarantees within some groups."""
    rows: list[tuple[int, int, int]] = []
    for number, circle in enumerate(circles):
        rows += [(int(a), int(b), number) for a, b in zip(circle, np.roll(circle, -1), strict=True)]
    for group in groups:
        if rng.random() < 0.45:
            rows += [(int(group[0]), int(member), -1) for member in group[1:]]
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _owner_pairs(groups: list[NDArray[np.int64]], ties: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return ordered pairs of sellers with the same owner, shape (pairs, 2): the first is liable for the second."""
    pairs = [
        (int(a), int(b))
        for members, tie in zip(groups, ties, strict=True)
        if tie[0]
        for a in members
        for b in members
        if a != b
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _hubs(settings: WorldSettings, free: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw service addresses: false rings of more than 20 sellers that share nothing else."""
    count = settings.seller_count
    hub = np.full(count, -1, dtype=np.int64)
    hubs = max(1, round(settings.network.hub_count * count / 4_000)) if settings.network.hub_count else 0
    start = 0
    for number in range(hubs):
        size = max(21, int(rng.poisson(settings.network.hub_size)))
        hub[free[start : start + size]] = number
        start += size
    return hub


def _suppliers(
    categories: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Draw one to five suppliers per seller with unequal shares; suppliers of a category differ in popularity."""
    sellers = len(categories)
    per_category = max(6, sellers // 40)
    popularity = 1 / np.arange(1, per_category + 1) ** 0.7
    popularity /= popularity.sum()
    chosen = rng.choice(per_category, size=(sellers, _SUPPLIERS_PER_SELLER), p=popularity)
    suppliers = categories[:, None] * per_category + chosen
    used = rng.integers(1, _SUPPLIERS_PER_SELLER + 1, size=sellers)
    is_used = np.arange(_SUPPLIERS_PER_SELLER)[None, :] < used[:, None]
    weights = rng.gamma(0.9, size=suppliers.shape) * is_used + 1e-9 * is_used
    return np.where(is_used, suppliers, -1), weights / weights.sum(axis=1, keepdims=True), per_category * 8


def draw_network(settings: WorldSettings, categories: NDArray[np.int64]) -> Network:
    """Draw all relations of a world.

    Args:
        settings: World settings.
        categories: Category of each seller, shape (sellers,); each supplier serves one category.

    Returns:
        The network. Control groups and guarantee circles do not overlap; service addresses go to the other sellers.
    """
    rng = stream(settings.seed, "network")
    count = settings.seller_count
    shuffled = rng.permutation(count)
    grouped = int(count * settings.network.grouped_share)
    circled = grouped + int(count * settings.network.circle_share)
    groups = _bundles(shuffled[:grouped], (2, 2, 2, 3, 3, 4, 5, 6), rng)
    circles = _bundles(shuffled[grouped:circled], (2, 3, 3, 4), rng)
    group = np.full(count, -1, dtype=np.int64)
    for number, members in enumerate(groups):
        group[members] = number
    ties = rng.random((len(groups), len(SHARED_TIES))) < np.array(_TIE_RATES)
    ties[~ties[:, :2].any(axis=1), 0] = True  # a control group shares at least an owner or a director
    guarantor, guaranteed, circle = _guarantees(groups, circles, rng)
    suppliers, weights, supplier_count = _suppliers(categories, rng)
    pairs = _owner_pairs(groups, ties)
    return Network(
        group=group, group_ties=ties, hub=_hubs(settings, shuffled[circled:], rng), guarantor=guarantor,
        guaranteed=guaranteed, circle=circle, liable=pairs[:, 0], liable_for=pairs[:, 1], suppliers=suppliers,
        supplier_weights=weights, supplier_count=supplier_count,
    )  # fmt: skip
