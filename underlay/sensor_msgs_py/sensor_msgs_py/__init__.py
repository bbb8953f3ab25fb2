"""Stand-in for sensor_msgs_py: only point_cloud2, as far as interpose_ros calls it."""
