"""Public opinion about pool members: monthly ratings and social network figures of every second week."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.files.pool.rows import Chances, PoolRows, members, moments, month_ends
from simulator.observation.brushing import fake_share
from simulator.text_columns import chosen, joined, whole_text

if TYPE_CHECKING:
    from simulator.economy.simulated_world import World

_NETWORKS = ("instagram", "tiktok", "facebook")


def rating_reviews(world: World) -> PoolRows:
    """Return stars per month: quality moves them up, and brushers' extra five stars are not verified purchases."""
    ends = month_ends(world)
    at = moments(world, members(world, "rating_review", 0.85), ends)
    chances = Chances(world, "rating_review", at.seller, at.week)
    place = np.searchsorted(ends, at.day)
    days = at.day - np.where(place > 0, ends[np.maximum(place - 1, 0)], -1)
    buyers = at.sales / world.firms.unit_price[at.seller]
    count = np.minimum(chances.count("ratings", 0.03 * buyers), 100_000)
    habit = 0.4 * Chances(world, "rating habit", at.seller).bell("level")
    shown = 0.45 * at.quality + habit + 0.25 * chances.bell("luck")
    weights = np.stack([0.09 * np.exp(-0.9 * shown), 0.05 * np.exp(-0.7 * shown), 0.08 * np.exp(-0.3 * shown),
                        0.16 * np.ones(len(shown)), 0.62 * np.exp(0.2 * shown)])  # fmt: skip
    upto = np.rint(np.cumsum(weights / weights.sum(axis=0), axis=0) * count).astype(np.int64)
    stars = np.diff(upto, axis=0, prepend=0)
    fakes = np.rint(0.3 * fake_share(world, at.seller, at.week) * count).astype(np.int64)
    verified = np.minimum(np.rint(0.9 * count).astype(np.int64), count)
    names = ("one_star_count", "two_star_count", "three_star_count", "four_star_count", "five_star_count")
    given = [stars[number] + (fakes if number == len(names) - 1 else 0) for number in range(len(names))]
    return PoolRows(
        "rating_review", at.seller, at.day, joined("RR-", whole_text(at.week)),
        {
            "platform": "amazon", "period_days": whole_text(days),
            **{name: whole_text(values) for name, values in zip(names, given, strict=True)},
            "verified_count": whole_text(verified),
        },
    )  # fmt: skip


def social_days(world: World) -> PoolRows:
    """Return followers and interactions of every second week; they grow with quality and sales."""
    days = 7 * np.arange(1, world.timeline.weeks, 2)
    at = moments(world, members(world, "social_day", 0.45), days)
    firms, chances = world.firms, Chances(world, "social_day", at.seller, at.week)
    base = 300 * np.exp(0.8 * Chances(world, "social size", at.seller).bell("size"))
    years = np.maximum(at.week - firms.entry_week[at.seller], 0) / 52
    size = np.clip(at.sales / np.maximum(4 * np.exp(firms.log_level[at.seller]), 1.0), 0.05, 20.0)
    followers = np.rint(base * (1 + 2 * years) * np.exp(0.25 * at.quality) * size**0.2).astype(np.int64)
    active = np.exp(0.35 * at.quality - 0.5 * at.tightness)
    posts = chances.count("posts", 0.9 * active)
    views = np.rint(followers * 0.4 * active * np.exp(0.6 * chances.bell("views"))).astype(np.int64)
    likes = np.minimum(np.rint(views * 0.05 * np.exp(0.3 * chances.bell("likes"))).astype(np.int64), views)
    number = world.number(at.seller)
    return PoolRows(
        "social_day", at.seller, at.day, joined("SD-", whole_text(at.week)),
        {
            "network": chosen(_NETWORKS, number % len(_NETWORKS)),
            "account_handle": joined("shop", whole_text(number, 6)), "follower_count": whole_text(followers),
            "post_count": whole_text(posts), "view_count": whole_text(views), "like_count": whole_text(likes),
            "comment_count": whole_text(likes // 12), "link_click_count": whole_text(likes // 5),
        },
    )  # fmt: skip
