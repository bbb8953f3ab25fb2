"""Rotations over a graph of links, and the strongest path through it."""

from __future__ import annotations

import numpy as np
import pytest

from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.geometry.se3 import rotation_exp
from interpose_ros.matching.features import LocalFeatures
from interpose_ros.matching.matcher import Matches
from interpose_ros.matching.store import VerifiedPair
from interpose_ros.matching.two_view import MotionModel, TwoViewGeometry
from interpose_ros.matching.view_graph import Link, average_rotations, loop_residual, strongest_bridge


def link(i: int, j: int, R_j_i: np.ndarray, strength: int) -> Link:
    features = LocalFeatures(np.zeros((strength, 2)), np.zeros((strength, 64), np.float32), 640, 480)
    matches = Matches(np.stack([np.arange(strength)] * 2, axis=1), np.ones(strength))
    geometry = TwoViewGeometry(
        R_b_a=R_j_i,
        direction_b_a=None,
        model=MotionModel.ROTATION,
        inliers=np.ones(strength, dtype=bool),
        parallax=0.0,
        rotation_covariance=np.eye(3),
        direction_stddev=float("nan"),
        residual_px=1.0,
        scores={},
    )
    made = Link.between(i, j, VerifiedPair(features, features, matches, geometry), min_inliers=8)
    assert made is not None
    return made


@pytest.fixture
def rotations(rng: np.random.Generator) -> np.ndarray:
    R = rotation_exp(rng.normal(size=(6, 3)))
    return R @ R[0].T


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def exact(R: np.ndarray, i: int, j: int, strength: int) -> Link:
    return link(i, j, R[j] @ R[i].T, strength)


def test_exact_links_give_exact_rotations(rotations):
    links = [exact(rotations, i, j, 100) for i in range(6) for j in range(i + 1, min(i + 3, 6))]
    averaged, agreeing = average_rotations(6, links, np.deg2rad(5.0))
    assert len(agreeing) == len(links)
    assert rotation_distance(averaged, rotations).max() < 1e-9
    assert loop_residual(links) < 1e-9


def test_weak_wrong_link_is_dropped_and_does_not_matter(rotations):
    links = [exact(rotations, i, i + 1, 300) for i in range(5)] + [exact(rotations, 0, 2, 200)]
    wrong = link(0, 4, rotation_exp(np.array([0.0, 1.5, 0.0])) @ rotations[4], 50)
    averaged, agreeing = average_rotations(6, [wrong, *links], np.deg2rad(5.0))
    assert wrong not in agreeing
    assert len(agreeing) == len(links)
    assert np.degrees(rotation_distance(averaged, rotations)).max() < 0.5


def test_unreached_views_are_nan(rotations):
    averaged, agreeing = average_rotations(6, [exact(rotations, 0, 1, 50), exact(rotations, 3, 4, 50)], 0.1)
    assert np.isfinite(averaged[:2]).all()
    assert np.isnan(averaged[2:]).all()
    assert [(item.i, item.j) for item in agreeing] == [(0, 1)]


def test_bridge_has_the_strongest_weakest_link(rotations):
    links = [
        exact(rotations, 0, 5, 20),  # direct, weak
        exact(rotations, 0, 1, 90),
        exact(rotations, 1, 5, 40),
        exact(rotations, 1, 2, 80),
        exact(rotations, 2, 5, 70),
    ]
    bridge = strongest_bridge(6, links)
    assert bridge is not None
    assert [(item.i, item.j) for item in bridge.links] == [(0, 1), (1, 2), (2, 5)]
    assert bridge.weakest.strength == 70


def test_no_path_is_none(rotations):
    assert strongest_bridge(6, [exact(rotations, 0, 1, 90), exact(rotations, 2, 5, 90)]) is None


def test_averaging_beats_chaining_under_noise(rotations, rng):
    noisy_error, chained_error = [], []
    for _ in range(20):
        links = []
        for i in range(6):
            for j in range(i + 1, 6):
                noise = rotation_exp(rng.normal(size=3) * np.deg2rad(1.0))
                links.append(link(i, j, noise @ rotations[j] @ rotations[i].T, 100))
        averaged, _ = average_rotations(6, links, np.deg2rad(20.0))
        noisy_error.append(float(rotation_distance(averaged[5], rotations[5])))
        chained = np.eye(3)
        for i in range(5):
            chained = next(item.geometry.R_b_a for item in links if (item.i, item.j) == (i, i + 1)) @ chained
        chained_error.append(float(rotation_distance(chained, rotations[5])))
    # Six views, all linked: the error of a pair falls by sqrt(2 / 6), a chain of five links grows by sqrt(5).
    assert np.mean(noisy_error) < 0.45 * np.mean(chained_error)
