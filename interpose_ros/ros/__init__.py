"""The ROS 2 side: node, conversions, parameters. Nothing outside this folder imports rclpy or a message."""
