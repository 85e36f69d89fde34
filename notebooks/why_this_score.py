# %% [markdown]
# # What decides a seller's score, and would hiding data change it?

# %% [markdown]
# Everything below comes from the **synthetic** world of profile `small`: 600 simulated sellers, none of them real. The
# figures show how the method works, not how any real seller, platform or market behaves. So few sellers make wide
# intervals; profile `demo` has thousands.

# %%
import os
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import shap

from features.build import build_features
from features.catalogue import load_feature_set
from features.engine.as_of import AsOf
from features.graph.edges import GraphSettings, in_force
from models.components.encoding import encode_matrix, encoded_columns
from models.components.gbm import GbmParameters, LightGbmComponent, fit_gbm
from models.components.settings import FitSettings
from models.explanation.explain import explain_model
from models.explanation.explanation import ExplainSettings
from models.explanation.reasons import reasons_for_row
from models.registry.bundle import load_bundle
from models.training.dataset import split_out_of_time
from pipelines.explain.stage import rows_to_explain
from pipelines.features import stage as feature_stage
from pipelines.ingest import stage as ingest
from pipelines.profiles import load_profile
from pipelines.runs.publish import read_json, read_parquet
from pipelines.runs.stages import Place
from pipelines.signing.keys import load_keys
from pipelines.train import stage as train
from pipelines.train.samples import SampleFiles, labelled_sample
from pipelines.validate import stage as validate
from pipelines.world import stage as world

# %% [markdown]
# Outputs and keys lie at the top of the checkout, wherever a notebook is opened. Every stage looks at its inputs first
# and does nothing where its outputs are up to date.

# %%
pd.options.display.max_colwidth = 100
os.chdir(Path(world.__file__).parents[2])
profile = load_profile("small")
place = Place(profile.name, Path(os.environ.get("OUT", "artifacts")))
keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=os.environ)
runs = {stage.__name__: stage.run(profile, place) for stage in (world, ingest, validate, feature_stage, train)}
pd.DataFrame(
    {"rows in": run.record.rows_in, "rows kept": run.record.rows_kept, "was up to date": run.was_current}
    for run in runs.values()
).set_axis(list(runs))

# %% [markdown]
# ## The sample and how it is split
#
# A seller is bad when 90 days past due within a year of the observation. Training ends a whole year before the test
# begins, and related sellers stand on one side only; rows that would break either rule are set aside.

# %%
trained = runs["pipelines.train.stage"].run_dir
document = read_json(trained / "evaluation.json")
print("synthetic sample:", document["population"])
pd.DataFrame(document["split"]["parts"])

# %% [markdown]
# ## The champion against its baselines, with intervals
#
# `gain` is the champion's AUC above the other's on the same redrawn samples. A gain that this sample could not have
# told from nothing is not claimed: its verdict is `not_shown`.

# %%
evaluation = document["evaluation"]
gains = {one["other"]: one for one in evaluation["differences"] if one["measure"] == "auc"}
print("synthetic; defaults in the test:", evaluation["sample"]["bad"])
pd.DataFrame(
    {
        "auc": model["measures"]["auc"]["value"],
        "lower": model["measures"]["auc"]["lower"],
        "upper": model["measures"]["auc"]["upper"],
        "gain": gains[model["name"]]["gain"]["value"] if model["name"] in gains else None,
        "detectable": gains[model["name"]]["detectable_gain"] if model["name"] in gains else None,
        "verdict": gains[model["name"]]["verdict"] if model["name"] in gains else "the champion",
    }
    for model in evaluation["models"]
).set_axis([model["name"] for model in evaluation["models"]]).round(3)

# %% [markdown]
# ## What weighs
#
# The signed bundle is verified before it is read. Points are contributions to the log-odds on the score's scale; those
# above zero speak for the seller.

