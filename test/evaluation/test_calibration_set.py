"""The calibration set's frames in between lie where they should, and the tables say what the rows hold."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interpose_ros.geometry.camera import Camera
from interpose_ros.selection.confidence import Calibration, LogisticModel

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
    found = [pair for pair in making._with_unrelated(scenes, 0.75, rng) if pair.first.scene != pair.second.scene]
    assert len(found) > 5
    streams = making._cut_streams(scenes, rng)
    assert len(streams) == making.CUT_STREAMS
    assert all(pair.first.scene != pair.second.scene for pair in streams)
    for pair in found + streams:
        leaving, arriving = pair.frames
        assert (leaving.scene, arriving.scene) == (pair.first.scene, pair.second.scene)
        assert leaving is not pair.first
        assert arriving is not pair.second
        entry = making._entry(pair)
        assert entry["related"] is False
        assert entry["frames"] == [leaving.image, arriving.image]


def test_the_table_of_other_scenes_applies_the_calibration_and_compares_with_the_share_known_beforehand():
    tables = tool("confidence_tables")
    model = LogisticModel(0.0, {"inliers": 1.0})
    calibration = Calibration("c", "matches", "matches", "h", model, model, model, "d", 1.0, 1.0)
    surely, hardly = 20.0, -20.0  # so that the probabilities are 1 and 0
    rows = [
        {
            "branch": "matches", "estimator": "matches", "model_hash": "h", "scene": f"s{k}", "look_alike": "",
            "image0": f"a{k}", "image1": f"b{k}", "related": True, "rotation_error_deg": error, "direction_error_deg": None,
            "rotation_normalised": None, "direction_normalised": None, "evidence": {"inliers": logit, "coverage": 0.5},
        }
        for k, (logit, error) in enumerate([(surely, 1.0)] * 7 + [(surely, 20.0)] + [(hardly, 90.0)] * 2)
    ]  # fmt: skip
    judged = {"matches": {"rotation_5deg": {"count": 4, "right": 2}}}
    lines = tables.on_others({("matches", "matches"): calibration}, judged, rows).splitlines()
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    # One of ten is wrong with probability 1; the constant is a half, whose squared error is a quarter everywhere.
    assert cells[:3] == ["XFeat, LighterGlue", "10", "0.100 (0.250)"]
    assert cells[-1].startswith("8, 1 (12.50 %), ")
    with pytest.raises(SystemExit, match="another model"):
        tables.on_others({("matches", "matches"): replace(calibration, model_hash="g")}, judged, rows)


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
