"""Similarity transforms between batches of point sets, on the device that holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Similarity:
    """Batch of maps ``x -> scale * R @ x + t``: ``scale`` ``(...)``, ``R`` ``(..., 3, 3)``, ``t`` ``(..., 3)``."""

    scale: Tensor
    R: Tensor
    t: Tensor

    def apply(self, points: Tensor) -> Tensor:
        """Map ``(..., p, 3)``."""
        return self.scale[..., None, None] * (points @ self.R.transpose(-1, -2)) + self.t[..., None, :]

    def inverse(self) -> Similarity:
        """The maps back."""
        R = self.R.transpose(-1, -2)
        scale = 1.0 / self.scale
        return Similarity(scale, R, -scale[..., None] * (R @ self.t[..., None])[..., 0])

    def __matmul__(self, other: Similarity) -> Similarity:
        """First ``other``, then this."""
        t = self.scale[..., None] * (self.R @ other.t[..., None])[..., 0] + self.t
        return Similarity(self.scale * other.scale, self.R @ other.R, t)

    def __getitem__(self, index: Any) -> Similarity:
        return Similarity(self.scale[index], self.R[index], self.t[index])


def weighted_similarity(source: Tensor, target: Tensor, weights: Tensor) -> Similarity:
    """Similarities with ``target ~ s R source + t`` in the weighted least-squares sense.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991.

    Args:
        source, target: ``(..., p, 3)``.
        weights: ``(..., p)``; where none is positive, the result is the identity, which the caller must not use.
    """
    total = weights.sum(-1)
    usable = total > 0
    w = weights / torch.where(usable, total, 1.0)[..., None]
    mean_source, mean_target = (w[..., None, :] @ source)[..., 0, :], (w[..., None, :] @ target)[..., 0, :]
    centred_source, centred_target = source - mean_source[..., None, :], target - mean_target[..., None, :]
    variance = (w * centred_source.square().sum(-1)).sum(-1)
    covariance = (centred_target * w[..., None]).transpose(-1, -2) @ centred_source
    covariance = torch.where(usable[..., None, None], covariance, torch.eye(3).to(covariance))
    u, s, vt = torch.linalg.svd(covariance)
    signs = torch.ones_like(s)
    signs[..., 2] = torch.sign(torch.linalg.det(u) * torch.linalg.det(vt))
    R = (u * signs[..., None, :]) @ vt
    scale = (s * signs).sum(-1) / variance.clamp(min=1e-24)
    scale = torch.where(usable, scale, 1.0)
    return Similarity(scale, R, mean_target - scale[..., None] * (R @ mean_source[..., None])[..., 0])


def robust_similarity(source: Tensor, target: Tensor, weights: Tensor, iterations: int = 10) -> Similarity:
    """Like ``weighted_similarity``, but for the least sum of weighted distances: outliers pull with bounded force.

    Distances are floored at a thousandth of the target's extent, below which they say nothing about outliers.
    """
    result = weighted_similarity(source, target, weights)
    extent = (weights * target.norm(dim=-1)).sum(-1) / weights.sum(-1).clamp(min=1e-24)
    for _ in range(iterations):
        distance = (result.apply(source) - target).norm(dim=-1)
        floor = (1e-3 * extent).clamp(min=1e-12)
        result = weighted_similarity(source, target, weights / torch.maximum(distance, floor[..., None]))
    return result
