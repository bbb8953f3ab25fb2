"""`interpose refine` as people run it."""

import json

import cv2
import numpy as np
import pytest

from interpose_ros.cli import main
from interpose_ros.contact.body_model import COCO_KEYPOINTS, landmarks
from interpose_ros.contact.rig import rotation_log
from interpose_ros.contact.synthetic import face_to_face

from . import chat_server as servers

HANDS = {"first": {"body": 0, "part": "hand", "side": "right"}, "second": {"body": 1, "part": "hand"}}


def body_request(model, body):
    vectors = rotation_log(body.rotations)[0]
    return {
        "translation": body.translation[0].tolist(),
        "rotations": {n: v.tolist() for n, v in zip(model.skeleton.names, vectors, strict=True)},
        "shape": {"age": 0.7},
    }


@pytest.fixture
def request_file(anny, tmp_path):
    def write(**changes):
        bodies = [body_request(anny, body) for body in face_to_face(anny)]
        path = tmp_path / "request.json"
        path.write_text(json.dumps({"bodies": bodies, "contacts": [HANDS], **changes}))
        return path

    return write


def test_a_request_file_gives_an_answer_and_pictures(request_file, tmp_path, capsys):
    out = tmp_path / "out"
    photo = tmp_path / "photo.jpg"
    cv2.imwrite(str(photo), np.full((480, 640, 3), 200, np.uint8))
    path = request_file(intrinsics=[500, 500, 320, 240])
    assert main(["refine", str(path), "--image", str(photo), "--out", str(out)]) == 0
    answer = json.loads((out / "answer.json").read_text())
    assert json.loads(capsys.readouterr().out) == answer
    assert answer["code"] == "success"
    assert answer["constraints_from"] == "request"
    assert answer["contacts"][0]["distance_after_m"] < 0.01 < answer["contacts"][0]["distance_before_m"]
    assert answer["contacts"][0]["first"]["side"] == "right"
    pictures = {file.stem: cv2.imread(str(file)) for file in out.glob("*.png")}
    assert set(pictures) == {"before_and_after", "photo_before", "photo_after"}
    both = pictures["before_and_after"]
    before, after = both[: len(both) // 2], both[len(both) // 2 :]
    assert (before != 255).any(axis=2).mean() > 0.02
    assert (before != after).any(axis=2).mean() > 0.01


def test_joints_alone_make_a_request(anny, request_file, capsys):
    bodies = []
    for body in face_to_face(anny):
        positions = landmarks(anny, body, COCO_KEYPOINTS)[0].tolist()
        bodies.append({"joints": {n: {"position": p} for n, p in zip(COCO_KEYPOINTS, positions, strict=True)}})
    assert main(["refine", str(request_file(bodies=bodies))]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["contacts"][0]["distance_after_m"] < 0.01
    assert answer["bodies"][0]["model"] == "anny"


def test_a_language_model_finds_the_contacts(request_file, tmp_path, capsys):
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.zeros((100, 100, 3), np.uint8))
    with servers.serving(servers.VLLM()) as url:
        options = ["--image", str(photo), "--base-url", url, "--model", "test", "--samples", "4"]
        assert main(["refine", str(request_file(contacts=[])), *options]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["constraints_from"] == "language_model"
    assert {c["weight"] for c in answer["contacts"]} == {0.5, 0.25}


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"contacts": []}, 3, "no contacts are given"),
        ({"bodies": []}, 1, "0 people"),
        ({"contacts": [{"first": {"body": 0, "part": "wing"}, "second": {"body": 1, "part": "hand"}}]}, 3, "'wing'"),
        ({"contacts": [{"first": {"body": 0, "part": "hand"}, "second": {"body": 2, "part": "hand"}}]}, 3, "body 2"),
        ({"contacts": [{"first": {"body": 0, "part": "foot"}, "second": {"part": "ground"}}]}, 3, "no floor plane"),
        ({"bodies": [{"model": "smplx", "translation": [0, 0, 3]}], "contacts": []}, 3, "'smplx' is not configured"),
        ({"bodies": [{"translation": [0, 0, -3]}], "contacts": []}, 3, "behind the camera"),
        ({"bodies": [{"translation": [0, 0, float("nan")]}]}, 1, "finite"),
        ({"bodies": [{"translation": [0, 0, 3], "rotations": {"tail": [0, 0, 0]}}], "contacts": []}, 3, "'tail'"),
        ({"bodies": [{"translation": [0, 0, 3], "shape": {"age": 7}}], "contacts": []}, 3, "between 0 and 1"),
        ({"bodies": [{}]}, 1, "needs parameters"),
        ({"colour": "red"}, 1, "colour"),
    ],
)
def test_nonsense_is_refused_and_named(request_file, capsys, changes, status, told):
    assert main(["refine", str(request_file(**changes))]) == status
    assert told in capsys.readouterr().err


def test_the_heuristic_is_used_only_on_request(request_file, capsys):
    path = request_file(contacts=[])
    assert main(["refine", str(path), "--heuristic"]) == 0
    assert json.loads(capsys.readouterr().out)["constraints_from"] == "heuristic"
