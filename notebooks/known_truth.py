# %% [markdown]
# # What do the files show of a ring, a brusher and an honest seller who runs out of cash?

# %% [markdown]
# A simulated world knows what no lender knows. Here three of its sellers are looked at twice: through the raw files as
# the pipeline reads them, and through the truth that no pipeline stage may read. Everything below comes from the
# **synthetic** world of profile `small`: 600 simulated sellers, none of them real.

# %%
import os
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.build import build_features
from features.catalogue import select_features
from features.engine.as_of import AsOf
from features.graph.edges import GraphSettings, party_graph
from features.observations import quarter_ends
from pipelines.features.stage import read_tables
from pipelines.ingest import stage as ingest
from pipelines.profiles import load_profile
from pipelines.runs.stages import Place
from pipelines.validate import stage as validate
from pipelines.world import stage as world
from simulator.economy import fraud
from simulator.economy.simulation import simulate
from simulator.economy.state import FLOWS
from simulator.observation.fraud_cases import fraud_cases
from simulator.population.districts import districts
from simulator.population.network import SHARED_TIES

# %% [markdown]
# Stages do nothing where their outputs are up to date. The truth is simulated again from the same settings; that it is
# the truth of these very files is checked against the truth folder, which only this notebook opens.

# %%
os.chdir(Path(world.__file__).parents[2])
profile = load_profile("small")
place = Place(profile.name, Path(os.environ.get("OUT", "artifacts")))
runs = {stage.__name__: stage.run(profile, place) for stage in (world, ingest, validate)}
tables = read_tables(runs["pipelines.validate.stage"].run_dir / "tables")
(district,) = districts(profile.world)
truth = simulate(district.settings)
written = pd.read_csv(runs["pipelines.world.stage"].run_dir / "truth" / "sellers.csv", parse_dates=["default_date"])
first_day = truth.timeline.first_day
default_date = pd.Series(first_day + np.maximum(truth.default_day, 0), truth.seller_ids())
default_date[truth.default_day < 0] = pd.NaT
assert (written["seller_id"] == truth.seller_ids()).all()
assert written["default_date"].astype("datetime64[s]").equals(default_date.reset_index(drop=True))
print(
    f"synthetic; {truth.firms.count} sellers over {truth.timeline.weeks} weeks, {default_date.notna().sum()} defaults"
)

# %% [markdown]
# ## The ring: a control group through which trouble spreads
#
# The control group in which the most debts were called from members that defaulted later on. The first table is the
# truth: hidden quality and honesty, and who defaulted when.

# %%
group, ids = truth.network.group, truth.seller_ids()
calls = pd.DataFrame(dict(truth.events["guarantee_calls"]))
payer, called_day = calls["guarantor"], 7 * calls["week"]
spread = calls[(group[payer] >= 0) & (truth.default_day[payer] > called_day)]
members = np.flatnonzero(group == spread.groupby(group[spread["guarantor"]]).size().idxmax())
print(
    "synthetic; ties that the group shares:",
    [SHARED_TIES[i] for i in np.flatnonzero(truth.network.group_ties[group[members[0]]])],
)
pd.DataFrame(
    {
        "quality": truth.firms.quality[members],
        "honesty": truth.firms.honesty[members],
        "first week of sales": truth.timeline.week_start[truth.firms.entry_week[members]],
        "default": default_date.iloc[members].to_numpy(),
    },
    index=ids[members],
).round(2)

# %% [markdown]
# What was called from whom, and the members' true cash. A debt called from a member is cash that it does not have for
# its own loans; owners also move money between their sellers every fourth week.

# %%
within = calls[np.isin(payer, members)]
pd.DataFrame(
    {
        "called on": truth.timeline.week_start[within["week"]],
        "from": ids[within["guarantor"]],
        "for": ids[within["guaranteed"]],
        "as": within["kind"],
        "CNY": within["called"].round(),
        "own default": default_date.loc[ids[within["guarantor"]]].to_numpy(),
    }
)

# %%
cash = pd.DataFrame(truth.cash[:, members] / 1e6, index=truth.timeline.week_start, columns=ids[members])
chart = cash.plot(figsize=(9, 3.5), title="True cash of the group's members (synthetic)", ylabel="million CNY")
for day in default_date.iloc[members].dropna():
    chart.axvline(day, color="grey", linestyle=":")

