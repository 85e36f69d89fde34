# %% [markdown]
# # What could a lender see of a ring of sellers before its members default together?

# %% [markdown]
# For the analyst of related parties. The notebook follows one planted group of sellers with one owner: first its truth,
# which only a simulated world knows, then the registry of links and the graph features as of each date. Everything
# below comes from the **synthetic** world of profile `small`: 600 simulated sellers, none of them real.

# %%
import os
from datetime import date, timedelta
from pathlib import Path

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import pyarrow as pa

from features.build import build_features
from features.catalogue import feature_records, select_features
from features.engine.as_of import AsOf
from features.graph.edges import GraphSettings, in_force, party_graph
from features.observations import quarter_ends
from pipelines.features.stage import read_tables
from pipelines.ingest import stage as ingest
from pipelines.profiles import load_profile
from pipelines.runs.stages import Place
from pipelines.validate import stage as validate
from pipelines.world import stage as world
from simulator.economy.simulation import simulate
from simulator.population.districts import districts
from simulator.population.network import SHARED_TIES

# %% [markdown]
# Stages do nothing if their outputs are up to date. The truth is simulated again from the same settings. The truth
# folder, which only this kind of notebook opens, confirms that it belongs to these files.

# %%
os.chdir(Path(world.__file__).parents[2])
plt.style.use("notebooks/charts.mplstyle")
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
print(f"synthetic; {truth.firms.count} sellers, {truth.timeline.weeks} weeks, {default_date.notna().sum()} defaults")

# %% [markdown]
# ## The truth: a group with one owner
#
# The group in which the most debts were called from members that defaulted later. Quality and honesty are hidden from
# every lender.

# %%
group, ids = truth.network.group, truth.seller_ids()
calls = pd.DataFrame(dict(truth.events["guarantee_calls"]))
payer, called_day = calls["guarantor"], 7 * calls["week"]
spread = calls[(group[payer] >= 0) & (truth.default_day[payer] > called_day)]
members = np.flatnonzero(group == spread.groupby(group[spread["guarantor"]]).size().idxmax())
shared_ties = [SHARED_TIES[i] for i in np.flatnonzero(truth.network.group_ties[group[members[0]]])]
print("synthetic; ties that the group shares:", shared_ties)
pd.DataFrame(
    {
        "quality": truth.firms.quality[members].round(2),
        "honesty": truth.firms.honesty[members].round(2),
        "first week of sales": truth.timeline.week_start[truth.firms.entry_week[members]],
        "default": default_date.iloc[members].to_numpy(),
    },
    index=ids[members],
)

# %% [markdown]
# A debt called from a guarantor is cash that it lacks for its own loans. The owner also moves money between the sellers
# every fourth week.

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
defaults = default_date.iloc[members].dropna()
chart = cash.plot(ylabel="true cash, million CNY", colormap="viridis")
for day in defaults:
    chart.axvline(day, color="#c4810f", linestyle="--", linewidth=0.8)
months = (defaults.max() - defaults.min()).days / 30.4
_ = chart.set_title(f"{len(defaults)} of {len(members)} members default within {months:.0f} months (synthetic)")

# %% [markdown]
# ## What a lender could know
#
# The registry of links on the day before the first default: the companies of the group, and the owners, directors,
# addresses, phones, accounts and devices they share. Parties with more sellers than `hub_sellers` (a forwarder's
# address) are services, not relations, and are left out.

# %%
first_default = defaults.min()
eve = (first_default - pd.Timedelta(days=1)).date()
as_of = AsOf(eve)
known = in_force(as_of.visible(tables["party_link"]), eve).to_pandas()
companies = as_of.visible(tables["party"]).to_pandas().dropna(subset="seller_id")
seller_of = companies.set_index("party_id")["seller_id"].astype(str)
links = nx.from_pandas_edgelist(known, "from_party_id", "to_party_id", edge_attr="link_type")
links.remove_nodes_from([party for party, ties in links.degree if ties > GraphSettings().hub_sellers])
own = [party for party, seller in seller_of.items() if seller in set(ids[members]) and party in links]
around = nx.compose_all([nx.ego_graph(links, party, radius=1) for party in own])
shared = {party for party in around if party not in seller_of.index and around.degree(party) > 1}
kept = sorted(party for party in around if party in seller_of.index or party in shared)
picture = nx.Graph()
picture.add_nodes_from(kept)
picture.add_edges_from(around.subgraph(kept).edges(data=True))
print(f"synthetic; {len(shared)} parties tie two or more of the {len(own)} companies together on {eve}")

