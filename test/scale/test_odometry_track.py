"""What is kept of odometry, and where it says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from interpose_ros.odometry import NoScale, OdometryConfig, OdometryTrack

MS = 10**6
SECOND = 10**9


def at(x, y=0.0, z=0.0):
    T_odom_base = np.eye(4)
    T_odom_base[:3, 3] = x, y, z
    return T_odom_base


def track(**settings):
    return OdometryTrack(OdometryConfig(**settings))


def drive(found, seconds=2.0, period_ms=20, speed=1.0):
    for stamp_ms in range(0, int(seconds * 1000) + 1, period_ms):
        found.add(SECOND + stamp_ms * MS, at(speed * stamp_ms / 1000))
    return found


def test_motion_is_interpolated_and_has_a_sign():
    found = drive(track())
    forward = found.motion(SECOND + 13 * MS, SECOND + 1501 * MS)
    assert forward.displacement == pytest.approx([1.488, 0, 0])
    assert forward.travelled == pytest.approx(1.488)
    backward = found.motion(SECOND + 1501 * MS, SECOND + 13 * MS)
    assert backward.displacement == pytest.approx([-1.488, 0, 0])
    assert backward.travelled == pytest.approx(1.488)


def test_way_there_and_back_is_travelled_without_displacement():
    found = track()
    for n in range(101):
        angle = 2 * np.pi * n / 100
        found.add(n * 20 * MS, at(np.cos(angle), np.sin(angle)))
    motion = found.motion(0, 2 * SECOND)
    assert np.linalg.norm(motion.displacement) < 1e-9
    assert motion.travelled == pytest.approx(2 * np.pi, rel=0.02)


@pytest.mark.parametrize(
    ("stamp_a", "stamp_b", "word"),
    [
        (SECOND - 1, 2 * SECOND, "begins at 1.000 s"),
        (SECOND, 4 * SECOND, "ends at 3.000 s"),
    ],
)
def test_outside_of_what_was_heard_there_is_none(stamp_a, stamp_b, word):
    for stamps in ((stamp_a, stamp_b), (stamp_b, stamp_a)):
        refused = drive(track()).motion(*stamps)
        assert isinstance(refused, NoScale)
        assert word in refused.text


def test_a_gap_around_an_image_is_named():
    found = track(max_gap=0.2)
    for stamp_ms in (0, 100, 200, 700, 800):
        found.add(stamp_ms * MS, at(0.0))
    assert "gap of 0.500 s" in found.motion(0, 400 * MS).text
    assert not isinstance(found.motion(50 * MS, 750 * MS), NoScale), "a gap elsewhere does no harm"


def test_nothing_heard():
    assert "no odometry" in track().motion(1, 2).text


def test_bounded_in_time_and_count():
    found = drive(track(history=1.0))
    assert len(found) == 51
    assert isinstance(found.motion(SECOND, 3 * SECOND), NoScale)
    assert len(drive(track(max_samples=10))) == 10


def test_fast_odometry_is_thinned():
    assert len(drive(track(), period_ms=1)) == 201


def test_time_going_back_and_jumps_begin_anew():
    found = drive(track())
    found.add(2 * SECOND, at(0.0))
    assert len(found) == 1
    found = drive(track())
    found.add(3 * SECOND + 20 * MS, at(-5.0))
    assert len(found) == 1
    assert isinstance(found.motion(SECOND, 2 * SECOND), NoScale)


def test_an_overtaken_message_is_left_out():
    found = drive(track())
    found.add(3 * SECOND - 50 * MS, at(0.0))
    assert found.newest_ns == 3 * SECOND
    assert len(found) == 101


def test_what_is_not_finite_is_refused():
    found = drive(track())
    with pytest.raises(ValueError, match="not a finite rigid"):
        found.add(4 * SECOND, at(np.nan))
    with pytest.raises(ValueError, match="not a finite rigid"):
        found.add(4 * SECOND, np.zeros((4, 4)))
    assert len(found) == 101


def test_orientation_turns_evenly_between_messages():
    found = track()
    turned = at(1.0)
    turned[:2, :2] = [[0, -1], [1, 0]]
    found.add(0, at(0.0))
    found.add(100 * MS, turned)
    between = found.motion(0, 50 * MS).T_odom_base_b
    assert between[:2, 0] == pytest.approx([np.sqrt(0.5), np.sqrt(0.5)])
    assert between[:3, 3] == pytest.approx([0.5, 0, 0])


@pytest.mark.parametrize(
    ("before", "after", "grown"),
    [
        (0.01, 0.05, 0.04),
        (0.05, 0.01, 0.0),  # a filter that became more certain
        (0.0, 1e6, 0.0),  # "not known"
        (0.0, -1.0, 0.0),
        (0.0, np.nan, 0.0),
    ],
)
def test_reported_covariance_counts_by_its_growth(before, after, grown):
    found = track()
    found.add(0, at(0.0), before * np.eye(3))
    found.add(SECOND, at(1.0), after * np.eye(3))
    assert found.motion(0, SECOND).covariance == pytest.approx(grown * np.eye(3))
