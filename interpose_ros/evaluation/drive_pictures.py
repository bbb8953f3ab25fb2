"""Pictures of the demo's report: matches, the frames in between that were used, positions from above."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from interpose_ros.answer import PairAnswer
from interpose_ros.views import View

THUMBNAIL_WIDTH = 200
MOST_MATCHES_DRAWN = 150


def inline_jpeg(image_rgb: UInt8[np.ndarray, "h w 3"], width: int, caption: str) -> str:
    """An HTML figure with the image inside, ``width`` pixels wide."""
    height = round(image_rgb.shape[0] * width / image_rgb.shape[1])
    small = cv2.resize(image_rgb, (width, height), interpolation=cv2.INTER_AREA)
    encoded, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
    if not encoded:
        raise ValueError(f"image of shape {image_rgb.shape} could not be encoded")
    source = base64.b64encode(data.tobytes()).decode()
    return (
        f'<figure><img width="{width}" height="{height}" alt="{escape(caption)}" src="data:image/jpeg;base64,{source}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def match_picture(view_a: View, view_b: View, answer: PairAnswer) -> UInt8[np.ndarray, "h w 3"]:
    """Both keyframes side by side, verified matches between them as lines."""
    height = max(view_a.camera.height, view_b.camera.height)
    canvas = np.zeros((height, view_a.camera.width + view_b.camera.width, 3), np.uint8)
    canvas[: view_a.camera.height, : view_a.camera.width] = view_a.image
    canvas[: view_b.camera.height, view_a.camera.width :] = view_b.image
    if answer.matched_pixels is None:
        return canvas
    pixels_a, pixels_b = answer.matched_pixels
    step = max(1, -(-len(pixels_a) // MOST_MATCHES_DRAWN))
    for a, b in zip(pixels_a[::step], pixels_b[::step], strict=True):
        start = (round(float(a[0])), round(float(a[1])))
        end = (round(float(b[0])) + view_a.camera.width, round(float(b[1])))
        cv2.line(canvas, start, end, (80, 220, 100), 1, cv2.LINE_AA)
    return canvas


def frame_strip(views: Sequence[View]) -> str:
    """Small pictures in a row, each with its stamp."""
    figures = [
        inline_jpeg(view.image, THUMBNAIL_WIDTH, f"{view.keyframe_id.stamp_ns / 1e9 % 1000:.2f} s") for view in views
    ]
    return f'<div class="strip">{"".join(figures)}</div>'


def position_plot(world_by_name: Mapping[str, tuple[str, Float[np.ndarray, "_ 3"]]]) -> str:
    """SVG of camera positions in metres, seen from above (world x to the right, y up).

    Args:
        world_by_name: what is drawn: its colour, and its positions in the order of time.
    """
    points = np.vstack([xyz for _, xyz in world_by_name.values()])[:, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.08 * max(float((high - low).max()), 0.1)
    scale = 640.0 / (float((high - low).max()) + 2 * margin)
    width, height = (scale * (high - low + 2 * margin)).tolist()

    def line(xyz: Float[np.ndarray, "k 3"], colour: str) -> str:
        paper = [(scale * (x - low[0] + margin), height - scale * (y - low[1] + margin)) for x, y in xyz[:, :2]]
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in paper)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in paper)
        return f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="1.5"/>{dots}'

    lines = "".join(line(xyz, colour) for colour, xyz in world_by_name.values())
    legend = "".join(
        f'<text x="10" y="{20 + 18 * row}" font-size="14" fill="{colour}">{escape(name)}</text>'
        for row, (name, (colour, _)) in enumerate(world_by_name.items())
    )
    ruler = f'<line x1="10" y1="{height - 10:.1f}" x2="{10 + scale / 2:.1f}" y2="{height - 10:.1f}" stroke="black"/>'
    label = f'<text x="10" y="{height - 16:.1f}" font-size="12">0.5 m</text>'
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img">'
        f"<title>camera positions from above</title>{lines}{legend}{ruler}{label}</svg>"
    )
