"""Focal length from a pointmap in its own camera's frame."""

from __future__ import annotations

from torch import Tensor

MIN_FIELD_OF_VIEW_FOCAL = 0.3
MAX_FIELD_OF_VIEW_FOCAL = 6.0


def focal_by_weiszfeld(
    points: Tensor, pixels: Tensor, principal_point: Tensor, weights: Tensor, image_side: float, iterations: int = 20
) -> Tensor:
    """Focal length in pixels that fits pointmaps best, in the sense of the least sum of pixel distances.

    Source: DUSt3R, section 3.3 (Weiszfeld's algorithm; Plastria, "The Weiszfeld algorithm", 2011).

    Args:
        points: ``(..., p, 3)`` in the camera's own frame, any scale.
        pixels: ``(..., p, 2)`` where they are seen.
        principal_point: ``(..., 2)``.
        weights: ``(..., p)``, zero for points that do not count.
        image_side: longer side of the image; the result is kept between 0.3 and 6 times that.

    Returns:
        ``(...)``; NaN where no point counts.
    """
    rays = points[..., :2] / points[..., 2:].clamp(min=1e-9)
    offsets = pixels - principal_point[..., None, :]
    weights = weights * (points[..., 2] > 1e-9)
    along, square = (rays * offsets).sum(-1), (rays * rays).sum(-1)
    focal = (weights * along).sum(-1) / (weights * square).sum(-1)
    for _ in range(iterations):
        distance = (offsets - focal[..., None, None] * rays).norm(dim=-1)
        pull = weights / distance.clamp(min=1e-4)
        focal = (pull * along).sum(-1) / (pull * square).sum(-1)
    return focal.clamp(MIN_FIELD_OF_VIEW_FOCAL * image_side, MAX_FIELD_OF_VIEW_FOCAL * image_side)
