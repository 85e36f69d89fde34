# %% [markdown]
# # How does an idea become a feature, and where would it show on a seller's passport?

# %% [markdown]
# For the data scientist with an idea: *recent* refunds may say more than those of a whole half-year. The notebook
# writes the feature as a record, computes it for one seller, checks it by hand, and shows where it would appear on the
# passport. Everything below comes from the **synthetic** world of profile `small`: 600 simulated sellers, none real.

# %%
import os
from datetime import timedelta
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from data_contracts.errors import ConfigurationRefused
from features.build import build_features
from features.catalogue import feature_records, load_feature_set, select_features
from features.engine.as_of import AsOf
from features.formulas import share
from features.pages import PILLAR_TITLES, feature_page
from features.quantities import quantity
from features.record import DerivedFeature
from models.components.encoding import feature_facts
from models.components.scale import points_by_group
from models.evaluation.rates import rate_row
from models.explanation.reasons import reason_dictionary, reasons_for_row
from models.training.candidates import train_candidate
from models.training.dataset import assemble, split_out_of_time
from pipelines.features import stage as feature_stage
from pipelines.ingest import stage as ingest
from pipelines.profiles import load_profile
from pipelines.runs.publish import read_parquet
from pipelines.runs.stages import Place
from pipelines.train.samples import SampleFiles, labelled_sample
from pipelines.validate import stage as validate
from pipelines.world import stage as world

# %%
os.chdir(Path(world.__file__).parents[2])
plt.style.use("notebooks/charts.mplstyle")
profile = load_profile("small")
place = Place(profile.name, Path(os.environ.get("OUT", "artifacts")))
runs = [stage.run(profile, place).run_dir for stage in (world, ingest, validate, feature_stage)]
tables = feature_stage.read_tables(runs[2] / "tables")
catalogue = {record.name: record for record in feature_records()}
print(f"synthetic tables: {len(tables)}; features and quantities in the catalogue: {len(catalogue)}")

# %% [markdown]
# ## The record
#
# A feature is a record: formula and facts in one object. `features/quantities.yaml` lists the sums that formulas may
# name; the window is part of the name, so `platform_refunds_90d` needs no line of its own. `share` is missing if
# nothing was sold; the record says what a missing value means. `make docs` turns it into its entry of the feature page:

# %%
idea = DerivedFeature(
    name="refund_share_90d",
    pillar="sales_health",
    family="refunds",
    expression=share("platform_refunds_90d", "platform_sales_90d"),
    unit="share",
    direction=1,
    title_en="Refunds as a share of platform sales, last 3 months",
    title_zh="近3个月平台退款率",
    description="Refunds divided by gross platform sales of the last 90 days.",
    missing="Settlement reports were not delivered for the window, or contain no sale.",
    stops_with_trading=True,
)
extended = [*catalogue.values(), idea]
chosen = select_features("idea", "1.0.0", [idea.name], catalogue=extended)
page = feature_page([idea])
print(page[page.index("### ") : page.index("## Sources")])

# %% [markdown]
# ## Mistakes are refused
#
# A record is checked when it is made, and a set when it is selected: no title, no feature; no unknown inputs; and
# nothing that reads the outcome, however deep it is hidden.

# %%
facts = idea.model_dump()
refunds = quantity("platform_refunds_90d")
leak = refunds.model_copy(update={"table": "credit_record", "value": "1", "where": "is_default"})
misspelt = idea.model_copy(update={"expression": share("platform_refund_90d", "platform_sales_90d")})
try:
    DerivedFeature(**{**facts, "title_zh": ""})
except ValidationError as error:
    print("no title:", error.errors()[0]["msg"])
for what, records in {"unknown input": [misspelt], "outcome": [*catalogue.values(), leak, idea]}.items():
    try:
        select_features("idea", "1.0.0", [idea.name], catalogue=records)
    except ConfigurationRefused as error:
        print(f"{what}: {error}")

# %% [markdown]
# ## One seller, checked by hand
#
# The seller with the highest share on the last date. The value is computed again from the rows of the table,
# without any code of the project but the rule for which rows were known on that day.

# %%
day = profile.observations.last_as_of
sellers = sorted(set(tables["loan"]["seller_id"].to_pylist()))
observed = pa.table({"seller_id": sellers, "as_of": pa.array([day] * len(sellers), pa.date32())})
values = build_features(tables, observed, chosen).table.to_pandas().set_index("seller_id")[idea.name]
seller = values.idxmax()
events = AsOf(day).visible(tables["money_event"])
events = events.filter(pc.equal(events["seller_id"], seller)).to_pandas()
age = (pd.Timestamp(day) - pd.to_datetime(events["event_date"])).dt.days
amount, kind = events["amount_usd"].astype(float), events["event_type"].astype(str)
inside = age < 90
by_hand = -amount[inside & (kind == "refund")].sum() / amount[inside & (kind == "sale")].sum()
assert np.isclose(values[seller], by_hand, rtol=1e-9)
print(f"synthetic seller {seller} as of {day}: {100 * values[seller]:.2f} %, by hand {100 * by_hand:.2f} %")

# %% [markdown]
# What happens after the date must not change the value: the test suite holds this for every feature. Here a refund of
# the next day is added.

