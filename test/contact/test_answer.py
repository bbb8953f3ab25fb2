"""Requests whose time is up before they are answered."""

import time

import numpy as np
import pytest

pytest.importorskip("openai", reason="comes with the extra contact, as in make env")

from interpose_ros.contact.answer import ContactCode, ContactRefiner
from interpose_ros.contact.body_model import COCO_KEYPOINTS, landmarks
from interpose_ros.contact.language_model import LanguageModelConfig
from interpose_ros.contact.request import RefineRequest
from interpose_ros.contact.synthetic import face_to_face

from . import chat_server as servers

HANDS = {"first": {"body": 0, "part": "hand"}, "second": {"body": 1, "part": "hand"}}


def joints_request(anny, contacts):
    bodies = []
    for body in face_to_face(anny):
        positions = landmarks(anny, body, COCO_KEYPOINTS)[0].tolist()
        bodies.append({"joints": {n: {"position": p} for n, p in zip(COCO_KEYPOINTS, positions, strict=True)}})
    return RefineRequest.model_validate({"bodies": bodies, "contacts": contacts})


@pytest.mark.parametrize("contacts", [[HANDS], []])
def test_the_best_so_far_are_bodies_turned_to_the_joints(anny, contacts):
    request = joints_request(anny, contacts)
    refiner = ContactRefiner({"anny": anny}, LanguageModelConfig(), heuristic=True)
    began = time.process_time()
    answer = refiner.answer(request, deadline=time.monotonic() - 1.0)
    assert time.process_time() - began < 5.0
    assert answer.code is ContactCode.DEADLINE
    assert len(answer.refinement.bodies) == 2
    for body, asked in zip(answer.refinement.bodies, request.bodies, strict=True):
        found = landmarks(anny, body, ("left_hip", "right_hip"))[0].numpy()
        given = np.array([asked.joints[name].position for name in ("left_hip", "right_hip")])
        assert np.linalg.norm(found - given, axis=1).max() < 0.15


def test_nobody_is_asked_when_time_is_up(anny):
    server = servers.VLLM()
    with servers.serving(server) as url:
        config = LanguageModelConfig(base_url=url, model="test")
        refiner = ContactRefiner({"anny": anny}, config, heuristic=False)
        image = np.zeros((20, 20, 3), np.uint8)
        answer = refiner.answer(joints_request(anny, []), image, deadline=time.monotonic() - 1.0)
    assert answer.code is ContactCode.DEADLINE
    assert server.requests == []


def test_a_silent_model_takes_its_share_of_the_time_only(anny):
    with servers.serving(servers.Silent()) as url:
        config = LanguageModelConfig(base_url=url, model="test", timeout=60.0)
        refiner = ContactRefiner({"anny": anny}, config, heuristic=False)
        began = time.monotonic()
        answer = refiner.answer(joints_request(anny, []), np.zeros((20, 20, 3), np.uint8), deadline=began + 6.0)
        assert time.monotonic() - began < 8.0
    assert answer.code is ContactCode.LANGUAGE_MODEL
    assert "did not answer" in answer.text
