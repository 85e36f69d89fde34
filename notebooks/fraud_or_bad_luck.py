# %% [markdown]
# # Can the files tell a fraudster from an honest seller who runs out of cash?

# %% [markdown]
# For the analyst who hunts fraud. A simulated world knows what no lender knows. Two sellers are shown twice: through
# the raw files as the pipeline reads them, and through the truth that no pipeline stage may read. Everything below
# comes from the **synthetic** world of profile `small`: 600 simulated sellers, none of them real.

# %%
import os
from datetime import date
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.build import build_features
from features.catalogue import feature_records, select_features
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
ids, first_day = truth.seller_ids(), truth.timeline.first_day
default_date = pd.Series(first_day + np.maximum(truth.default_day, 0), truth.seller_ids())
default_date[truth.default_day < 0] = pd.NaT
assert (written["seller_id"] == truth.seller_ids()).all()
assert written["default_date"].astype("datetime64[s]").equals(default_date.reset_index(drop=True))
print(f"synthetic; {truth.firms.count} sellers, {truth.timeline.weeks} weeks, {default_date.notna().sum()} defaults")


# %%
def features_of(sellers: list[str], names: list[str], dates: list[date]) -> pd.DataFrame:
    """Return features of some sellers as of some dates, from the validated tables."""
    pairs = [(seller, day) for day in dates for seller in sellers]
    asked = pa.table({"seller_id": [s for s, _ in pairs], "as_of": pa.array([d for _, d in pairs], pa.date32())})
    found = build_features(tables, asked, select_features("shown", "1.0.0", names)).table.to_pandas()
    return found.set_index(["seller_id", "as_of"])


# %% [markdown]
# ## The brusher: orders that nobody placed
#
# The seller with the longest case of brushing whose web shop was delivered. The chart shows orders in the files and
# true sales of the shop, each divided by its own mean. Orders were faked in the grey periods.

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
relative = both / both.mean()
is_faked = np.zeros(len(relative), dtype=bool)
for start, stop in faked:
    is_faked |= np.asarray((relative.index >= pd.Timestamp(start)) & (relative.index < pd.Timestamp(stop)))
excess = (relative["orders in the files"] / relative["true sales"])[is_faked].median()
chart = relative.plot(title=f"While faking, orders are {excess:.1f} times what sales explain (synthetic)")
chart.set_ylabel("share of own mean")
chart.set_xlabel("")
for start, stop in faked:
    _ = chart.axvspan(start, stop, color="grey", alpha=0.2)

# %% [markdown]
# The rank of the brusher among all sellers with a web shop, at the end of each year, in features that brushing should
# move: 1 is the most suspicious. If no rank is near 1, the fraudster has avoided that trace.

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
ranks = signed.groupby("as_of").rank(pct=True).xs(ids[brusher], level="seller_id")
print(f"synthetic; rank of seller {ids[brusher]} among {len(shops)} web shops")
ranks.round(2)

# %%
titles = {record.name: record.title_en for record in feature_records()}
best = ranks.max().sort_values()
axis = best.rename(titles).plot.barh(color=np.where(best >= 0.95, "#b84412", "#82919e"))
axis.axvline(0.95, color="#c4810f", linestyle="--")
caught = (best >= 0.95).sum()
axis.set_title(f"{caught} of {len(best)} features ever rank the brusher in the top 5 % (synthetic)")
_ = axis.set_xlabel("highest rank in any year, 1 = most suspicious of all web shops")

# %% [markdown]
# ## The honest seller who ran out of cash
#
# Of the defaulted sellers in no group or guarantee circle and without any fraud, the most honest one. First what truly
# happened: setbacks, and where the money of the last year went.

# %%
fraudsters = set(np.concatenate([fraud_cases(truth, kind).seller for kind in fraud.KINDS]).tolist())
may = (truth.default_day >= 0) & (fraud.rings(truth.network) < 0) & ~np.isin(np.arange(len(ids)), list(fraudsters))
honest = int(np.where(may, truth.firms.honesty, -np.inf).argmax())
assert may[honest]
week = truth.default_day[honest] // 7
year = truth.flows[:, max(week - 52, 0) : week, honest].sum(axis=1)
quality, honesty = truth.firms.quality[honest], truth.firms.honesty[honest]
print(f"synthetic seller {ids[honest]}: honesty {honesty:.2f}, quality {quality:.2f}")
print(f"default on {default_date.iloc[honest]:%Y-%m-%d}")
moved = pd.Series(year / 1e3, FLOWS, name="thousand CNY in the year before default").round()
moved[moved != 0].sort_values().to_frame()

# %%
incidents = pd.DataFrame(dict(truth.events["incidents"]))
incidents["week"] = truth.timeline.week_start[np.minimum(incidents["week"], truth.timeline.weeks - 1)]
incidents.loc[incidents["seller"] == honest, ["week", "kind", "size"]].round({"size": 1})

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
before = lines["payouts in the files, thousand USD"].loc[: pd.Timestamp(default_date.iloc[honest])]
fall = 1 - before.iloc[-3:].mean() / before.iloc[-15:-3].mean()
title = f"Payouts of the last 3 months before default: {100 * fall:.0f} % below the year before (synthetic)"
chart = lines.plot(subplots=True, title=["", ""], figsize=(8.5, 4.5))
chart[0].set_title(title)
for axis in chart:
    axis.axvline(default_date.iloc[honest], color="#c4810f", linestyle="--")

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
# A brusher leaves its trace in some features and none in others. The honest seller's books are true to the last cent:
# they show payouts and late instalments, but not how little cash is left. What separates the two is hidden state that
# no source contains, which is why the true risk ranks sellers better than any model can. All of it was shown on a
# *synthetic* world.
