"""Requests for ~/refine_contact_pose."""

from geometry_msgs.msg import Point, Vector3

from interpose_ros.contact.body_model import COCO_KEYPOINTS, landmarks
from interpose_ros.contact.rig import rotation_log
from interpose_ros.contact.synthetic import face_to_face
from interpose_ros.msg import BodyPose, ContactConstraint
from interpose_ros.srv import RefineContactPose

SERVICE = "refine_contact_pose"


def parameters_message(model, body, name):
    x, y, z = body.translation[0].tolist()
    vectors = rotation_log(body.rotations)[0].tolist()
    return BodyPose(
        id=name,
        model="anny",
        has_parameters=True,
        root_position=Point(x=x, y=y, z=z),
        rotation_names=list(model.skeleton.names),
        rotations=[Vector3(x=v[0], y=v[1], z=v[2]) for v in vectors],
    )


def joints_message(model, body):
    positions = landmarks(model, body, COCO_KEYPOINTS)[0].tolist()
    return BodyPose(
        joint_names=list(COCO_KEYPOINTS), joint_positions=[Point(x=p[0], y=p[1], z=p[2]) for p in positions]
    )


def handshake(anny, **changes):
    bodies = [parameters_message(anny, body, f"p{k}") for k, body in enumerate(face_to_face(anny))]
    request = RefineContactPose.Request(
        bodies=bodies,
        constraints=[ContactConstraint(body_a=0, part_a="hand", body_b=1, part_b="hand")],
        order_open=True,
    )
    request.header.frame_id = "camera"
    request.header.stamp.sec = 7
    for name, value in changes.items():
        setattr(request, name, value)
    return request