# %%
bundle = load_bundle(trained / "bundle", [keys.public_key])
model = bundle.model
judged = read_parquet(trained / "holdout.parquet", columns=["seller_id", "as_of"])
matrix = read_parquet(runs["pipelines.features.stage"].run_dir / "matrix.parquet")
rows = rows_to_explain(judged, matrix, model.feature_names)
explanation = explain_model(model, rows.X, rows.seller_id, rows.as_of, ExplainSettings()).to_dict()
print("synthetic; the champion's components:", [component.kind for component in model.components])
pd.DataFrame(explanation["pillars"]).round(2)

# %%
pd.DataFrame(explanation["features"])[["title_en", "pillar", "mean_absolute_points", "missing_share"]].head(12).round(2)

# %% [markdown]
# ## Are these SHAP values?
#
# For trees, shap's `TreeExplainer` is the reference. Left alone it hands a LightGBM model back to LightGBM; called
# "internal", shap does the sums itself. Where the champion of this small world holds no trees, a booster is fitted here
# on the same training rows, so that the comparison is always made.

# %%
boosters = [component for component in model.components if isinstance(component, LightGbmComponent)]
if not boosters:
    sample = split_out_of_time(labelled_sample(profile, SampleFiles.of(profile, place)).dataset, profile.split).train
    directions = [direction for _, direction in encoded_columns(model.features)]
    fit_settings = FitSettings(max_rounds=60)
    boosters = [fit_gbm(encode_matrix(model.features, sample.X), sample.y, directions, GbmParameters(), fit_settings)]
encoded = encode_matrix(model.features, rows.X)
_, ours = boosters[0].contributions(encoded)
explainer = shap.TreeExplainer(boosters[0].booster)
explainer.model.model_type = "internal"
theirs = explainer.shap_values(encoded)
largest = float(np.abs(ours - theirs).max())
assert np.abs(ours).max() > 0.01
assert largest < 1e-9
print(f"synthetic; {len(encoded):,} rows, {encoded.shape[1]} columns; largest difference: {largest:.1e}")

# %% [markdown]
# And all contributions of the champion, whatever it is made of, add up to its log-odds:

# %%
contributions = model.contributions(rows.X)
gap = np.abs(contributions.base + contributions[1].sum(axis=1) - model.log_odds(rows.X)).max()
assert gap < 1e-9
print(f"synthetic; largest gap in {len(rows.X):,} rows: {gap:.1e}")

# %% [markdown]
# ## One seller's reasons
#
# The seller least likely to pay, at the last date of the test. Up to four reasons each way and one line for all others:
# together with the base they are the score, to the point.

# %%
last = np.asarray([as_of == max(rows.as_of) for as_of in rows.as_of])
weakest = int(np.where(last, model.probability(rows.X), -1.0).argmax())
seller, as_of = rows.seller_id[weakest], rows.as_of[weakest]
issued = model.issue_points(contributions)
reasons = reasons_for_row(issued.points[weakest], rows.X[weakest], model, bundle.dictionary)
lines = [(reason.text_en, reason.points) for reason in (*reasons.positive, *reasons.negative)]
lines = [("base", issued.base_points), *lines, ("all others", reasons.all_others)]
assert sum(points for _, points in lines) == issued.score[weakest]
print(f"synthetic seller {seller} as of {as_of}: score {issued.score[weakest]}")
pd.DataFrame([*lines, ("score", int(issued.score[weakest]))], columns=["what", "points"])

# %% [markdown]
# ## What if a seller withheld a source?
#
# The features of that date are built again as if some sellers, one of each related group, had never delivered one
# source: their rows and the record of the delivery are gone. Nobody may gain by that; honest sellers with thin files
# pay for it.

# %%
tables = feature_stage.read_tables(runs["pipelines.validate.stage"].run_dir / "tables")
feature_set = load_feature_set(profile.features.feature_set)
observed = pa.table({"seller_id": np.asarray(rows.seller_id)[last], "as_of": pa.array([as_of] * int(last.sum()))})
groups = (
    read_parquet(runs["pipelines.features.stage"].run_dir / "components.parquet").to_pandas().set_index("seller_id")
)
groups = groups.loc[[seller, *observed["seller_id"].to_pylist()]]
hiding = pa.array(groups[~groups["component_id"].duplicated()].index.tolist())