# %% [markdown]
# What a lender could know: the registry of links as of the day before the first default, and two features of the graph
# at each quarter end. A sister's default counts only once it was known.

# %%
first_default = default_date.iloc[members].min()
eve = (first_default - pd.Timedelta(days=1)).date()
registry = party_graph(tables["party"], tables["party_link"], AsOf(eve), GraphSettings())
at = np.flatnonzero(np.isin(registry.sellers, ids[members]))
seen = registry.related[at][:, at].toarray()
print(
    f"synthetic; {seen.sum() // 2} of {len(members) * (len(members) - 1) // 2} true pairs are in the registry on {eve}"
)
pd.DataFrame(seen, index=registry.sellers[at], columns=registry.sellers[at])

# %%
last_default = default_date.iloc[members].max()
days = [day for day in quarter_ends(eve, date(2024, 12, 31)) if day <= (last_default + pd.Timedelta(days=92)).date()][
    :8
]


def features_of(sellers: list[str], names: list[str], dates: list[date]) -> pd.DataFrame:
    """Features of some sellers as of some dates, from the validated tables."""
    pairs = [(seller, day) for day in dates for seller in sellers]
    asked = pa.table({"seller_id": [s for s, _ in pairs], "as_of": pa.array([d for _, d in pairs], pa.date32())})
    found = build_features(tables, asked, select_features("shown", "1.0.0", names)).table.to_pandas()
    return found.set_index(["seller_id", "as_of"])


shown = features_of(ids[members].tolist(), ["related_known_default_excess", "related_payout_trend_90d"], days)
print("synthetic; known defaults among related sellers beyond the usual, by quarter end")
shown.reset_index().pivot_table("related_known_default_excess", "seller_id", "as_of", dropna=False).round(3)

# %% [markdown]
# Over the whole world: how many of the pairs that one owner controls the registry gives away at its end, and how many
# of the pairs it shows are no control group. Honest sellers at one service address are left out as hubs.

# %%
end = party_graph(tables["party"], tables["party_link"], AsOf(profile.observations.last_as_of), GraphSettings())
group_of = pd.Series(group, ids).reindex(end.sellers).to_numpy()
one, other = np.triu_indices(len(end.sellers), 1)
is_pair = (group_of[one] >= 0) & (group_of[one] == group_of[other])
is_seen = np.asarray(end.related.todense())[one, other] > 0
found = (is_pair & is_seen).sum()
assert 0 < found <= is_pair.sum()
print(f"synthetic; {is_pair.sum()} pairs of one owner, {found / is_pair.sum():.0%} of them in the registry")
print(f"synthetic; {is_seen.sum()} pairs in the registry, {found / is_seen.sum():.0%} of them of one owner")

# %% [markdown]
# ## The brusher: orders that nobody placed
#
# The seller with the longest case of brushing whose web shop was delivered. The chart has orders as the files show them
# and what the shop truly sold, each over its own mean; grey is when orders were faked.

# %%
brushing = fraud_cases(truth, fraud.BRUSHING)
orders = tables["site_order"].select(["seller_id", "event_date"]).to_pandas()
is_delivered = np.isin(ids[brushing.seller], orders["seller_id"].unique())
length = np.minimum(brushing.end_week, truth.timeline.weeks) - brushing.first_week
case = int(np.where(is_delivered, length, -1).argmax())
brusher = brushing.seller[case]
cases = np.flatnonzero(brushing.seller == brusher)
faked = [(first_day + 7 * brushing.first_week[i], first_day + 7 * (brushing.first_week + length)[i]) for i in cases]
print(f"synthetic seller {ids[brusher]}: fake orders over true ones {brushing.size[cases]}, from and to")
print(*(f"{start} to {stop}" for start, stop in faked), sep="\n")

# %%
weekly = pd.to_datetime(orders.loc[orders["seller_id"] == ids[brusher], "event_date"]).dt.to_period("W").dt.start_time
both = pd.DataFrame({"orders in the files": weekly.value_counts().sort_index().resample("4W").sum()})
sold = pd.Series(truth.weekly["site_sales"][:, brusher], pd.to_datetime(truth.timeline.week_start)).resample("4W").sum()
both["true sales"] = sold.reindex(both.index, method="nearest")
chart = (both / both.mean()).plot(
    figsize=(9, 3.5), title="Own site of a brusher, over the mean of all weeks (synthetic)"
)
for start, stop in faked:
    _ = chart.axvspan(start, stop, color="grey", alpha=0.2)

