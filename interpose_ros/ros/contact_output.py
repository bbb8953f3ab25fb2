"""What the contact service shows of refined bodies: frames of REP 155 and markers."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point, TransformStamped
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from interpose_ros.contact.body_model import landmarks, mesh
from interpose_ros.contact.refine import EstimatedPerson
from interpose_ros.contact.rig import BodyParameters
from interpose_ros.geometry.se3 import quaternion_xyzw_from_rotation

_COLOURS = ((0.24, 0.55, 0.77), (0.86, 0.43, 0.27))


def body_transform(person: EstimatedPerson, body: BodyParameters, name: str, header: Header) -> TransformStamped:
    """Frame ``body_<id>``: at the middle of the hips, x forward, z to the head (REP 155)."""
    left_hip, right_hip, neck = landmarks(person.model, body, ("left_hip", "right_hip", "neck"))[0].numpy()
    origin = 0.5 * (left_hip + right_hip)
    z = neck - origin
    z /= np.linalg.norm(z)
    y = left_hip - right_hip
    y -= (y @ z) * z
    y /= np.linalg.norm(y)
    R_camera_body = np.stack([np.cross(y, z), y, z], axis=1)
    transform = TransformStamped(header=header, child_frame_id=f"body_{name}")
    transform.transform.translation.x, transform.transform.translation.y, transform.transform.translation.z = (
        origin.tolist()
    )
    q = quaternion_xyzw_from_rotation(R_camera_body)
    rotation = transform.transform.rotation
    rotation.x, rotation.y, rotation.z, rotation.w = q.tolist()
    return transform


def body_markers(people: list[EstimatedPerson], bodies: list[BodyParameters], header: Header) -> MarkerArray:
    """The coarse meshes of the bodies."""
    markers = MarkerArray()
    for number, (person, body) in enumerate(zip(people, bodies, strict=True)):
        vertices = mesh(person.model, body).vertices[0][person.model.hull_vertices].numpy()
        corners = vertices[person.model.hull_faces.numpy()].reshape(-1, 3).tolist()
        marker = Marker(header=header, ns="bodies", id=number, type=Marker.TRIANGLE_LIST, action=Marker.ADD)
        marker.scale.x = marker.scale.y = marker.scale.z = 1.0
        marker.pose.orientation.w = 1.0
        r, g, b = _COLOURS[number]
        marker.color = ColorRGBA(r=r, g=g, b=b, a=0.9)
        marker.points = [Point(x=x, y=y, z=z) for x, y, z in corners]
        markers.markers.append(marker)
    return markers
