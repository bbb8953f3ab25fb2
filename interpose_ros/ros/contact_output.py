"""What the contact service shows of refined bodies: frames of REP 155 and markers."""

from __future__ import annotations

from collections.abc import Sequence

from geometry_msgs.msg import Point, TransformStamped
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from interpose_ros.contact.result import RefinedBody
from interpose_ros.geometry.se3 import quaternion_xyzw_from_rotation

_COLOURS = ((0.24, 0.55, 0.77), (0.86, 0.43, 0.27))


def body_transform(body: RefinedBody, name: str, header: Header) -> TransformStamped:
    """Frame ``body_<id>``: at the middle of the hips, x forward, z to the head (REP 155)."""
    message = TransformStamped(header=header, child_frame_id=f"body_{name}")
    transform = message.transform
    position = transform.translation
    position.x, position.y, position.z = body.T_camera_body[:3, 3].tolist()
    rotation = transform.rotation
    q = quaternion_xyzw_from_rotation(body.T_camera_body[:3, :3])
    rotation.x, rotation.y, rotation.z, rotation.w = q.tolist()
    return message


def body_markers(bodies: Sequence[RefinedBody], header: Header) -> MarkerArray:
    """The coarse meshes of the bodies."""
    markers = MarkerArray()
    for number, body in enumerate(bodies):
        marker = Marker(header=header, ns="bodies", id=number, type=Marker.TRIANGLE_LIST, action=Marker.ADD)
        marker.scale.x = marker.scale.y = marker.scale.z = 1.0
        marker.pose.orientation.w = 1.0
        r, g, b = _COLOURS[number]
        marker.color = ColorRGBA(r=r, g=g, b=b, a=0.9)
        marker.points = [Point(x=x, y=y, z=z) for x, y, z in body.triangles.reshape(-1, 3).tolist()]
        markers.markers.append(marker)
    return markers