# %%
axis = plt.subplots(figsize=(8.5, 5))[1]
spots = nx.spring_layout(picture, seed=4)
firms = {party: seller_of[party] for party in picture if party in seller_of.index}
ours = ["#0f5a70" if seller in set(ids[members]) else "#82919e" for seller in firms.values()]
ties = nx.get_edge_attributes(picture, "link_type")
nx.draw_networkx_edges(picture, spots, ax=axis, edge_color="#b9d5dd")
nx.draw_networkx_nodes(picture, spots, list(firms), ax=axis, node_color=ours, node_size=1500)
nx.draw_networkx_nodes(picture, spots, sorted(shared), ax=axis, node_color="#c4810f", node_size=120)
nx.draw_networkx_labels(picture, spots, firms, ax=axis, font_size=7, font_color="white")
nx.draw_networkx_edge_labels(picture, spots, ties, ax=axis, font_size=6)
registry = party_graph(tables["party"], tables["party_link"], as_of, GraphSettings())
at = np.flatnonzero(np.isin(registry.sellers, ids[members]))
seen = int(registry.related[at][:, at].sum()) // 2
pairs = len(members) * (len(members) - 1) // 2
axis.set_title(f"{seen} of {pairs} pairs of the group are tied in the registry on {eve} (synthetic)")
_ = axis.axis("off")

# %% [markdown]
# ## What the graph features say
#
# Two features at the quarter ends from a year before the first default. Known defaults of related sellers count only
# from the day they were known. Late instalments of related sellers are known earlier.

# %%
last_day = min(defaults.max().date() + timedelta(days=92), profile.observations.last_as_of)
days = list(quarter_ends(eve - timedelta(days=365), last_day))


def features_of(sellers: list[str], names: list[str], dates: list[date]) -> pd.DataFrame:
    """Return features of some sellers as of some dates, from the validated tables."""
    pairs = [(seller, day) for day in dates for seller in sellers]
    asked = pa.table({"seller_id": [s for s, _ in pairs], "as_of": pa.array([d for _, d in pairs], pa.date32())})
    found = build_features(tables, asked, select_features("shown", "1.0.0", names)).table.to_pandas()
    return found.set_index(["seller_id", "as_of"])


names = ["related_days_late_now", "related_known_default_excess"]
found = features_of(ids[members].tolist(), names, days).reset_index()
means = found.groupby("as_of")[names].mean()
print("synthetic; mean over the members, by quarter end")
means.round(3)

# %%
above = {name: means.index[means[name] > 0] for name in names}
warns = {name: (first_default.date() - when[0]).days if len(when) else None for name, when in above.items()}
titles = {record.name: record.title_en for record in feature_records()}
charts = means.rename(columns=titles).plot(subplots=True, marker="o", figsize=(8.5, 4.5), legend=False)
for axis, name in zip(charts, names, strict=True):
    for day in defaults:
        axis.axvline(day.date(), color="#c4810f", linestyle="--", linewidth=0.8)
    lead = warns[name]
    when = "never" if lead is None else f"{abs(lead)} days {'before' if lead >= 0 else 'after'} the first default"
    axis.set_title(f"{titles[name]}: above 0 {when} (synthetic)")
_ = charts[-1].set_xlabel("quarter end; dashed lines are the members' defaults")

# %% [markdown]
# ## The whole world
#
# How many of the pairs with one owner does the registry reveal at the end, and how many of the pairs it shows have no
# common owner?

# %%
end = party_graph(tables["party"], tables["party_link"], AsOf(profile.observations.last_as_of), GraphSettings())
group_of = pd.Series(group, ids).reindex(end.sellers).to_numpy()
one, other = np.triu_indices(len(end.sellers), 1)
is_pair = (group_of[one] >= 0) & (group_of[one] == group_of[other])
is_seen = np.asarray(end.related.todense())[one, other] > 0
both = (is_pair & is_seen).sum()
assert 0 < both <= is_pair.sum()
kinds = pd.Series(
    {
        "one owner, in the registry": both,
        "one owner, not in the registry": is_pair.sum() - both,
        "in the registry, other owners": is_seen.sum() - both,
    }
)
axis = kinds[::-1].plot.barh(color=["#b84412", "#82919e", "#0f5a70"])
axis.bar_label(axis.containers[0], padding=3)
axis.set_title(f"The registry reveals {100 * both / is_pair.sum():.0f} % of the pairs with one owner (synthetic)")
axis.set_xlabel("pairs of sellers")
print(f"synthetic; {100 * both / is_seen.sum():.0f} % of the pairs in the registry do have one owner")

# %% [markdown]
# ## The answer
#
# The registry shows who belongs together, but not how much cash the group has left. Defaults of sister companies count
# only once they are known, when part of the damage is done; the charts show which feature warned first. All of it was
# shown on a *synthetic* world.
