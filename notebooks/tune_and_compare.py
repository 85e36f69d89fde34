# %% [markdown]
# # Is another model better than the champion, and could this sample show it?

# %% [markdown]
# For the data scientist who tunes. The notebook trains with other settings, compares on the same test rows with paired
# intervals, and says how large a gain this sample could detect at all. Everything below comes from the **synthetic**
# world of profile `small`: 600 simulated sellers, none of them real. So few sellers make wide intervals.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from models.components.encoding import encode_matrix, encoded_columns
from models.components.gbm import GbmParameters, fit_gbm
from models.components.model import CreditModel
from models.evaluation import EvaluationSettings, evaluate
from models.training.candidates import KINDS, predictions, train_candidate
from models.training.dataset import split_out_of_time
from pipelines.features import stage as feature_stage
from pipelines.ingest import stage as ingest
from pipelines.profiles import load_profile
from pipelines.runs.stages import Place
from pipelines.train.samples import SampleFiles, labelled_sample
from pipelines.validate import stage as validate
from pipelines.world import stage as world

# %% [markdown]
# ## The split
#
# The test is later than the training by a whole performance window, and related sellers are on one side only. The test
# rows are for the last comparison: settings are chosen by cross-validation inside the training rows.

# %%
os.chdir(Path(world.__file__).parents[2])
plt.style.use("notebooks/charts.mplstyle")
profile = load_profile("small")
place = Place(profile.name, Path(os.environ.get("OUT", "artifacts")))
for stage in (world, ingest, validate, feature_stage):
    stage.run(profile, place)
sample = labelled_sample(profile, SampleFiles.of(profile, place)).dataset
split = split_out_of_time(sample, profile.split)
print("synthetic; observations:", split.counts)
print(f"synthetic; defaults: {int(split.train.y.sum())} in training, {int(split.test.y.sum())} in the test")

# %% [markdown]
# ## Settings
#
# A profile sets these under `[training]`. `fits` is the budget of boosters to try, `champion = "auto"` takes the
# simplest kind within one standard error of the best. Here the budget is raised.

# %%
settings = profile.training.model_copy(update={"fits": 28, "max_rounds": 400})
changed = {
    name: (value, getattr(settings, name)) for name, value in profile.training if value != getattr(settings, name)
}
candidate = train_candidate(split.train, settings)
print("synthetic; changed settings (from, to):", changed)
print(f"synthetic; the champion is the {candidate.champion_kind}")
trials = pd.DataFrame(candidate.tuning)
trials.loc[trials.groupby("kind")["log_loss"].idxmin()].sort_values("log_loss").reset_index(drop=True)

# %%
axis = plt.subplots()[1]
for place_of_kind, kind in enumerate(KINDS):
    losses = trials.loc[trials["kind"] == kind, "log_loss"]
    axis.scatter(losses, [place_of_kind] * len(losses), alpha=0.7)
axis.set_yticks(range(len(KINDS)), KINDS)
best = trials.groupby("kind")["log_loss"].min().sort_values()
gap = best.iloc[1] - best.iloc[0]
axis.set_title(f"The {best.index[0]} is best at {best.iloc[0]:.4f}, {gap:.4f} below the {best.index[1]} (synthetic)")
_ = axis.set_xlabel("out-of-fold log-loss inside the training rows, one dot per setting")

# %% [markdown]
# ## Your own model
#
# Any list of additive components is a model. Here is one booster with hand-picked parameters on the champion's
# encoding, with the calibrator of the tuned booster. It never saw a test row.

# %%
features = candidate.champion.features
directions = [direction for _, direction in encoded_columns(features)]
parameters = GbmParameters(leaves=6, rows_in_leaf=40, learning_rate=0.03, lambda_l2=20.0, feature_share=0.4)
encoded = encode_matrix(features, split.train.X)
booster = fit_gbm(encoded, split.train.y, directions, parameters, settings.fit_settings(200))
calibrator = candidate.baselines["gbm"].calibrator
own = CreditModel(features, (booster,), (1.0,), calibrator, settings.scale, settings.grades)
models = {**candidate.models, "own_booster": own}
holdout = predictions(models, split.test).rename(columns={name: f"pd_{name}" for name in models})
print(f"synthetic; {len(models)} models predict {len(holdout)} test rows of {holdout['seller_id'].nunique()} sellers")

