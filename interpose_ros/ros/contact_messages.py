"""Between messages of the contact service and the core's requests and answers."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from geometry_msgs.msg import Point, Vector3
from jaxtyping import UInt8

from interpose_ros.contact.body_parts import GROUND
from interpose_ros.contact.config import RefinementConfig
from interpose_ros.contact.constraints import ConstraintOrigin, ContactEnd, ContactReport
from interpose_ros.contact.request import RefineRequest
from interpose_ros.contact.result import ContactCode, ContactResult, RefinedBody
from interpose_ros.geometry.camera import Camera
from interpose_ros.msg import BodyPose, ContactConstraint, StageTime
from interpose_ros.ros.conversions import camera_from_message, image_from_message
from interpose_ros.srv import RefineContactPose

Response = RefineContactPose.Response
_CODES = {
    ContactCode.SUCCESS: Response.CODE_OK,
    ContactCode.DEADLINE: Response.CODE_DEADLINE,
    ContactCode.INVALID_REQUEST: Response.CODE_INVALID_REQUEST,
    ContactCode.UNKNOWN_MODEL: Response.CODE_UNKNOWN_MODEL,
    ContactCode.MODEL_MISSING: Response.CODE_MODEL_MISSING,
    ContactCode.NO_CONSTRAINTS: Response.CODE_NO_CONSTRAINTS,
    ContactCode.LANGUAGE_MODEL: Response.CODE_LANGUAGE_MODEL,
}
_ORIGINS = {
    ConstraintOrigin.REQUEST: ContactConstraint.ORIGIN_REQUEST,
    ConstraintOrigin.LANGUAGE_MODEL: ContactConstraint.ORIGIN_LANGUAGE_MODEL,
    ConstraintOrigin.HEURISTIC: ContactConstraint.ORIGIN_HEURISTIC,
}
_SIDES = {
    ContactConstraint.SIDE_OPEN: None,
    ContactConstraint.SIDE_LEFT: "left",
    ContactConstraint.SIDE_RIGHT: "right",
}
_DEFAULT_MODEL = "anny"


def request_from_message(message: RefineContactPose.Request) -> RefineRequest:
    """The request, checked in form.

    Raises:
        ValueError: lists of unequal length, no frame, numbers that are not finite, a camera that is none.
    """
    if not message.header.frame_id:
        raise ValueError("header.frame_id is empty: it must name the camera's optical frame that the bodies stand in")
    if not np.isfinite(message.deadline) or message.deadline < 0:
        raise ValueError(f"deadline is {message.deadline}: seconds, or 0 for the parameter contact.deadline")
    camera = None
    if any(body.keypoint_names for body in message.bodies):
        camera = camera_from_message(message.camera_info)
    request = {
        "bodies": [_body(body, index, camera) for index, body in enumerate(message.bodies)],
        "contacts": [_contact(contact) for contact in message.constraints],
        "order_open": message.order_open,
        "refinement": RefinementConfig(hold_orientation=message.hold_orientation),
    }
    if camera is not None:
        request["intrinsics"] = [camera.K[0, 0], camera.K[1, 1], camera.K[0, 2], camera.K[1, 2]]
    if message.has_floor:
        floor = [float(value) for value in message.floor]
        request["floor"] = {"normal": floor[:3], "height": floor[3]}
    return RefineRequest.model_validate(request)


def image_of_request(message: RefineContactPose.Request) -> UInt8[np.ndarray, "h w 3"] | None:
    """The image in OpenCV's order of colours; None where the request has none.

    Raises:
        ValueError: it cannot be read.
    """
    if not message.image.data:
        return None
    return cv2.cvtColor(image_from_message(message.image), cv2.COLOR_RGB2BGR)


def response_message(
    result: ContactResult, request: RefineContactPose.Request, seconds: float
) -> RefineContactPose.Response:
    """The response; bodies keep the ids of the request."""
    response = Response(code=_CODES[result.code], message=result.text, seconds=seconds)
    response.stage_times = [StageTime(stage=stage, seconds=s) for stage, s in result.seconds.items()]
    if result.origin is None:
        return response
    response.bodies = [body_message(body, given.id) for body, given in zip(result.bodies, request.bodies, strict=True)]
    origin = _ORIGINS[result.origin]
    response.constraints = [_contact_message(report, origin) for report in result.contacts]
    response.loss_names = list(result.losses_after)
    response.losses_before = [result.losses_before[name] for name in result.losses_after]
    response.losses_after = list(result.losses_after.values())
    return response


def _body(message: BodyPose, index: int, camera: Camera | None) -> dict[str, object]:
    for names, values, width, what in (
        (message.rotation_names, message.rotations, 1, "rotations"),
        (message.shape_names, message.shape, 1, "shape"),
        (message.joint_names, message.joint_positions, 1, "joint_positions"),
        (message.keypoint_names, message.keypoints, 3, "keypoints"),
    ):
        if len(values) != width * len(names):
            raise ValueError(f"body {index}: {len(names)} names, but {len(values)} numbers or vectors in {what}")
        if len(set(names)) != len(names):
            raise ValueError(f"body {index}: a name occurs twice beside {what}")
    result: dict[str, object] = {"model": message.model or _DEFAULT_MODEL}
    if message.has_parameters:
        result["translation"] = _numbers(message.root_position)
        result["rotations"] = dict(zip(message.rotation_names, map(_numbers, message.rotations), strict=True))
        result["shape"] = dict(zip(message.shape_names, map(float, message.shape), strict=True))
    elif message.rotation_names or message.shape_names:
        raise ValueError(f"body {index} has parameters, but has_parameters is false")
    if message.joint_names:
        covariances: list[object] = [None] * len(message.joint_names)
        if message.joint_covariances:
            if len(message.joint_covariances) != 9 * len(message.joint_names):
                raise ValueError(
                    f"body {index}: joint_covariances has {len(message.joint_covariances)} numbers, 9 per joint are meant"
                )
            covariances = list(np.array(message.joint_covariances).reshape(-1, 3, 3).tolist())
        result["joints"] = {
            name: {"position": _numbers(position), "covariance": covariance}
            for name, position, covariance in zip(
                message.joint_names, message.joint_positions, covariances, strict=True
            )
        }
    if message.keypoint_names and camera is not None:
        values = np.array(message.keypoints, dtype=np.float64).reshape(-1, 3)
        if not np.all(np.isfinite(values)):
            raise ValueError(f"body {index}: a key point is not finite")
        # The core knows a camera without distortion.
        points = camera.normalise(values[:, :2])
        pixels = points * np.array([camera.K[0, 0], camera.K[1, 1]]) + camera.K[:2, 2]
        result["keypoints"] = {
            name: [*pixel, confidence]
            for name, pixel, confidence in zip(
                message.keypoint_names, pixels.tolist(), values[:, 2].tolist(), strict=True
            )
        }
    return result


def _contact(message: ContactConstraint) -> dict[str, object]:
    for side in (message.side_a, message.side_b):
        if side not in _SIDES:
            raise ValueError(f"side {side} of a contact: SIDE_OPEN, SIDE_LEFT or SIDE_RIGHT is meant")
    ends = [
        {"body": None if part == GROUND else body, "part": part, "side": _SIDES[side]}
        for body, part, side in (
            (message.body_a, message.part_a, message.side_a),
            (message.body_b, message.part_b, message.side_b),
        )
    ]
    return {"first": ends[0], "second": ends[1], "weight": message.weight or 1.0}


def body_message(body: RefinedBody, name: str) -> BodyPose:
    """A body by its parameters."""
    x, y, z = body.translation.tolist()
    return BodyPose(
        id=name,
        model=body.model,
        has_parameters=True,
        root_position=Point(x=x, y=y, z=z),
        rotation_names=list(body.rotations),
        rotations=[Vector3(x=v[0], y=v[1], z=v[2]) for v in (vector.tolist() for vector in body.rotations.values())],
        shape_names=list(body.shape),
        shape=list(body.shape.values()),
    )


def _contact_message(report: ContactReport, origin: int) -> ContactConstraint:
    first, second = report.contact.first, report.contact.second
    return ContactConstraint(
        body_a=first.body,
        part_a=first.part,
        side_a=side_code(first),
        body_b=second.body,
        part_b=second.part,
        side_b=side_code(second),
        weight=report.weight,
        origin=origin,
        distance_before=report.before,
        distance_after=report.after,
    )


def side_code(end: ContactEnd) -> int:
    """SIDE_* of an end."""
    return next(code for code, side in _SIDES.items() if side == end.side)


def _numbers(vector: Point | Vector3) -> Sequence[float]:
    return [vector.x, vector.y, vector.z]