def scores_of(delivered: dict[str, pa.Table]) -> pd.Series:
    """Scores by seller, of features built from what was delivered."""
    found = build_features(delivered, observed, feature_set).table.to_pandas().set_index("seller_id")
    return pd.Series(model.score(found[list(model.feature_names)].to_numpy(np.float64, copy=True)), index=found.index)


def withheld(source: str) -> dict[str, pa.Table]:
    """The tables as they were, save one source of the hiding sellers."""
    coverage = tables["source_coverage"]
    is_source = pc.equal(pc.cast(coverage["covered_table"], pa.string()), source)
    gone = pc.and_(is_source, pc.is_in(coverage["seller_id"], hiding))
    left = tables[source].filter(pc.invert(pc.is_in(tables[source]["seller_id"], hiding)))
    return {**tables, source: left, "source_coverage": coverage.filter(pc.invert(gone))}


# %%
before = scores_of(tables)
own_sources = ["money_event", "site_order", "site_day", "export_declaration", "trade_invoice"]
change = pd.DataFrame({source: scores_of(withheld(source)) - before for source in own_sources}).loc[hiding.to_pylist()]
assert before[seller] == issued.score[weakest]
print(f"synthetic; {len(change)} sellers hide as of {as_of}; seller {seller} scored {before[seller]} before")
pd.DataFrame(
    {
        "sellers who gain": (change > 0).sum(),
        "sellers who lose": (change < 0).sum(),
        "mean change": change.mean().round(1),
        f"{seller} after": before[seller] + change.loc[seller],
    }
)

# %%
gained = int((change > 0).to_numpy().sum())
assert gained == 0
assert (change < 0).to_numpy().any()
print(f"synthetic; gains by hiding, in {change.size:,} trials: {gained}")

# %% [markdown]
# ## Who hangs together with the seller?
#
# The registry as it was known on that date, as networkx sees it: everything within two steps of a seller's company.
# What more sellers share than `hub_sellers` (a forwarder's address) says nothing and is left out. The pipeline's
# numbers come from vectorised code that the tests hold equal to networkx.

# %%
known = in_force(AsOf(as_of).visible(tables["party_link"]), as_of).to_pandas()
registry = nx.from_pandas_edgelist(known, "from_party_id", "to_party_id", edge_attr="link_type")
registry.remove_nodes_from([party for party, ties in registry.degree if ties > GraphSettings().hub_sellers])
companies = tables["party"].filter(pc.is_valid(tables["party"]["seller_id"])).to_pandas()
seller_of = companies.set_index("party_id")["seller_id"].astype(str)
company_of = pd.Series(seller_of.index.astype(str), index=seller_of.to_numpy())
around = {one: nx.ego_graph(registry, company_of[one], radius=2) for one in before.index if company_of[one] in registry}
near = {one: sum(party in seller_of.index for party in graph) for one, graph in around.items()}
shown = seller if near.get(seller, 0) > 1 else max(near, key=lambda one: near[one])
print(f"synthetic; {len(around[shown])} parties, {near[shown]} of them sellers, within two steps of seller {shown}")
print(f"score of {shown}: {before[shown]}")
nx.write_network_text(nx.bfs_tree(around[shown], company_of[shown]), sources=[company_of[shown]])

# %%
ends = around[shown].edges(data="link_type")
pd.DataFrame(
    [(kind, one, seller_of.get(one, ""), other, seller_of.get(other, "")) for one, other, kind in ends],
    columns=["link", "one end", "its seller", "other end", "that one's seller"],
)

# %% [markdown]
# ## The answer
#
# A score is a base plus whole points, one number a feature, and the tables above say which of them weigh and which
# weighed for one seller. Withholding a source raised no score: a value that is not reported counts one step worse than
# the worst ever reported, and the monotone model can then only move one way. What that costs honest sellers with thin
# files stands in the column of those who lose. All of it was shown on a *synthetic* world.
