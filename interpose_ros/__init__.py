"""Relative pose between two images that hardly overlap, for ROS 2 and without it."""

# The generated messages (interpose_ros.msg, .srv, .action) live in another folder than this source when the package
# is used from its repository; joining the folders lets both be imported together.
__path__ = __import__("pkgutil").extend_path(__path__, __name__)

__version__ = "0.1.0"
