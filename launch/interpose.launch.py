"""Starts the node, configured and active: ``ros2 launch interpose_ros interpose.launch.py image_transport:=compressed``."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """The node, its parameter file, and the arguments that are changed most often."""
    share = Path(get_package_share_directory("interpose_ros"))
    true_or_false = ["true", "false"]
    arguments = [
        DeclareLaunchArgument(
            "params_file",
            default_value=str(share / "config" / "interpose.yaml"),
            description="Parameters of the node; docs/parameters.md lists them.",
        ),
        DeclareLaunchArgument("namespace", default_value="", description="Of the node and its topics."),
        DeclareLaunchArgument(
            "image_transport",
            default_value="raw",
            choices=["raw", "compressed"],
            description="Whether images come as sensor_msgs/Image or as CompressedImage.",
        ),
        DeclareLaunchArgument(
            "use_sim_time", default_value="false", choices=true_or_false, description="Follow /clock."
        ),
        DeclareLaunchArgument(
            "autostart",
            default_value="true",
            choices=true_or_false,
            description="Configure and activate; false leaves that to a lifecycle manager.",
        ),
    ]
    node = LifecycleNode(
        package="interpose_ros",
        executable="interpose_node",
        name="interpose",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            LaunchConfiguration("params_file"),
            {
                "image_transport": LaunchConfiguration("image_transport"),
                "use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool),
                "autostart": ParameterValue(LaunchConfiguration("autostart"), value_type=bool),
            },
        ],
        output="screen",
    )
    return LaunchDescription([*arguments, node])
