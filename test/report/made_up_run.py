"""A run folder as `interpose evaluate` leaves it, made up: answers, refusals, frames, wrong ones, hostile names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from interpose_ros.config import PUBLISH_CONFIDENCE
from interpose_ros.evaluation.summary import summarise

HOSTILE = "<img src=x onerror=document.title='owned'>&\"'.jpg"
"""A file name that somebody else chose."""

HOSTILE_SCENE = "</script><img src=x onerror=document.title='owned'>"


def confidence(probability: float) -> dict[str, Any]:
    """As rows hold it."""
    return {
        "rotation_5deg": probability,
        "rotation_15deg": probability,
        "direction_10deg": None,
        "calibration_id": "made-up-1",
    }


def candidate(
    estimator: str, error: float | None, probability: float | None, selected: bool, clip: str | None = None
) -> dict[str, Any]:
    """As rows hold it; without an error a refusal."""
    refused = error is None
    return {
        "estimator": estimator, "interpolator": clip, "clip_id": "c0ffee" if clip else None,
        "direction": "forward" if clip else None, "generated": False, "settings": {}, "weighed": True, "selected": selected,
        "status": "no_overlap" if refused else "ok", "reason": "no matches <b>at all</b>" if refused else "",
        "rotation_error_deg": error, "translation_error_deg": error, "translation_error_sign_blind_deg": error,
        "normalised_error": None if refused else {
            "rotation": 1.0, "rotation_inside_90": True, "direction": 1.0, "direction_inside_90": True,
        },
        "confidence": None if probability is None else confidence(probability),
        "evidence": {} if refused else {"inliers": 120.0, "coverage": 0.4, "d_med": None},
        "frames_used": 0,
    }  # fmt: skip


def row(number: int, image0: str, image1: str, rng: np.random.Generator, scenes: int = 8) -> dict[str, Any]:
    """The row of a pair: every fifth is of two places, every third of the others refused, every fourth over frames."""
    related = number % 5 != 4
    answered = related and number % 3 != 2
    frames = answered and number % 4 == 1
    error = float(rng.gamma(1.0, 1.5)) if answered else None
    probability = float(rng.uniform(0.8, 1.0)) if answered else float(rng.uniform(0.0, 0.6))
    chosen = candidate(
        "features" if frames else "matches",
        error,
        None if frames else probability,
        answered,
        "recorded" if frames else None,
    )
    if not answered:
        chosen = candidate("matches", float(rng.uniform(20.0, 170.0)), probability, False)
    others = [candidate("matches", None, None, False)] if frames else []
    return {
        "pair": number, "scene": f"place {number % scenes}" if number % scenes else HOSTILE_SCENE,
        "image0": image0, "image1": image1, "related": related,
        "true_rotation_deg": float(rng.uniform(5.0, 120.0)) if related else None, "true_baseline": 0.5 if related else None,
        "true_direction": related, "true_overlap": None, "frames_offered": 3 if frames else 0,
        "status": "ok" if answered else "low_confidence", "reason": "" if answered else "too little <i>evidence</i> & more",
        "answered": answered, "branch": "none" if not answered else "frames" if frames else "matches",
        "estimator": chosen["estimator"] if answered else None, "interpolator": "recorded" if frames else None,
        "model": "general" if answered else None, "R_b_a": None, "direction_b_a": None,
        "rotation_error_deg": error, "translation_error_deg": error, "translation_error_sign_blind_deg": error,
        "normalised_error": chosen["normalised_error"] if answered else None,
        "confidence": chosen["confidence"] if answered else None,
        "overlap": float(rng.uniform(0.0, 0.9)), "overlap_a": 0.5, "overlap_b": 0.5,
        "inliers": int(rng.integers(0, 800)), "frames_used": 3 if frames else 0, "frames": [image0] * 3 if frames else [],
        "matches": {"count": 200, "pixels0": [[3.0, 4.0], [60.0, 40.0]], "pixels1": [[5.0, 4.0], [62.0, 40.0]]},
        "candidates": [*others, chosen], "stage_seconds": {"overlap": 0.4, **({"clips": 0.8} if frames else {})},
        "seconds": 1.25,
    }  # fmt: skip


def write_run(
    folder: Path, pairs: int = 40, images: int = 6, name: str = "made up", protocol: str = "", seed: int = 0
) -> Path:
    """Make the folder of a run, with its images in ``images`` beside it."""
    rng = np.random.default_rng(seed)
    pictures = folder.parent / "images <b>"
    pictures.mkdir(parents=True, exist_ok=True)
    files = []
    for number in range(images):
        file = pictures / (HOSTILE if number == 1 else f"image{number}.jpg")
        coarse = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
        encoded = cv2.imencode(".jpg", cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC))[1]
        file.write_bytes(encoded.tobytes())
        files.append(str(file))
    rows = [row(k, files[k % images], files[(k + 1 + k // images) % images], rng) for k in range(pairs)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    (folder / "summary.json").write_text(
        json.dumps(summarise(rows, PUBLISH_CONFIDENCE, bootstrap_draws=50)), encoding="utf-8"
    )
    record = {
        "format": 1, "pairs": {"file": "pairs.json", "name": name, "protocol": protocol, "count": pairs, "sha256": "00"},
        "settings": {"estimators": ["features"], "interpolators": ["recorded"]}, "seeds": {"bootstrap": 0},
        "config": {},
        "sessions": [{"date": "2026-01-02T03:04:05+00:00", "machine": {"processor": "a <script>"}, "versions": {}}],
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return folder
