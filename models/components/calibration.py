"""The calibrator: a straight line in log-odds, so that contributions stay additive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import expit, ndtri

if TYPE_CHECKING:
    import numpy.typing as npt

    from models.components.encoding import FloatArray

_SMALLEST_SLOPE = 0.02
_ITERATIONS = 100


class AffineCalibrator(BaseModel):
    """Log-odds of default = ``intercept + slope * margin``, with the covariance of the two estimates.

    The slope is positive; otherwise a better margin could receive a worse probability. ``covariance`` holds the
    variance of the intercept, the covariance of both, and the variance of the slope.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    slope: float = Field(gt=0)
    intercept: float
    covariance: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def log_odds(self, margin: FloatArray) -> FloatArray:
        """Return the calibrated log-odds of default for raw margins of any shape."""
        return np.asarray(self.intercept + self.slope * margin, dtype=np.float64)

    def standard_error(self, margin: FloatArray) -> FloatArray:
        """Return the standard error of the calibrated log-odds that comes from estimating the line."""
        intercept, both, slope = self.covariance
        return np.asarray(np.sqrt(np.maximum(intercept + 2.0 * both * margin + slope * margin**2, 0.0)))

    def probability_interval(self, margin: FloatArray, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Return lower and upper bounds (n,) of the probability, from the uncertainty of the line alone.

        NaN where the standard error is zero: without an estimated uncertainty there is no interval.
        """
        error = self.standard_error(margin)
        half_width = float(ndtri(0.5 + level / 2.0)) * np.where(error > 0.0, error, np.nan)
        centre = self.log_odds(margin)
        return np.asarray(expit(centre - half_width)), np.asarray(expit(centre + half_width))


IDENTITY = AffineCalibrator(slope=1.0, intercept=0.0)


def fit_affine(margin: FloatArray, y: npt.NDArray[np.integer], clusters: npt.NDArray[np.str_]) -> AffineCalibrator:
    """Fit slope and intercept by maximum likelihood on out-of-fold margins (n,) and outcomes (n,), 1 = default.

    The covariance is the cluster-robust sandwich over ``clusters`` (n,), since related sellers default together. A
    fitted slope of zero or less has no ranking power: the smallest allowed slope replaces it and only the intercept is
    fitted, so everyone receives nearly the base rate. Numbers are rounded to nine decimals, so that they do not depend
    on how the linear algebra is split over threads.
    """
    target = np.asarray(y, dtype=np.float64)
    design = np.column_stack([np.ones_like(margin), margin])
    beta = _maximum_likelihood(design, target, np.zeros_like(target))
    if beta[1] < _SMALLEST_SLOPE:
        offset = _SMALLEST_SLOPE * margin
        intercept = _maximum_likelihood(design[:, :1], target, offset)[0]
        beta = np.array([intercept, _SMALLEST_SLOPE])
    covariance = _clustered_covariance(design, target, beta, clusters)
    return AffineCalibrator(
        slope=round(float(beta[1]), 9),
        intercept=round(float(beta[0]), 9),
        covariance=(
            round(float(covariance[0, 0]), 9),
            round(float(covariance[0, 1]), 9),
            round(float(covariance[1, 1]), 9),
        ),
    )


def _maximum_likelihood(design: FloatArray, y: FloatArray, offset: FloatArray) -> FloatArray:
    """Run Newton's method with step halving; a tiny ridge keeps perfectly separated margins finite."""
    beta = np.zeros(design.shape[1])
    ridge = 1e-6 * np.eye(design.shape[1])
    loss = _penalised_loss(design, y, offset, beta)
    for _ in range(_ITERATIONS):
        p = expit(offset + design @ beta)
        gradient = design.T @ (p - y) + ridge @ beta
        hessian = design.T @ (design * (p * (1.0 - p))[:, None]) + ridge
        step = np.linalg.solve(hessian, gradient)
        scale, improved = 1.0, False
        while scale > 1e-8 and not improved:
            candidate = beta - scale * step
            candidate_loss = _penalised_loss(design, y, offset, candidate)
            improved = candidate_loss <= loss
            scale /= 2.0
        if not improved or float(np.abs(candidate - beta).max()) < 1e-12:
            break
        beta, loss = candidate, candidate_loss
    return beta


def _penalised_loss(design: FloatArray, y: FloatArray, offset: FloatArray, beta: FloatArray) -> float:
    z = offset + design @ beta
    return float(np.sum(np.logaddexp(0.0, z) - y * z) + 0.5e-6 * beta @ beta)


def _clustered_covariance(
    design: FloatArray, y: FloatArray, beta: FloatArray, clusters: npt.NDArray[np.str_]
) -> FloatArray:
    p = expit(design @ beta)
    hessian = design.T @ (design * (p * (1.0 - p))[:, None]) + 1e-6 * np.eye(2)
    bread = np.linalg.inv(hessian)
    _, cluster_index = np.unique(clusters, return_inverse=True)
    scores = np.zeros((int(cluster_index.max()) + 1, 2))
    np.add.at(scores, cluster_index, design * (y - p)[:, None])
    return np.asarray(bread @ (scores.T @ scores) @ bread, dtype=np.float64)
