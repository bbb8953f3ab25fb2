"""Figures from arrays of errors. Angles in degrees; an infinite error is a miss, NaN an error that does not exist."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import beta

LOG_LOSS_FLOOR = 1e-6
"""Probabilities are kept this far from 0 and 1 for the log loss, so that one sure and wrong answer is not infinite."""


def recall(errors: Float[np.ndarray, "n"], limit: float) -> float:
    """Share of errors of at most the limit; errors that do not exist (NaN) are left out, misses (inf) count."""
    known = errors[~np.isnan(errors)]
    return float(np.mean(known <= limit)) if known.size else np.nan


def area_under_recall(errors: Float[np.ndarray, "n"], limit: float) -> float:
    """Area under recall over the error from 0 to the limit, divided by the limit: exact, without bins.

    The recall curve is a step function, so the area is the mean of ``max(0, 1 - error / limit)``. Trapezoids over sorted
    errors (SuperGlue, CVPR 2020) and histograms of one degree (DUSt3R's followers) differ from it by less than a bin.
    """
    known = errors[~np.isnan(errors)]
    return float(np.mean(np.clip(1.0 - known / limit, 0.0, 1.0))) if known.size else np.nan


def larger_error(rotation: Float[np.ndarray, "n"], translation: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """The larger of both errors; the rotation's alone where the true translation has no direction (NaN)."""
    return np.fmax(rotation, translation)


def mean_of_finite(errors: Float[np.ndarray, "n"]) -> float:
    """Mean of the errors that exist; misses are left out."""
    known = errors[np.isfinite(errors)]
    return float(known.mean()) if known.size else np.nan


def median_of_finite(errors: Float[np.ndarray, "n"]) -> float:
    """Median of the errors that exist; misses are left out."""
    known = errors[np.isfinite(errors)]
    return float(np.median(known)) if known.size else np.nan


def brier_score(probability: Float[np.ndarray, "n"], right: Bool[np.ndarray, "n"]) -> float:
    """Mean squared difference of probability and outcome (Brier, 1950)."""
    return float(np.mean((probability - right) ** 2)) if probability.size else np.nan


def log_loss(probability: Float[np.ndarray, "n"], right: Bool[np.ndarray, "n"]) -> float:
    """Mean negative log-likelihood of the outcomes, in nats."""
    if not probability.size:
        return np.nan
    kept = np.clip(probability, LOG_LOSS_FLOOR, 1.0 - LOG_LOSS_FLOOR)
    return float(-np.mean(np.where(right, np.log(kept), np.log1p(-kept))))


def expected_calibration_error(
    probability: Float[np.ndarray, "n"], outcome: Float[np.ndarray, "*draws n"], bins: int = 10
) -> Float[np.ndarray, "*draws"]:
    """Mean distance of probability and frequency over bins of equally many rows, weighted by their size.

    Args:
        probability: of being right.
        outcome: 1 where right, 0 where wrong; several draws of outcomes at once.
        bins: at most so many; at least one row each.
    """
    count = probability.size
    if not count:
        return np.full(outcome.shape[:-1], np.nan)
    order = np.argsort(probability, kind="stable")
    edges = np.unique(np.linspace(0, count, min(bins, count) + 1).astype(int))[:-1]
    gaps = np.add.reduceat((outcome - probability)[..., order], edges, axis=-1)
    return np.asarray(np.abs(gaps).sum(axis=-1) / count)


def calibration_error_noise_floor(
    probability: Float[np.ndarray, "n"], seed: int, draws: int = 1000, bins: int = 10
) -> tuple[float, float]:
    """Mean and 95th percentile of the calibration error that perfect probabilities would show on so many rows."""
    if not probability.size:
        return np.nan, np.nan
    uniform = np.random.default_rng(seed).random((draws, probability.size))
    errors = expected_calibration_error(probability, (uniform < probability).astype(np.float64), bins)
    return float(errors.mean()), float(np.percentile(errors, 95))


def risk_by_coverage(score: Float[np.ndarray, "n"], wrong: Bool[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Share of wrong ones among the k rows of highest score, for k from 1 to n; ties count as if in any order."""
    if not score.size:
        return np.zeros(0)
    order = np.argsort(-score, kind="stable")
    sorted_score, counted = score[order], wrong[order].astype(np.float64)
    starts = np.flatnonzero(np.r_[True, np.diff(sorted_score) != 0])
    sizes = np.diff(np.r_[starts, score.size])
    expected = np.repeat(np.add.reduceat(counted, starts) / sizes, sizes)
    return np.cumsum(expected) / np.arange(1, score.size + 1)


def area_under_risk_coverage(score: Float[np.ndarray, "n"], wrong: Bool[np.ndarray, "n"]) -> float:
    """Mean risk over all coverages (AURC; Geifman et al., "Bias-reduced uncertainty estimation", ICLR 2019)."""
    risks = risk_by_coverage(score, wrong)
    return float(risks.mean()) if risks.size else np.nan


def risk_at_coverage(score: Float[np.ndarray, "n"], wrong: Bool[np.ndarray, "n"], coverage: float) -> float:
    """Risk of the given share (0 to 1) of rows with the highest score; of the next whole row where it is none."""
    risks = risk_by_coverage(score, wrong)
    return float(risks[int(np.ceil(coverage * risks.size - 1e-9)) - 1]) if risks.size else np.nan


def clopper_pearson_upper(count: int, of: int, level: float = 0.95) -> float:
    """Exact one-sided upper bound of a share of which ``count`` of ``of`` were seen (Clopper and Pearson, 1934)."""
    if not of:
        return 1.0
    return 1.0 if count == of else float(beta.ppf(level, count + 1, of - count))


def clopper_pearson_interval(count: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a share of which ``count`` of ``of`` were seen."""
    tail = (1.0 - level) / 2.0
    low = 0.0 if count == 0 else float(beta.ppf(tail, count, of - count + 1))
    return low, clopper_pearson_upper(count, of, 1.0 - tail)
