"""Bodies of a model as plain numbers."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from interpose_ros.contact.body_model import BodyModel, landmarks, mesh
from interpose_ros.contact.result import RefinedBody
from interpose_ros.contact.rig import BodyParameters, rotation_log


def plain_body(model: BodyModel, body: BodyParameters) -> RefinedBody:
    """One body, in the camera's frame, as plain numbers."""
    names, vectors = model.skeleton.names, rotation_log(body.rotations)[0].numpy()
    vertices = mesh(model, body).vertices[0][model.hull_vertices].numpy()
    return RefinedBody(
        model.name,
        body.translation[0].numpy(),
        dict(zip(names, vectors, strict=True)),
        dict(zip(model.shape_space.names, body.shape[0].tolist(), strict=True)),
        frame_of_body(model, body),
        vertices[model.hull_faces.numpy()],
    )


def frame_of_body(model: BodyModel, body: BodyParameters) -> Float[np.ndarray, "4 4"]:
    """``T_camera_body`` by REP 155: the origin at the middle of the hips, x forward, z to the head."""
    left_hip, right_hip, neck = landmarks(model, body, ("left_hip", "right_hip", "neck"))[0].numpy()
    T_camera_body = np.eye(4)
    T_camera_body[:3, 3] = origin = 0.5 * (left_hip + right_hip)
    z = neck - origin
    z /= np.linalg.norm(z)
    y = left_hip - right_hip
    y -= (y @ z) * z
    y /= np.linalg.norm(y)
    T_camera_body[:3, :3] = np.stack([np.cross(y, z), y, z], axis=1)
    return T_camera_body
