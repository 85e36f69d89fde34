# %% [markdown]
# # What did a seller deliver, what was set aside, and do its sources agree?

# %% [markdown]
# For the analyst who receives a seller's files. The notebook follows one seller of the **synthetic** world of profile
# `small` (600 simulated sellers, none of them real) from its files to the tables: the files, the rows that were set
# aside with their original bytes, the periods covered, and what the sources say about the same trade.

# %%
import os
from pathlib import Path

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import pandas as pd

from features.engine.as_of import AsOf
from features.reconciliation.reconcile import ReconciliationSettings, latest, reconcile
from pipelines.features.stage import read_tables
from pipelines.ingest import stage as ingest
from pipelines.profiles import load_profile
from pipelines.runs.publish import read_json, read_parquet
from pipelines.runs.stages import Place
from pipelines.validate import stage as validate
from pipelines.world import stage as world

# %% [markdown]
# Stages do nothing if their outputs are up to date. Paths are those of the checkout, wherever the notebook is opened.

# %%
os.chdir(Path(world.__file__).parents[2])
plt.style.use("notebooks/charts.mplstyle")
pd.options.display.max_colwidth = 90
profile = load_profile("small")
place = Place(profile.name, Path(os.environ.get("OUT", "artifacts")))
raw, ingested, validated = (stage.run(profile, place).run_dir for stage in (world, ingest, validate))
counts = read_json(ingested / "row_counts.json")
tables = read_tables(validated / "tables")
print(f"synthetic delivery: {len(counts['files']):,} files, {len(counts['withheld_files'])} more without consent")

# %% [markdown]
# ## Every row is counted
#
# Rows in = accepted + quarantined + duplicates, for each file. A quarantined row broke a rule of its contract; a
# duplicate repeats a row that was accepted before.

# %%
files = pd.DataFrame(counts["files"])
files["seller"] = files["file"].str.extract(r"(S\d{6})", expand=False)
files["source"] = files["source"].str.split("@").str[0]
rules = pd.Series(dtype=int)
for by_rule in files["quarantined"]:
    rules = rules.add(pd.Series(by_rule, dtype=int), fill_value=0)
for outcome in ("quarantined", "duplicates"):
    files[outcome] = [sum(by_rule.values()) for by_rule in files[outcome]]
assert (files["rows_in"] == files["accepted"] + files["quarantined"] + files["duplicates"]).all()
print("synthetic; rows of the whole delivery")
files.groupby("source")[["rows_in", "accepted", "quarantined", "duplicates"]].sum().sort_values("rows_in").tail(12)

# %%
rules = rules.sort_values().astype(int)
share = rules.sum() / files["rows_in"].sum()
bars = rules.tail(10).plot.barh(color="#0f5a70")
bars.set_title(f"{100 * share:.3f} % of rows set aside, most often by {rules.index[-1]} (synthetic)")
bars.set_xlabel("rows set aside, by rule")
_ = bars.bar_label(bars.containers[0], padding=3)

# %% [markdown]
# A row that was set aside keeps its original bytes, its file and its physical row. Where a source holds personal data,
# the original is sealed: only the holder of the key can open it.

# %%
aside = [read_parquet(path).to_pandas() for path in sorted((ingested / "quarantine").glob("*.parquet"))]
aside = pd.concat([one.astype({"source": str, "source_file": str, "rule_id": str}) for one in aside])
aside["seller"] = aside["source_file"].str.extract(r"(S\d{6})", expand=False)
as_delivered = [
    (raw / "raw" / row["source_file"]).read_bytes().splitlines()[row["source_row"] - 1] for _, row in aside.iterrows()
]
aside["is_readable"] = aside["original"] == pd.Series(as_delivered, aside.index)
print(f"synthetic; {aside['is_readable'].sum()} of {len(aside)} originals are readable, the others are sealed")
aside = aside[aside["is_readable"]]
aside.groupby(["rule_id", "source"]).size().rename("rows").sort_values(ascending=False).head(8).to_frame()

# %% [markdown]
# ## One seller
#
# Of the sellers with a readable row set aside and settlement reports up to the end: the one with the most sources.

# %%
last_day = pd.Timestamp(profile.world.last_day)
coverage = tables["source_coverage"].to_pandas()
coverage = coverage.astype({"period_from": "datetime64[s]", "period_to": "datetime64[s]", "delivered_source": str})
recent = coverage[coverage["period_to"] > last_day - pd.Timedelta(days=45)]
current = recent.loc[recent["covered_table"] == "money_event", "seller_id"]
per_seller = files.groupby("seller").agg(sources=("source", "nunique"), aside=("quarantined", "sum"))
per_seller = per_seller[per_seller.index.isin(aside["seller"]) & per_seller.index.isin(current)]
seller = per_seller.sort_values(["sources", "aside"], kind="stable").index[-1]
own = files[files["seller"] == seller]
print(f"synthetic seller {seller}: {len(own)} files of {own['source'].nunique()} sources")
own.groupby("source").agg(files=("file", "size"), rows=("rows_in", "sum"), set_aside=("quarantined", "sum"))

