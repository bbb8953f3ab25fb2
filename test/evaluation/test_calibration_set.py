"""The calibration set's frames in between lie where they should, and the tables say what the rows hold."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from interpose_ros.geometry.camera import Camera

TOOLS = Path(__file__).parents[2] / "tools"


def tool(name: str):
    specification = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def making():
    return tool("make_calibration_set")


def pictures(making, scene: str, count: int):
    camera = Camera(np.eye(3), 4, 4)
    return [making.Picture(scene, f"images/{scene}_{number}.jpg", camera, np.eye(4)) for number in range(count)]


def test_frames_lie_between_in_order_and_a_stream_loses_some_but_never_all(making):
    row = pictures(making, "room", 8)
    pairs = making._some(row, 28, np.random.default_rng(0)).pairs
    assert len(pairs) == 28
    kept = offered = 0
    for pair in pairs:
        first, last = row.index(pair.first), row.index(pair.second)
        between = [row.index(frame) for frame in pair.frames]
        assert between == sorted(set(between))
        assert all(first < number < last for number in between)
        assert bool(between) == (last - first > 1)
        kept, offered = kept + len(between), offered + last - first - 1
    # Four in ten are lost, but for the one that is always left: 84 in all.
    assert 0.5 * offered < kept < 0.8 * offered


def test_unrelated_pairs_have_the_frames_of_a_stream_that_was_cut(making):
    rng = np.random.default_rng(1)
    scenes = [making._some(pictures(making, f"room{number}", 5), 10, rng) for number in range(6)]
    found = [pair for pair in making._with_unrelated(scenes, rng) if pair.first.scene != pair.second.scene]
    assert len(found) > 5
    for pair in found:
        leaving, arriving = pair.frames
        assert (leaving.scene, arriving.scene) == (pair.first.scene, pair.second.scene)
        assert leaving is not pair.first
        assert arriving is not pair.second
        entry = making._entry(pair)
        assert entry["related"] is False
        assert entry["frames"] == [leaving.image, arriving.image]


def test_the_table_of_frames_counts_what_became_of_them():
    row = {"branch": "frames", "look_alike": "", "related": True, "evidence": {}, "rotation_error_deg": 4.0}
    rows = [
        row, row | {"rotation_error_deg": 6.0}, row | {"evidence": None}, row | {"branch": "matches"},
        row | {"related": False}, row | {"look_alike": "tiled_facade", "evidence": None},
    ]  # fmt: skip
    assert tool("confidence_tables").frames(rows).splitlines()[2:] == [
        "| of one place | 1 | 1 | 1 |",
        "| of two places, the stream cut | 0 | 0 | 1 |",
        "| look-alikes | 1 | 0 | 0 |",
    ]