# %%
last = tables["money_event"].filter(pc.equal(tables["money_event"]["seller_id"], seller)).slice(0, 1)
later = last.to_pylist()[0] | {"event_id": "later", "event_type": "refund", "event_date": day + timedelta(days=1)}
with_later = pa.concat_tables(
    [tables["money_event"], pa.Table.from_pylist([later], tables["money_event"].schema)], promote_options="permissive"
)
again = build_features({**tables, "money_event": with_later}, observed, chosen).table.to_pandas()
assert again.set_index("seller_id")[idea.name].equals(values)
print(f"synthetic; a refund of {later['event_date']} changes no value as of {day}")

# %% [markdown]
# ## Does it say anything?
#
# Default rates by fifth of the new feature, over the labelled observations of the profile. This is a first look: it
# chooses nothing, and an idea that is tested on all data has no data left for the final test.

# %%
sample = labelled_sample(profile, SampleFiles.of(profile, place))
pairs = sample.matrix.select(["seller_id", "as_of"])
grown = build_features(tables, pairs, chosen).table
matrix = sample.matrix.append_column(grown.schema.field(idea.name), grown[idea.name])
labels = pa.table({"seller_id": sample.dataset.seller_id, "as_of": sample.dataset.as_of, "label": sample.dataset.y})
everything = (*load_feature_set(profile.features.feature_set).records, idea)
components = read_parquet(runs[3] / "components.parquet")
dataset = assemble(matrix, labels, components, feature_facts(everything)).dataset
column = dataset.X[:, -1]
fifth = np.digitize(column, np.nanquantile(column, [0.2, 0.4, 0.6, 0.8]))
groups = [fifth == number for number in range(5)]
groups = [inside & ~np.isnan(column) for inside in groups] + [np.isnan(column)]
names = ["lowest fifth", "second", "third", "fourth", "highest fifth", "missing"]
rates = [rate_row(name, dataset.y[inside], column[inside] * 0) for name, inside in zip(names, groups, strict=True)]

# %%
shown = np.array([[row.observed, row.observed_lower, row.observed_upper] for row in rates]) * 100
axis = plt.subplots()[1]
axis.errorbar(names, shown[:, 0], [shown[:, 0] - shown[:, 1], shown[:, 2] - shown[:, 0]], fmt="o", capsize=3)
overlap = rates[4].observed_lower <= rates[0].observed_upper
how = "no clear difference" if overlap else "a clear difference"
axis.set_title(
    f"{shown[0, 0]:.1f} % default in the lowest fifth, {shown[4, 0]:.1f} % in the highest: {how} (synthetic)"
)
axis.set_ylabel("default within a year, %, 95 % CI")
axis.set_ylim(bottom=0)
print(f"synthetic; {dataset.n:,} observations, {int(dataset.y.sum())} defaults")

# %% [markdown]
# ## Where it would show on the passport
#
# A model is trained on the set with the new feature. Its points join those of its family (`refunds`) and pillar (sales
# health); the record's titles become the reason text in both languages.

# %%
settings = profile.training.model_copy(update={"champion": "linear"})
candidate = train_candidate(split_out_of_time(dataset, profile.split).train, settings)
model = candidate.champion
position = model.feature_names.index(idea.name)
today = np.flatnonzero(dataset.as_of == dataset.as_of.max())
issued = model.issue_points(model.contributions(dataset.X[today]))
one = int(np.argmin(np.where(np.isnan(dataset.X[today, position]), 0, issued.points[:, position])))
row = today[one]
by_pillar = points_by_group(issued.points[[one]], [feature.pillar for feature in model.features])
pillars = pd.Series({PILLAR_TITLES[name][0]: int(points[0]) for name, points in by_pillar.items()})
assert issued.base_points + pillars.sum() == issued.score[one]
print(f"synthetic seller {dataset.seller_id[row]} as of {dataset.as_of[row]}: score {issued.score[one]}")
print(f"of its points, {idea.name} alone: {issued.points[one, position]:+d}")

# %%
colours = np.where(pillars[::-1] >= 0, "#0f6a86", "#b84412")
axis = pillars[::-1].plot.barh(color=colours)
axis.bar_label(axis.containers[0], fmt="%+d", padding=3)
axis.axvline(0, color="#1b2733", linewidth=0.8)
part = issued.points[one, position]
whole = pillars["Sales health"]
axis.set_title(f"Sales health: {whole:+d} points, {part:+d} of them from the new feature (synthetic)")
_ = axis.set_xlabel("points by pillar, positive in the seller's favour")

# %%
dictionary = reason_dictionary(model.features)
reasons = reasons_for_row(issued.points[one], dataset.X[row], model, dictionary)
lines = [(reason.points, reason.text_en, reason.text_zh) for reason in (*reasons.positive, *reasons.negative)]
lines += [(reasons.all_others, "all others", "其他")]
named = any(reason.feature == idea.name for reason in (*reasons.positive, *reasons.negative))
print(f"synthetic; the new feature {'leads a reason' if named else 'is part of a family or of all others'}")
pd.options.display.max_colwidth = 80
pd.DataFrame(lines, columns=["points", "reason", "理由"])

# %% [markdown]
# ## The answer
#
# To keep the feature, add it to the family `refunds` in `features/pillars/sales_health.yaml` and its name to
# `features/sets/seller_core.yaml` with a new version, then run `make docs`. Its column, sign, documentation and reason
# text all follow from the record. Whether it improves the model is a question for `notebooks/tune_and_compare.py`. All
# of it was shown on a *synthetic* world.
