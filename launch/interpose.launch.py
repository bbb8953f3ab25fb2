"""Starts the node, configured and active:

    ros2 launch interpose_ros interpose.launch.py image_transport:=compressed keyframe_image:=/front/image
    ros2 launch interpose_ros interpose.launch.py --show-args

An argument that is left empty leaves the parameter file's value, or the topic's name, as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchContext, LaunchDescription

TRUE_FALSE = ["true", "false"]

TOPICS = {
    "keyframe_image": ("keyframe/image", "Keyframes; with image_transport compressed, + /compressed is added."),
    "keyframe_camera_info": ("keyframe/camera_info", "Camera info of the keyframes."),
    "image": ("image", "Camera stream: frames in between, or keyframes too with keyframe_source: stream."),
    "camera_info": ("camera_info", "Camera info of the stream."),
    "odom": ("odom", "Odometry, for metric lengths."),
    "depth": ("depth", "Depth images registered to the keyframes' camera, for metric lengths."),
    "tf": ("/tf", "For several robots in one domain: tf, relative to the namespace."),
    "tf_static": ("/tf_static", "The same of /tf_static."),
}
"""Argument: the node's own name of the topic, and a sentence."""

CHOICES = {
    "image_transport": (["raw", "compressed"], ["image_transport"], "sensor_msgs/Image or CompressedImage."),
    "publish_tf": (TRUE_FALSE, ["publish_tf"], "Send accepted edges on /tf."),
}
"""Argument: what is allowed, the parameters that it sets, and a sentence."""

TEXTS = {
    "device": (
        ["features.device", "dust3r.device", "video.runtime.device"],
        "Torch device of all networks: cpu, cuda, cuda:1 ...",
    ),
    "preset": (["video.preset"], "Model that makes frames in between; `interpose models` lists them."),
}
"""Argument: the parameters that it sets, and a sentence."""


def generate_launch_description() -> LaunchDescription:
    """The node, its parameter file, and the arguments that are changed most often."""
    share = Path(get_package_share_directory("interpose_ros"))
    arguments = [
        DeclareLaunchArgument(
            "params_file",
            default_value=str(share / "config" / "interpose.yaml"),
            description="Parameters of the node; docs/parameters.md lists them.",
        ),
        DeclareLaunchArgument("namespace", default_value="", description="Of the node and its topics."),
        DeclareLaunchArgument("use_sim_time", default_value="false", choices=TRUE_FALSE, description="Follow /clock."),
        DeclareLaunchArgument(
            "autostart",
            default_value="true",
            choices=TRUE_FALSE,
            description="Configure and activate; false leaves that to a lifecycle manager.",
        ),
        DeclareLaunchArgument(
            "log_level", default_value="info", description="debug, info, warn, error or fatal; of this node alone."
        ),
        DeclareLaunchArgument("rviz", default_value="false", choices=TRUE_FALSE, description="Start RViz, too."),
        *(
            DeclareLaunchArgument(name, default_value="", choices=["", *allowed], description=text)
            for name, (allowed, _, text) in CHOICES.items()
        ),
        *(DeclareLaunchArgument(name, default_value="", description=text) for name, (_, text) in TEXTS.items()),
        *(DeclareLaunchArgument(name, default_value="", description=text) for name, (_, text) in TOPICS.items()),
    ]
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["-d", str(share / "config" / "interpose.rviz")],
        condition=IfCondition(LaunchConfiguration("rviz")),
        output="screen",
    )
    return LaunchDescription([*arguments, OpaqueFunction(function=_node), rviz])


def _node(context: LaunchContext) -> list[LifecycleNode]:
    """The node, with what is not empty."""

    def given(name: str) -> str:
        return str(LaunchConfiguration(name).perform(context))

    values: dict[str, Any] = {
        name: ParameterValue(LaunchConfiguration(name), value_type=bool) for name in ("use_sim_time", "autostart")
    }
    for name, (allowed, parameters, _) in CHOICES.items():
        if given(name):
            values |= dict.fromkeys(parameters, given(name) == "true" if allowed == TRUE_FALSE else given(name))
    for name, (parameters, _) in TEXTS.items():
        if given(name):
            values |= dict.fromkeys(parameters, given(name))
    node = LifecycleNode(
        package="interpose_ros",
        executable="interpose_node",
        name="interpose",
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("params_file"), values],
        remappings=[(own, given(name)) for name, (own, _) in TOPICS.items() if given(name)],
        arguments=["--ros-args", "--log-level", f"interpose:={given('log_level')}"],
        output="screen",
    )
    return [node]