# %% [markdown]
# ## Paired intervals
#
# The bootstrap draws related-party components, and every model is measured on the same draws. The interval of a
# *difference* is narrower than the intervals of the two models suggest. A gain is claimed only if its interval excludes
# zero and it reaches the minimum detectable gain.

# %%
others = tuple(name for name in models if name not in ("champion", candidate.champion_kind))
evaluation = evaluate(holdout, EvaluationSettings(baselines=others))
area = evaluation.champion.measures["auc"]
print(f"synthetic; champion AUC {area.value:.3f}, 95 % CI {area.lower:.3f} to {area.upper:.3f}")
gains = pd.DataFrame(
    {
        "other": found.other,
        "gain of the champion": found.gain.value,
        "lower": found.gain.lower,
        "upper": found.gain.upper,
        "minimum detectable": found.detectable_gain,
        "verdict": found.verdict,
    }
    for found in evaluation.differences
    if found.measure == "auc"
).set_index("other")
gains.round(3)

# %%
axis = plt.subplots()[1]
rows = gains.iloc[::-1]
value = rows["gain of the champion"]
axis.errorbar(value, range(len(rows)), xerr=[value - rows["lower"], rows["upper"] - value], fmt="o", capsize=3)
axis.axvline(0, color="#1b2733", linewidth=0.8)
axis.scatter(
    rows["minimum detectable"], range(len(rows)), marker="|", s=160, color="#c4810f", label="minimum detectable"
)
axis.set_yticks(range(len(rows)), rows.index)
shown = gains[gains["verdict"].isin(["better", "worse"])]
finding = "No difference is significant" if shown.empty else f"Significant: {', '.join(shown.index)}"
smallest = gains["minimum detectable"].min()
axis.set_title(f"{finding}; detectable here: {smallest:.3f} AUC or more (synthetic)")
axis.set_xlabel("AUC of the champion minus AUC of the other, 95 % CI")
_ = axis.legend()

# %% [markdown]
# ## How many defaults would it take?
#
# The detectable gain falls with the square root of the sample. This is a rule of thumb for planning: it assumes that
# more sellers would be like these.

# %%
bad = evaluation.sample.bad
defaults = np.geomspace(bad / 2, bad * 100, 40)
axis = plt.subplots()[1]
axis.plot(defaults, smallest * np.sqrt(bad / defaults))
axis.scatter([bad], [smallest], color="#c4810f", zorder=3)
axis.annotate(f"this test: {bad} defaults", (bad, smallest), xytext=(8, 8), textcoords="offset points")
axis.set_xscale("log")
axis.set_ylim(bottom=0)
wanted = 0.01
needed = bad * (smallest / wanted) ** 2
axis.set_title(f"A gain of {wanted:.2f} AUC would need about {needed:,.0f} defaults in the test (synthetic)")
axis.set_xlabel("defaults in the test")
_ = axis.set_ylabel("minimum detectable AUC gain")

# %% [markdown]
# ## Are the probabilities right?
#
# A model that ranks well can still be wrong about the level. Expected against observed default rates by band of
# predicted probability:

# %%
bands = evaluation.bands
observed = np.array([[row.expected, row.observed, row.observed_lower, row.observed_upper] for row in bands]) * 100
axis = plt.subplots()[1]
axis.errorbar(
    observed[:, 0],
    observed[:, 1],
    [observed[:, 1] - observed[:, 2], observed[:, 3] - observed[:, 1]],
    fmt="o",
    capsize=3,
)
top = observed[:, 0].max()
axis.plot([0, top], [0, top], color="#c4810f", linestyle="--")
inside = ((observed[:, 2] <= observed[:, 0]) & (observed[:, 0] <= observed[:, 3])).sum()
axis.set_title(f"The expected rate is inside the interval in {inside} of {len(bands)} bands (synthetic)")
axis.set_xlabel("expected default rate, %")
axis.set_ylabel("observed, %, 95 % CI")
slope = evaluation.champion.measures["calibration_slope"]
print(f"synthetic; calibration slope {slope.value:.2f}, 95 % CI {slope.lower:.2f} to {slope.upper:.2f}")

# %% [markdown]
# ## The answer
#
# Read the verdict column: "not_shown" means that this sample cannot tell the models apart, not that they are equal. The
# simplest kind wins such a tie. To keep other settings, write them into the profile and run `make train`. `passport
# compare` compares the new candidate with an earlier run, and `make register` makes it champion if every gate passes
# (`docs/tune_a_model.md`). All of it was shown on a *synthetic* world.
