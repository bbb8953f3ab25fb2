"""The whole pipeline with the real networks, on a rendered room with known poses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import scene

from interpose_ros.answer import Branch
from interpose_ros.cli import main
from interpose_ros.config import InterposeConfig
from interpose_ros.exit_status import EXIT_FAILED, EXIT_OK, EXIT_REFUSED
from interpose_ros.geometry.distances import direction_distance, rotation_distance
from interpose_ros.geometry.se3 import inverse
from interpose_ros.interpolation.clip import LazyView
from interpose_ros.interpolation.recorded import ListedFramesInterpolator, RecordedInterpolator
from interpose_ros.pipeline import InterposePipeline
from interpose_ros.refusal import RefusalReason


@pytest.fixture(scope="module")
def pipeline() -> InterposePipeline:
    return InterposePipeline.from_config(InterposeConfig())


@pytest.fixture(scope="module")
def arc():
    return scene.path(9, turn_deg=80.0, radius=1.2)


def lazy(views):
    return [LazyView(view.keyframe_id, lambda view=view: view) for view, _ in views]


def T_b_a(a, b):
    return inverse(b[1]) @ a[1]


def test_overlapping_keyframes_are_answered_from_matches(pipeline, arc):
    answer = pipeline.estimate(arc[0][0], arc[1][0])
    truth = T_b_a(arc[0], arc[1])
    assert answer.branch is Branch.MATCHES
    assert np.degrees(rotation_distance(answer.estimate.R_b_a, truth[:3, :3])) < 1.0
    assert np.degrees(direction_distance(answer.estimate.direction_b_a, truth[:3, 3])) < 10.0
    assert answer.confidence.calibration_id.startswith("matches-")
    assert 0.8 <= answer.confidence.rotation_5deg <= answer.confidence.rotation_15deg <= 1.0
    assert [candidate.estimator for candidate in answer.candidates] == ["matches"]  # no second opinion was needed


@pytest.mark.timeout(300)
def test_wide_pair_is_refused_alone_and_answered_with_frames(pipeline, arc):
    first, last = arc[0], arc[-1]
    alone = pipeline.estimate(first[0], last[0])
    assert alone.estimate is None
    assert alone.refusal is not None
    with_frames = pipeline.estimate(first[0], last[0], [ListedFramesInterpolator(lazy(arc[1:-1]))])
    truth = T_b_a(first, last)
    assert with_frames.branch is Branch.FRAMES
    assert np.degrees(rotation_distance(with_frames.estimate.R_b_a, truth[:3, :3])) < 2.0
    assert np.degrees(direction_distance(with_frames.estimate.direction_b_a, truth[:3, 3])) < 5.0
    assert with_frames.frames_used
    assert [c.selected for c in with_frames.candidates].count(True) == 1
    # The structure's points lie on the walls of the room.
    cloud = with_frames.estimate.cloud
    points = cloud.points_a * np.linalg.norm(truth[:3, 3]) @ first[1][:3, :3].T + first[1][:3, 3]
    off_the_walls = np.min(np.abs(np.abs(points) - scene.HALF), axis=1)
    assert len(cloud) > 500
    assert np.median(off_the_walls) < 0.1
    assert cloud.colours.std() > 20


def test_backward_pair_gives_the_inverse(pipeline, arc):
    frames = {view.keyframe_id.stamp_ns: view for view, _ in arc}

    def between(frame_id, first_ns, last_ns):
        return [
            LazyView(view.keyframe_id, lambda view=view: view)
            for stamp, view in sorted(frames.items())
            if first_ns < stamp < last_ns
        ]

    interpolator = RecordedInterpolator(between)
    forward = pipeline.estimate(arc[0][0], arc[-1][0], [interpolator]).estimate
    backward = pipeline.estimate(arc[-1][0], arc[0][0], [interpolator]).estimate
    assert np.degrees(rotation_distance(forward.R_b_a, backward.R_b_a.T)) < 1.0


def test_turning_on_the_spot_has_no_direction(pipeline):
    views = scene.path(7, turn_deg=70.0, radius=0.0)
    near = pipeline.estimate(views[0][0], views[1][0]).estimate
    assert near.direction_b_a is None
    wide = pipeline.estimate(views[0][0], views[-1][0], [ListedFramesInterpolator(lazy(views[1:-1]))]).estimate
    assert np.degrees(rotation_distance(wide.R_b_a, T_b_a(views[0], views[-1])[:3, :3])) < 1.0
    assert wide.direction_b_a is None


def test_cancelling_is_a_refusal(pipeline, arc):
    answer = pipeline.estimate(
        arc[0][0], arc[-1][0], [ListedFramesInterpolator(lazy(arc[1:-1]))], cancelled=lambda: True
    )
    assert answer.refusal.reason is RefusalReason.CANCELLED


def test_images_without_texture_are_refused(pipeline, arc):
    from interpose_ros.views import KeyframeId, View

    blank = View(np.full((480, 640, 3), 90, np.uint8), scene.CAMERA, KeyframeId("camera", 99))
    answer = pipeline.estimate(arc[0][0], blank)
    assert answer.refusal.reason is RefusalReason.NO_OVERLAP
    assert answer.estimate is None


@pytest.mark.timeout(300)
def test_command_line(arc, tmp_path, capsys):
    files = []
    for number, (view, _) in enumerate(arc):
        files.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(files[-1]), view.image[..., ::-1])
    intrinsics = ["--intrinsics", "520", "520", "319.5", "239.5"]
    ends = [str(files[0]), str(files[-1])]
    out = tmp_path / "out" / "answer.json"
    assert main(["estimate", *ends, *intrinsics, "--frames", *map(str, files[1:-1]), "--out", str(out)]) == EXIT_OK
    answer = json.loads(out.read_text())
    assert np.degrees(rotation_distance(np.array(answer["R_b_a"]), T_b_a(arc[0], arc[-1])[:3, :3])) < 2.0
    capsys.readouterr()

    assert main(["estimate", *ends, *intrinsics]) == EXIT_REFUSED
    refused = json.loads(capsys.readouterr().out)
    assert refused["R_b_a"] is None
    assert refused["direction_b_a"] is None
    assert refused["confidence"] is None

    assert main(["estimate", "missing.png", ends[1], *intrinsics]) == EXIT_FAILED
    assert "missing.png does not exist" in capsys.readouterr().err


def test_evaluate_counts_refusals_as_misses(arc, tmp_path, capsys):
    names = []
    for number in (0, 1, 8):
        names.append(f"{number}.png")
        cv2.imwrite(str(tmp_path / names[-1]), arc[number][0].image[..., ::-1])
    pair = {"image0": names[0], "K0": scene.K.tolist(), "K1": scene.K.tolist(), "dist0": None, "dist1": None}
    pairs = [
        {**pair, "image1": names[1], "T_0to1": T_b_a(arc[0], arc[1]).tolist()},
        {**pair, "image1": names[2], "T_0to1": T_b_a(arc[0], arc[8]).tolist()},
        {**pair, "image1": names[2], "related": False},
    ]
    (tmp_path / "pairs.json").write_text(json.dumps({"name": "room", "pairs": pairs}))
    assert main(["evaluate", str(tmp_path / "pairs.json"), "--out", str(tmp_path / "out")]) == EXIT_OK
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["n"], summary["answered"], summary["refused"]) == (3, 1, 1)
    assert summary["recall_deg"]["5"]["rotation"] == 0.5
    assert summary["unrelated"] == {"answered": 0, "of": 1}
    assert len((tmp_path / "out" / "rows.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nonsense", "is not JSON"),
        ("{}", "has no pairs"),
        ('{"pairs": [{"image0": "a"}]}', "pair 0: 'T_0to1' is missing"),
        ('{"pairs": [{"T_0to1": [[1]]}]}', "not a rigid"),
    ],
)
def test_bad_pair_files_are_named(tmp_path, capsys, content, message):
    path = tmp_path / "pairs.json"
    path.write_text(content)
    assert main(["evaluate", str(path), "--out", str(tmp_path / "out")]) == EXIT_FAILED
    error = capsys.readouterr().err
    assert message in error
    assert "pairs.json" in error