# %% [markdown]
# The row in the seller's file, as delivered. With file, row, rule and value, the seller can be asked about exactly that
# line.

# %%
row = aside[aside["seller"] == seller].iloc[0]
print(f"synthetic; {row['source_file']}, row {row['source_row']}: {row['rule_id']}, value {row['value']!r}")
print(row["original"].decode(errors="replace"))

# %% [markdown]
# ## Which periods are covered?
#
# A month without a delivery is unknown, not zero. Every feature asks this table first.

# %%
periods = coverage[coverage["seller_id"] == seller]
lanes = periods.groupby("delivered_source")["period_from"].min().sort_values(ascending=False).index
axis = plt.subplots(figsize=(8.5, 0.3 * len(lanes) + 1))[1]
for lane, source in enumerate(lanes):
    spans = periods[periods["delivered_source"] == source]
    lengths = spans["period_to"] - spans["period_from"]
    axis.barh([lane] * len(spans), lengths, left=spans["period_from"], color="#5b9aab", edgecolor="white")
up_to_date = recent.loc[recent["seller_id"] == seller, "delivered_source"].nunique()
axis.axvline(last_day, color="#c4810f", linestyle="--")
axis.set_yticks(range(len(lanes)), lanes)
axis.xaxis.set_major_locator(mdates.YearLocator())
_ = axis.set_title(f"{up_to_date} of {len(lanes)} sources reach into the last 45 days (synthetic seller {seller})")

# %% [markdown]
# ## Do the sources agree?
#
# Sales reported by the platforms, exports declared at customs and invoices sent to the tax bureau state different
# amounts of the same trade. A witness may show a share of the claimed amount within a range; outside it, the claim is
# contradicted (`features/reconciliation/claims.py` gives every range and its reason).

# %%
as_of = AsOf(profile.world.last_day)
found = reconcile(tables, as_of, [seller], ReconciliationSettings(threads=1))
now = latest(found).to_pandas()
money = ["usd", "claimed_usd", "lowest_usd", "highest_usd"]
now[money] = now[money].astype(float).round()
print(f"synthetic; claims of seller {seller} over the last four quarters")
now[["claim", "grade", "source", "verdict", "ratio", *money]].round({"ratio": 2})

# %%
witnesses = found.to_pandas()
witnesses = witnesses[witnesses["verdict"].isin(["agrees", "compatible", "below", "above"])]
witnesses = witnesses.astype(dict.fromkeys(money, float))
words = {"sales": "sales", "cost_of_goods": "cost of goods", "own_site_sales": "own-shop sales"}
claim, source = witnesses.groupby(["claim", "source"], observed=True).size().idxmax()
one = witnesses[(witnesses["claim"] == claim) & (witnesses["source"] == source)].set_index("quarter_end")
inside = one["verdict"].isin(["agrees", "compatible"]).mean()
axis = (one["claimed_usd"] / 1e3).plot(color="#82919e", label=f"claimed {words[claim]}")
axis.fill_between(one.index, one["lowest_usd"] / 1e3, one["highest_usd"] / 1e3, color="#e4f0f3", label="range allowed")
(one["usd"] / 1e3).plot(ax=axis, color="#0f5a70", label=f"shown by {source}")
axis.set_title(f"{source.capitalize()} fits the claimed {words[claim]} in {100 * inside:.0f} % of quarters (synthetic)")
axis.set_ylabel("thousand USD, four quarters")
axis.set_xlabel("")
axis.set_ylim(bottom=0)
_ = axis.legend()

# %%
every = latest(reconcile(tables, as_of, settings=ReconciliationSettings(last_quarters=1, threads=1))).to_pandas()
grades = every.drop_duplicates(["seller_id", "claim"]).pivot_table("quarters", "claim", "grade", "size", fill_value=0)
contradicted = grades.get("contradicted", 0) / grades.sum(axis=1)
worst = contradicted.idxmax()
shades = {"corroborated": "#0f6a86", "not_contradicted": "#6aa9bd", "single_source": "#82919e"}
shades |= {"not_evidenced": "#d3dbe2", "contradicted": "#b84412"}
axis = grades[[grade for grade in shades if grade in grades]].rename(words).plot.barh(stacked=True, color=shades)
axis.set_title(
    f"Other sources contradict the {words[worst]} of {100 * contradicted[worst]:.0f} % of sellers (synthetic)"
)
axis.set_xlabel("sellers, by evidence grade of the last four quarters")
axis.set_ylabel("")
axis.legend(title="", loc="upper right")
print(f"synthetic; {every['seller_id'].nunique()} sellers with at least one claim")

# %% [markdown]
# ## The answer
#
# Each file's rows add up, each row that was set aside can be read in its original form, and the coverage table says
# which months are known. The claims table says which sources agree. What is missing is missing, not zero: features over
# a window that is not covered stay empty. All of it was shown on a *synthetic* world.
