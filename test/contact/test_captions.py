"""Captions for video models come from the configured endpoint, and are held to the rules for prompts."""

import socket

import numpy as np
import pytest

pytest.importorskip("openai", reason="captions need the extra `contact`")

from interpose_ros.geometry.camera import Camera
from interpose_ros.interpolation.captions import captions_of_pair
from interpose_ros.interpolation.video_config import CaptionConfig
from interpose_ros.views import KeyframeId, View

from .chat_server import Behaviour, serving

SCENES = [
    "A typical pantry scene with industrial appliances and a posted notice.",
    "A room with two white refrigerators.",
]


def view(seed: int) -> View:
    image = np.random.default_rng(seed).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    camera = Camera(np.array([[70.0, 0, 39.5], [0, 70.0, 29.5], [0, 0, 1]]), 80, 60)
    return View(image, camera, KeyframeId("camera", seed))


class Captioner(Behaviour):
    """Answers with given texts, one after another."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__()
        self.texts = texts

    def choices(self, request: dict) -> list[str]:
        return [self.texts[k % len(self.texts)] for k in range(request.get("n", 1))]


def ask(texts: list[str]) -> tuple[tuple[str, ...], list[dict]]:
    behaviour = Captioner(texts)
    with serving(behaviour) as address:
        config = CaptionConfig(base_url=address, model="eyes", timeout=10.0)
        return captions_of_pair(view(0), view(1), config), behaviour.requests


def test_captions_of_both_images() -> None:
    captions, requests = ask(SCENES)
    assert captions == tuple(SCENES)
    content = requests[0]["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "image_url"]
    assert "response_format" not in requests[0]


def test_a_caption_that_speaks_of_the_camera_is_dropped() -> None:
    captions, _ = ask(["The camera moves through a hall.", "A hall with pillars."])
    assert captions == ("A hall with pillars.",)


def test_no_server_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        config = CaptionConfig(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1", model="eyes", timeout=5.0)
        assert captions_of_pair(view(0), view(1), config) == ()
    assert "configured prompts are used" in caplog.text
