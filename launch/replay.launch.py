"""Plays a bag to the node and compares its answers with the truth in the bag; ends with the bag:

    ros2 launch interpose_ros replay.launch.py bag:=drive.mcap image:=/front/image out:=results
    ros2 launch interpose_ros replay.launch.py --show-args

The images become keyframes by time. `interpose replay` does the same without ROS, and lets more be chosen.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, RegisterEventHandler, Shutdown
from launch.event_handlers import OnProcessExit
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode

from launch import Action, LaunchContext, LaunchDescription

NODE = "interpose"

TEXTS = {
    "bag": (None, "rosbag2 folder, MCAP or sqlite3."),
    "image": (None, "Topic of the images in the bag, without /compressed."),
    "camera_info": ("", "Topic of their calibration; empty: camera_info beside the images."),
    "out": ("replay", "Folder for run.json, rows.jsonl and summary.json; must hold no run."),
    "odom": ("", "Topic of odometry in the bag, for metric lengths; empty: none."),
    "rate": ("1.0", "Times the recorded speed."),
    "keyframe_period": ("1.0", "Seconds between keyframes."),
    "pair_window": ("8", "Every keyframe is paired with so many before it."),
    "evaluator_args": ("", "More for the evaluator, such as '--truth /odom'; its --help lists them."),
    "player_args": ("", "More for the player, such as '--exclude-topics /lidar'; its --help lists them."),
    "namespace": ("", "Of the node."),
}
"""Argument: default (None: it must be given), and a sentence."""


def generate_launch_description() -> LaunchDescription:
    """The node, the player and the evaluator."""
    share = Path(get_package_share_directory("interpose_ros"))
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, description=text, **({} if default is None else {"default_value": default}))
                for name, (default, text) in TEXTS.items()
            ),
            DeclareLaunchArgument(
                "image_transport",
                default_value="compressed",
                choices=["raw", "compressed"],
                description="How the images were recorded.",
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=str(share / "config" / "interpose.yaml"),
                description="Parameters of the node; docs/parameters.md lists them.",
            ),
            OpaqueFunction(function=_actions),
        ]
    )


def _actions(context: LaunchContext) -> list[Action]:
    def given(name: str) -> str:
        return str(LaunchConfiguration(name).perform(context))

    image = given("image")
    camera_info = given("camera_info") or image.rpartition("/")[0] + "/camera_info"
    compressed = given("image_transport") == "compressed"
    node = LifecycleNode(
        package="interpose_ros",
        executable="interpose_node",
        name=NODE,
        namespace=given("namespace"),
        parameters=[
            given("params_file"),
            {
                "use_sim_time": True,
                "autostart": True,
                "image_transport": given("image_transport"),
                "keyframe_source": "stream",
                "keyframe_period": float(given("keyframe_period")),
                "pair_choice": "window",
                "pair_window": int(given("pair_window")),
            },
        ],
        remappings=[
            ("image", image),
            ("camera_info", camera_info),
            *([("odom", given("odom"))] if given("odom") else []),
        ],
        output="screen",
    )
    name = "/".join(["", *filter(None, [given("namespace").strip("/"), NODE])])
    played = f"{image}/compressed" if compressed else image
    evaluator = ExecuteProcess(
        cmd=[
            *[sys.executable, "-m", "interpose_ros.ros.replay_evaluator", given("bag"), "--out", given("out")],
            *["--node", name, "--image-topic", played, "--camera-info", camera_info],
            *shlex.split(given("evaluator_args")),
        ],
        output="screen",
    )
    player = ExecuteProcess(
        cmd=[
            *[sys.executable, "-m", "interpose_ros.ros.bag_player", given("bag"), "--rate", given("rate")],
            *["--clock", "100", "--quiet", *shlex.split(given("player_args"))],
        ],
        output="screen",
    )

    def end(event: object, context: LaunchContext) -> list[Action]:
        """The evaluator ends when there is nothing more to come; whatever else ends with an error ends it all."""
        process, status = event.action, event.returncode  # type: ignore[attr-defined]
        if context.is_shutdown or (process is player and status == 0):  # a second shutdown is an error of launch
            return []
        what = {id(evaluator): "the evaluator", id(player): "the player"}.get(id(process), "the node")
        return [Shutdown(reason=f"{what} has ended with status {status}")]

    watched = [RegisterEventHandler(OnProcessExit(target_action=p, on_exit=end)) for p in (node, evaluator, player)]
    return [*watched, node, evaluator, player]
