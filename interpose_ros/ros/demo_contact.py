"""``make demo-contact``: a handshake and a hug through the service of a running node, with pictures before and after."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from interpose_ros.contact.anny_body import AnnyBody
from interpose_ros.contact.body_model import mesh
from interpose_ros.contact.pictures import stacked
from interpose_ros.contact.plain_body import plain_body
from interpose_ros.contact.request_bodies import estimated_person
from interpose_ros.contact.rig import BodyParameters
from interpose_ros.contact.synthetic import INTRINSICS, ContactScene, make_scene, named_contacts
from interpose_ros.msg import ContactConstraint
from interpose_ros.ros.contact_messages import body_message, request_from_message, side_code
from interpose_ros.ros.demo_domain import own_domain
from interpose_ros.srv import RefineContactPose

SCENES = {"handshake": 40, "hug": 40}
LEVEL = 2
PATIENCE = 60.0


def main() -> int:
    """Start the node, ask, write pictures. Returns 0 where both came out closer than they went in."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/demo-contact"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    model = AnnyBody.load()
    with own_domain():
        node_command = [sys.executable, "-m", "interpose_ros.ros.node", "--ros-args", "-p", "autostart:=true"]
        with (options.out / "node.log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(node_command, stdout=log, stderr=subprocess.STDOUT)
        try:
            rclpy.init()
            caller = rclpy.create_node("demo_contact")
            good = [_run(caller, process, model, name, seed, options.out) for name, seed in SCENES.items()]
            caller.destroy_node()
        finally:
            rclpy.try_shutdown()
            process.terminate()
            process.wait(20)
    return 0 if all(good) else 1


def _run(caller: Node, process: subprocess.Popen, model: AnnyBody, name: str, seed: int, out: Path) -> bool:
    scene = next(s for s in (make_scene(model, name, LEVEL, seed + k) for k in range(20)) if s is not None)
    response = _ask(caller, process, _request(scene))
    if response.code != RefineContactPose.Response.CODE_OK:
        print(f"{name}: refused with code {response.code}: {response.message}", file=sys.stderr)
        return False
    refined = _bodies(response, model)
    rows = {
        "estimate": [person.body for person in scene.estimates],
        "refined by the service": refined,
        "truth": scene.truth,
    }
    faces = model.faces.numpy()
    picture = stacked({k: [(mesh(model, b).vertices[0].numpy(), faces) for b in v] for k, v in rows.items()})
    cv2.imwrite(str(out / f"{name}.png"), picture)
    distances = [(c.distance_before, c.distance_after) for c in response.constraints]
    before, after = (sum(d) / len(distances) for d in zip(*distances, strict=True))
    summary = {"contacts": len(distances), "mean_before_m": before, "mean_after_m": after, "seconds": response.seconds}
    (out / f"{name}.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print(
        f"{name}: {len(distances)} contacts, {100 * before:.1f} cm apart before, {100 * after:.1f} cm after, "
        f"{response.seconds:.1f} s; {out / name}.png"
    )
    return after < before


def _ask(caller: Node, process: subprocess.Popen, request: RefineContactPose.Request) -> RefineContactPose.Response:
    """Call the service, again while the node is not active yet."""
    client = caller.create_client(RefineContactPose, "/interpose/refine_contact_pose")
    while True:
        if not client.wait_for_service(PATIENCE) or process.poll() is not None:
            raise RuntimeError("the node does not offer its service: see node.log")
        future = client.call_async(request)
        rclpy.spin_until_future_complete(caller, future, timeout_sec=PATIENCE)
        response = future.result()
        if response is None:
            raise RuntimeError(f"no answer within {PATIENCE:g} s: see node.log")
        if response.code != RefineContactPose.Response.CODE_NOT_ACTIVE:
            caller.destroy_client(client)
            return response


def _request(scene: ContactScene) -> RefineContactPose.Request:
    request = RefineContactPose.Request(deadline=PATIENCE)
    request.header.frame_id = "camera"
    request.bodies = [
        body_message(plain_body(person.model, person.body), str(number))
        for number, person in enumerate(scene.estimates)
    ]
    fx, fy, cx, cy = INTRINSICS
    request.camera_info = CameraInfo(width=1280, height=720, k=[fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0])
    for message, person in zip(request.bodies, scene.estimates, strict=True):
        if person.keypoints is not None:
            seen = np.column_stack([person.keypoints.pixels, person.keypoints.confidences])
            message.keypoint_names, message.keypoints = list(person.keypoints.names), seen.ravel().tolist()
    request.constraints = [
        ContactConstraint(
            body_a=contact.first.body,
            part_a=contact.first.part,
            side_a=side_code(contact.first),
            body_b=contact.second.body,
            part_b=contact.second.part,
            side_b=side_code(contact.second),
        )
        for contact in named_contacts(scene, with_sides=True)
    ]
    return request


def _bodies(response: RefineContactPose.Response, model: AnnyBody) -> list[BodyParameters]:
    request = RefineContactPose.Request(bodies=response.bodies)
    request.header.frame_id = "camera"
    bodies = request_from_message(request).bodies
    return [estimated_person(body, {model.name: model}, number).body for number, body in enumerate(bodies)]


if __name__ == "__main__":
    sys.exit(main())
