"""Quality of service of services, for the node and for those who call it."""

from rclpy.qos import QoSProfile

SERVICE_QUALITY = QoSProfile(depth=200)
"""Reliable. All clients of a service share its topic of answers: with ROS's usual history of 10, one client that reads
slowly loses its own answer to those of the others."""
