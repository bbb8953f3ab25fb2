"""The online way: a node, a player and the evaluator as processes of their own, and answers as rows."""

import json
import os
import runpy
import signal
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from interpose_ros.evaluation.summary import summarise
from interpose_ros.evaluation.trajectory import read_tum_trajectory
from interpose_ros.geometry.se3 import inverse, inverse_pose_covariance, quaternion_xyzw_from_rotation, rotation_exp
from interpose_ros.msg import CandidateScore, RelativePose, StageTime
from interpose_ros.ros.demo_domain import own_domain
from interpose_ros.ros.demo_run import NODE
from interpose_ros.ros.replay_rows import row_of_message

from . import bags

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGES = 4


def moved(rotation_error=0.0, direction_error=0.0):
    """A message that is off by so many radians, and the true ``T_b_a``."""
    T_b_a = inverse(bags.T_world_camera(bags.BEGIN + 10**9)) @ bags.T_world_camera(bags.BEGIN)
    T_a_b = inverse(T_b_a)
    message = RelativePose(status=RelativePose.STATUS_OK, branch=RelativePose.BRANCH_FRAMES, estimator="features")
    message.interpolator, message.calibration_id = "recorded", "test"
    R_a_b = T_a_b[:3, :3] @ rotation_exp(np.array([0.0, rotation_error, 0.0])).T
    q, p = message.pose.pose.orientation, message.pose.pose.position
    q.x, q.y, q.z, q.w = map(float, quaternion_xyzw_from_rotation(R_a_b))
    p.x = p.y = p.z = float("nan")
    direction = T_a_b[:3, 3] / np.linalg.norm(T_a_b[:3, 3])
    aside = np.cross(direction, [0.0, 0.0, 1.0])
    direction = np.cos(direction_error) * direction + np.sin(direction_error) * aside / np.linalg.norm(aside)
    message.translation_direction.x, message.translation_direction.y, message.translation_direction.z = (
        direction.tolist()
    )
    message.confidence_5deg = message.confidence_15deg = 0.9
    covariance_b_a = np.diag([9999.0] * 3 + [1.0, 0.01**2, 1.0])
    T_b_a_said = np.eye(4)
    T_b_a_said[:3, :3] = R_a_b.T
    message.pose.covariance = inverse_pose_covariance(T_b_a_said, covariance_b_a).ravel().tolist()
    return message, T_b_a


def test_rows_of_messages_have_the_errors_of_their_poses():
    message, T_b_a = moved(rotation_error=0.03, direction_error=0.2)
    chosen = CandidateScore(estimator="features", interpolator="recorded", estimated=True, selected=True, frame_count=3)
    chosen.orientation, chosen.translation_direction = message.pose.pose.orientation, message.translation_direction
    chosen.confidence_5deg = 0.9
    message.candidates = [CandidateScore(estimator="matches", reason="too few"), chosen]
    message.stage_times = [StageTime(stage="overlap", seconds=0.5)]
    message.seconds = 1.5
    row = row_of_message(0, message, (Path("a.png"), Path("b.png")), "drive", T_b_a)
    assert row["rotation_error_deg"] == pytest.approx(np.degrees(0.03))
    # The direction is turned with the rotation's error, so it is off by what both make together.
    assert row["translation_error_deg"] == pytest.approx(np.degrees(0.2), abs=2.0)
    assert row["normalised_error"]["rotation"] == pytest.approx(3.0, rel=1e-3)
    assert (row["branch"], row["estimator"], row["interpolator"], row["frames_used"]) == (
        "frames",
        "features",
        "recorded",
        3,
    )
    assert [c["status"] for c in row["candidates"]] == ["inconsistent", "ok"]
    summary = summarise([row], 0.8, 10)
    assert (summary["answered"], summary["confidence"]["n"], summary["seconds_per_pair"]) == (1, 1, 1.5)
    assert json.dumps(row, allow_nan=False)


def test_rows_of_refusals_hold_no_pose():
    message, T_b_a = moved()
    message.status, message.reason = RelativePose.STATUS_REFUSED_NO_OVERLAP, "nothing in common"
    row = row_of_message(0, message, (Path("a.png"), Path("b.png")), "drive", T_b_a)
    assert (row["status"], row["reason"], row["answered"]) == ("no_overlap", "nothing in common", False)
    assert row["R_b_a"] is row["rotation_error_deg"] is row["confidence"] is None


def test_an_exact_answer_has_no_error():
    row = row_of_message(0, moved()[0], (Path("a.png"), Path("b.png")), "drive", moved()[1])
    assert row["rotation_error_deg"] < 1e-5
    assert row["translation_error_deg"] < 1e-5


