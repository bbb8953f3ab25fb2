"""How far links lead through a clip, and how few questions that takes."""

from __future__ import annotations

import pytest

from interpose_ros.matching.connection import connect


class Links:
    """Views on a line at given places; links between those at most ``reach`` apart. None is a view of something else."""

    def __init__(self, places: list[float | None], reach: float) -> None:
        self.places, self.reach, self.asked = places, reach, 0

    def __call__(self, i: int, j: int) -> bool:
        assert i < j
        self.asked += 1
        first, second = self.places[i], self.places[j]
        return first is not None and second is not None and abs(first - second) <= self.reach


def test_a_smooth_clip_is_connected_with_about_as_many_questions_as_steps():
    links = Links([float(k) for k in range(82)], 30.0)
    found = connect(82, links)
    assert found.connected
    assert found.left_out == 0
    assert links.asked <= 8


@pytest.mark.parametrize("cut", [1, 20, 41, 81])
def test_a_cut_is_found_with_a_few_questions(cut):
    links = Links([float(k) if k < cut else 1000.0 + k for k in range(82)], 30.0)
    found = connect(82, links)
    assert not found.connected
    assert (found.from_a, found.from_b) == (cut - 1, cut)
    assert links.asked <= 26


def test_a_frozen_clip_ends_at_its_last_frame():
    links = Links([0.0] * 81 + [90.0], 30.0)
    found = connect(82, links)
    assert (found.connected, found.from_a, found.from_b) == (False, 80, 81)


def test_a_foreign_stretch_is_jumped_over():
    places: list[float | None] = [float(k) for k in range(82)]
    places[30:40] = [None] * 10
    found = connect(82, Links(places, 15.0))
    assert found.connected
    assert found.from_a == 29
    assert 40 <= found.from_b <= 44
    assert not set(found.kept) & set(range(30, 40))
    assert found.left_out == found.from_b - 30


def test_a_stretch_too_long_to_jump_ends_it():
    places: list[float | None] = [float(k) for k in range(82)]
    places[30:60] = [None] * 30
    assert not connect(82, Links(places, 15.0)).connected


def test_two_views_alone():
    assert connect(2, Links([0.0, 10.0], 15.0)).connected
    assert not connect(2, Links([0.0, 90.0], 15.0)).connected


def test_both_ways_round_are_connected_alike():
    for stretch in (2, 4, 12):
        places: list[float | None] = [float(k) for k in range(40)]
        places[10 : 10 + stretch] = [None] * stretch
        forward, backward = connect(40, Links(places, 8.0)), connect(40, Links(places[::-1], 8.0))
        assert forward.connected == backward.connected == (stretch < 8)
