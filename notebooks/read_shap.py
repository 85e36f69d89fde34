# %% [markdown]
# # What decides a seller's score, and would hiding data change it?

# %% [markdown]
# For the risk officer who reads a score, and the data scientist who has to defend it. The notebook shows which features
# weigh, how one of them works, and why one seller has its score; then it withholds whole sources and scores again.
# Everything below comes from the **synthetic** world of profile `small`: 600 simulated sellers, none of them real.

# %%
import os
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

warnings.filterwarnings("ignore", message="IProgress not found")  # progress bars are of no use here
import shap

from features.build import build_features
from features.catalogue import load_feature_set
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
# Paths are those of the checkout, wherever the notebook is opened. Stages do nothing if their outputs are up to date.

# %%
pd.options.display.max_colwidth = 100
os.chdir(Path(world.__file__).parents[2])
plt.style.use("notebooks/charts.mplstyle")
profile = load_profile("small")
place = Place(profile.name, Path(os.environ.get("OUT", "artifacts")))
keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=os.environ)
runs = {stage.__name__: stage.run(profile, place) for stage in (world, ingest, validate, feature_stage, train)}
pd.DataFrame(
    {"rows in": run.record.rows_in, "rows kept": run.record.rows_kept, "was up to date": run.was_current}
    for run in runs.values()
).set_axis(list(runs))

# %% [markdown]
# ## The model and its test
#
# A seller is bad when 90 days past due within a year of the observation. The test is a whole year later than the
# training, and related sellers are on one side only.

# %%
trained = runs["pipelines.train.stage"].run_dir
document = read_json(trained / "evaluation.json")
area = document["evaluation"]["models"][0]["measures"]["auc"]
print("synthetic sample:", document["population"])
print(f"synthetic; champion AUC {area['value']:.3f}, 95 % CI {area['lower']:.3f} to {area['upper']:.3f}")

# %% [markdown]
# ## What weighs
#
# The signed bundle is verified before it is read. Points are contributions to the log-odds on the score's scale;
# positive points count in the seller's favour. The weight of a feature is the mean size of its points.

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
features = pd.DataFrame(explanation["features"]).set_index("title_en")
shown = features["mean_absolute_points"].head(12)[::-1]
axis = shown.plot.barh(color="#0f5a70")
axis.bar_label(axis.containers[0], fmt="%.1f", padding=3)
top, share = features.index[0], features["share"].iloc[0]
axis.set_title(f"{top}: {100 * share:.0f} % of all weight (synthetic)")
axis.set_ylabel("")
_ = axis.set_xlabel("mean size of a feature's points over the test rows")

# %% [markdown]
# ## How one feature works
#
# The points of the heaviest feature against its value, and the points of sellers whose value is missing. The model is
# monotone: more risk never earns more points, and missing is never better than the worst value.

# %%
heaviest = features["name"].iloc[0]
curve = next(one for one in explanation["dependence"] if one["feature"] == heaviest)
bins = pd.DataFrame(curve["bins"])
axis = plt.subplots()[1]
axis.vlines(bins["value"], bins["low_points"], bins["high_points"], color="#5b9aab", linewidth=4)
axis.plot(bins["value"], bins["mean_points"], marker="o", color="#0f5a70", label="mean and 10-90 % range")
if curve["missing_points"] is not None:
    axis.axhline(curve["missing_points"], color="#b84412", linestyle="--", label="value missing")
falls = bins["mean_points"].max() - bins["mean_points"].min()
axis.set_title(f"{top}: {falls:.0f} points between best and worst value (synthetic)")
axis.set_xlabel(f"{top}, {features['unit'].iloc[0]}")
axis.set_ylabel("points")
axis.legend()
print(
    f"synthetic; {curve['missing_rows']} of {explanation['explained']} rows have no value; verdict: {curve['verdict']}"
)

# %% [markdown]
# ## Are these SHAP values?
#
# For trees, shap's `TreeExplainer` is the reference. By default it passes a LightGBM model back to LightGBM; with the
# type "internal", shap computes the values itself. If the champion of this small world has no trees, a booster is
# fitted here on the same training rows, so that the comparison is always made.

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
# The contributions of the champion, whatever its components, add up to its log-odds:

# %%
contributions = model.contributions(rows.X)
gap = np.abs(contributions.base + contributions[1].sum(axis=1) - model.log_odds(rows.X)).max()
assert gap < 1e-9
print(f"synthetic; largest gap in {len(rows.X):,} rows: {gap:.1e}")

# %% [markdown]
# ## One seller's reasons
#
# The riskiest seller on the last date of the test. Up to four positive and four negative reasons, and one line for all
# others, add up with the base to the score, to the point.

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

# %%
steps = pd.Series([points for _, points in lines]).cumsum()
steps_before = np.concatenate([[0], steps[:-1]])
axis = plt.subplots(figsize=(8.5, 0.35 * len(lines) + 1.2))[1]
sizes = steps - steps_before
colours = np.where(sizes >= 0, "#0f6a86", "#b84412")
axis.barh(range(1, len(lines)), sizes[1:], left=steps_before[1:], color=colours[1:])
axis.axvline(issued.base_points, color="#82919e", linewidth=0.8)
ends = np.maximum(steps, steps_before)
for position, size in enumerate(sizes[1:], start=1):
    axis.annotate(f"{size:+d}", (ends[position], position), xytext=(4, -4), textcoords="offset points")
texts = [f"{text[:70]}…" if len(text) > 71 else text for text, _ in lines]
axis.set_yticks(range(1, len(lines)), texts[1:])
axis.invert_yaxis()
axis.set_xlabel(f"score, from the base of {issued.base_points} to {issued.score[weakest]}")
heaviest_loss, all_lost = -sizes[1:].min(), issued.base_points - issued.score[weakest]
_ = axis.set_title(f"The heaviest reason costs {heaviest_loss} of {all_lost} points (synthetic)")

# %% [markdown]
# ## What if a seller withheld a source?
#
# The features of that date are built again as if some sellers, one of each related group, had never delivered one
# source: their rows and the record of the delivery are gone. Nobody may gain by that. Honest sellers with thin files
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
    """Return scores by seller, from features built on these tables."""
    found = build_features(delivered, observed, feature_set).table.to_pandas().set_index("seller_id")
    return pd.Series(model.score(found[list(model.feature_names)].to_numpy(np.float64, copy=True)), index=found.index)


def withheld(source: str) -> dict[str, pa.Table]:
    """Return the tables without one source of the hiding sellers."""
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
    }
)

# %%
gained = int((change > 0).to_numpy().sum())
assert gained == 0
assert (change < 0).to_numpy().any()
words = ["settlement reports", "shop orders", "shop traffic", "customs", "invoices"]
axis = change.set_axis(words, axis=1).plot.box(color="#0f5a70", sym=".")
axis.axhline(0, color="#1b2733", linewidth=0.8)
axis.set_title(f"{gained} gains in {change.size:,} trials: withholding a source never pays (synthetic)")
axis.set_ylabel("change of the score, points")
print(f"synthetic; mean loss of those who withhold: {-change.to_numpy().mean():.1f} points")

# %% [markdown]
# ## The answer
#
# A score is a base plus whole points, one number per feature. The charts show which features weigh in general, and
# which weighed for one seller. Withholding a source raised no score: a missing value counts one step worse than the
# worst value of the training sample, and the monotone model can then only lower the score. The last chart also shows
# what that costs honest sellers with thin files. All of it was shown on a *synthetic* world.
