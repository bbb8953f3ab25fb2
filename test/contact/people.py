"""People to test with: Anny bodies standing before a camera."""

import math

import torch

from interpose_ros.contact.body_model import neutral_body
from interpose_ros.contact.rig import rotation_exp

# Model axes (x left, y backward, z up) to the camera's (x right, y down, z forward) for a person facing the camera.
R_CAMERA_MODEL = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]], dtype=torch.float64)


def standing(model, x, z, turn=0.0):
    """An upright person at (x, z) metres; 0 faces the camera, +90 degrees the camera's right, seen from above."""
    body = neutral_body(model)
    about_down = torch.tensor([0.0, -math.radians(turn), 0.0], dtype=torch.float64)
    body.rotations[0, 0] = rotation_exp(about_down) @ R_CAMERA_MODEL
    body.translation[0] = torch.tensor([x, 0.0, z], dtype=torch.float64)
    return body


def facing_each_other(model, gap=1.0, depth=4.0, second_deeper=0.0):
    """Two people in profile, face to face."""
    return [
        standing(model, -gap / 2, depth, turn=90.0),
        standing(model, gap / 2, depth + second_deeper, turn=-90.0),
    ]