def test_a_played_bag_is_evaluated_and_ends_by_itself(tmp_path):
    maker = bags.BagMaker()
    maker.add_images(stamps=bags.image_stamps()[:IMAGES])
    maker.add_truth("PoseStamped", stamps=range(bags.BEGIN - 10**8, bags.BEGIN + 10**9, 2 * bags.TRUTH_PERIOD))
    bag, out = maker.write(tmp_path / "drive"), tmp_path / "out"
    settings = {
        "autostart": "true",
        "keyframe_source": "stream",
        "keyframe_period": 0.1,
        "pair_choice": "window",
        "pair_window": 2,
        "features.second_opinion": "false",
    }
    parameters = [part for name, value in settings.items() for part in ("-p", f"{name}:={value}")]
    remaps = ["-r", "image:=/front/image_raw", "-r", "camera_info:=/front/camera_info"]
    with own_domain():
        node = subprocess.Popen([*NODE, "--ros-args", *parameters, *remaps])
        evaluator = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "interpose_ros.ros.replay_evaluator",
                str(bag),
                "--out",
                str(out),
                "--patience",
                "60",
            ]
        )
        try:
            player = [sys.executable, "-m", "interpose_ros.ros.bag_player", str(bag), "--quiet"]
            assert subprocess.run(player, timeout=60, check=False).returncode == 0
            assert evaluator.wait(80) == 0
        finally:
            for process in (node, evaluator):
                if process.poll() is None:
                    os.kill(process.pid, signal.SIGINT)
                    process.wait(20)
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 2 * IMAGES - 3
    assert {row["status"] for row in rows} == {"no_overlap"}, "noise is no place"
    assert all(Path(row[name]).is_file() for row in rows for name in ("image0", "image1"))
    assert json.loads((out / "summary.json").read_text())["refused"] == len(rows)
    assert len(read_tum_trajectory(out / "truth.tum").stamps_ns) == IMAGES
    assert (out / "report.html").is_file()


class Recorded:
    """Stands where ``launch`` is not installed: keeps what it was made of."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs


class Configured(Recorded):
    """``LaunchConfiguration``: looks a name up in the arguments that were given."""

    def perform(self, context):
        return context[self.args[0]]


@pytest.fixture
def launched(monkeypatch):
    """The arguments of replay.launch.py, and its actions for given ones, made without ``launch``."""
    names = {
        "launch": ["Action", "LaunchContext", "LaunchDescription"],
        "launch.actions": [
            *["DeclareLaunchArgument", "ExecuteProcess", "OpaqueFunction", "RegisterEventHandler", "Shutdown"]
        ],
        "launch.event_handlers": ["OnProcessExit"],
        "launch.substitutions": ["LaunchConfiguration"],
        "launch_ros": [],
        "launch_ros.actions": ["LifecycleNode"],
    }
    for module_name, classes in names.items():
        module = types.ModuleType(module_name)
        for name in classes:
            setattr(module, name, type(name, (Configured if name == "LaunchConfiguration" else Recorded,), {}))
        monkeypatch.setitem(sys.modules, module_name, module)
    (entities,) = runpy.run_path(str(REPOSITORY / "launch/replay.launch.py"))["generate_launch_description"]().args
    *arguments, function = entities

    def actions(**given):
        defaults = {a.args[0]: a.kwargs.get("default_value") for a in arguments}
        return function.kwargs["function"]({**defaults, **given})

    return {a.args[0]: a.kwargs for a in arguments}, actions


def test_launch_file_starts_what_exists_and_ends_with_the_evaluator(launched):
    arguments, actions = launched
    assert [name for name, argument in arguments.items() if "default_value" not in argument] == ["bag", "image"]
    made = actions(bag="x.mcap", image="/front/image", evaluator_args="--truth '/odom'", namespace="robot1")
    watched, (node, evaluator, player) = made[:3], made[3:]
    assert (REPOSITORY / "scripts" / node.kwargs["executable"]).is_file()
    assert ("image", "/front/image") in node.kwargs["remappings"]
    assert node.kwargs["parameters"][1]["keyframe_source"] == "stream"
    command = evaluator.kwargs["cmd"]
    assert command[1:4] == ["-m", "interpose_ros.ros.replay_evaluator", "x.mcap"]
    assert command[command.index("--node") + 1] == "/robot1/interpose"
    assert command[command.index("--image-topic") + 1] == "/front/image/compressed"
    assert command[-2:] == ["--truth", "/odom"]
    assert player.kwargs["cmd"][2:4] == ["interpose_ros.ros.bag_player", "x.mcap"]
    ends = {id(h.args[0].kwargs["target_action"]): h.args[0].kwargs["on_exit"] for h in watched}
    exited = lambda process, status: types.SimpleNamespace(action=process, returncode=status)  # noqa: E731
    goes_on, ending = (types.SimpleNamespace(is_shutdown=value) for value in (False, True))
    assert ends[id(player)](exited(player, 0), goes_on) == []
    for process, status in ((player, 1), (evaluator, 0), (node, 1)):
        (shutdown,) = ends[id(process)](exited(process, status), goes_on)
        assert type(shutdown).__name__ == "Shutdown"
        assert ends[id(process)](exited(process, status), ending) == []