# %% [markdown]
# Where the brusher stands among all sellers with a web shop, at the end of each year, in features that brushing should
# move: rank as a share, 1 = the most suspicious. No rank near 1 means that the trace has been avoided.

# %%
site_features = {
    "orders_per_customer_day_max_365d": 1,
    "customer_top_share_365d": 1,
    "site_unfulfilled_share_365d": 1,
    "site_repeat_customer_share_365d": 1,
    "site_refund_share_365d": -1,
}
years = [date(year, 12, 31) for year in range(2020, 2025)]
shops = sorted(orders["seller_id"].unique())
among = features_of(shops, list(site_features), years)
signed = among * pd.Series(site_features)
print(f"synthetic; rank of seller {ids[brusher]} among {len(shops)} web shops")
signed.groupby("as_of").rank(pct=True).xs(ids[brusher], level="seller_id").round(2)

# %% [markdown]
# ## The honest seller who ran out of cash
#
# Of the defaulted sellers in no group or guarantee circle and without any fraud, the most honest one. First what truly
# happened: blows, and where the money of the last year went.

# %%
fraudsters = set(np.concatenate([fraud_cases(truth, kind).seller for kind in fraud.KINDS]).tolist())
may = (truth.default_day >= 0) & (fraud.rings(truth.network) < 0) & ~np.isin(np.arange(len(ids)), list(fraudsters))
honest = int(np.where(may, truth.firms.honesty, -np.inf).argmax())
assert may[honest]
week = truth.default_day[honest] // 7
year = truth.flows[:, max(week - 52, 0) : week, honest].sum(axis=1)
quality, honesty = truth.firms.quality[honest], truth.firms.honesty[honest]
print(
    f"synthetic seller {ids[honest]}: honesty {honesty:.2f}, quality {quality:.2f}, default {default_date.iloc[honest]}"
)
moved = pd.Series(year / 1e3, FLOWS, name="thousand CNY in the year before default").round()
moved[moved != 0].sort_values().to_frame()

# %%
incidents = pd.DataFrame(dict(truth.events["incidents"]))
incidents["week"] = truth.timeline.week_start[np.minimum(incidents["week"], truth.timeline.weeks - 1)]
incidents[incidents["seller"] == honest][["week", "kind", "size"]].round(1)

# %% [markdown]
# Then what the files show beside the cash that they do not: payouts a month, and the lateness features of the quarter
# ends around the default.

# %%
events = tables["money_event"].filter(pc.equal(tables["money_event"]["seller_id"], ids[honest]))
paid = events.filter(pc.equal(events["event_type"].cast(pa.string()), "payout")).to_pandas()
by_month = paid["amount_usd"].astype(float).abs().groupby(pd.to_datetime(paid["event_date"]).dt.to_period("M")).sum()
months = pd.period_range(truth.timeline.week_start[0], truth.timeline.week_start[-1], freq="M")
level = pd.Series(truth.cash[:, honest] / 1e3, pd.to_datetime(truth.timeline.week_start)).resample("ME").last()
lines = pd.DataFrame({"true cash, thousand CNY": level.to_numpy()[: len(months)]}, index=months.to_timestamp())
lines["payouts in the files, thousand USD"] = by_month.reindex(months).to_numpy() / 1e3
chart = lines.plot(figsize=(9, 3.5), subplots=True, title="An honest seller before default (synthetic)")
for axis in chart:
    axis.axvline(default_date.iloc[honest], color="grey", linestyle=":")

# %%
around = [
    day for day in quarter_ends(date(2020, 3, 31), date(2024, 12, 31)) if day <= default_date.iloc[honest].date()
][-6:]
names = [
    "payout_trend_90d",
    "reserve_share_90d",
    "debt_service_to_payout_90d",
    "late_instalment_share_365d",
    "days_late_now",
]
print(f"synthetic seller {ids[honest]}: features at the quarter ends before default")
features_of([ids[honest]], names, around).droplevel("seller_id").round(3)

# %% [markdown]
# ## The answer
#
# The registry shows who belongs together, but not how the group's cash stands, and a sister's default only after it is
# known: by then part of the damage is done. A brusher leaves its trace in some features and none in others. The honest
# seller's books are true to the last cent; they show falling payouts and late instalments, not how little is left in
# the till. What separates sellers is in hidden state that no source holds, which is why the true risk ranks them better
# than any model can. All of it was shown on a *synthetic* world.
