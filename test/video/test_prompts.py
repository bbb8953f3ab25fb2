"""Prompts describe the scene, never the camera; captions come from the configured endpoint and are held to the same."""

import socket

import numpy as np
import pytest

from interpose_ros.geometry.camera import Camera
from interpose_ros.interpolation.captions import captions_of_pair
from interpose_ros.interpolation.scene_prompt import DEFAULT_PROMPTS, camera_words, check_prompt
from interpose_ros.interpolation.video_config import CaptionConfig
from interpose_ros.views import KeyframeId, View

from ..contact.chat_server import Behaviour, serving

# Captions as those of InterPose's published examples are worded
SCENES = [
    "A typical pantry scene with industrial appliances and a posted notice.",
    "The room features two white refrigerators, one with a notice, a fire extinguisher and a heater below windows.",
    "A corner of a panelled hall; a cameo brooch lies on the table, a pan hangs over the stove.",
    "Left of the door stands a rotary press; the left wall is brick.",
    *DEFAULT_PROMPTS,
]
CAMERA = {
    "The camera pans left across a pantry.": ("camera", "pans left"),
    "Zooming into a kitchen": ("Zooming",),
    "A kitchen, slowly rotating": ("rotating",),
    "Drone footage of a castle": ("Drone", "footage"),
    "We are moving forward through a corridor": ("moving forward",),
    "厨房，镜头平移": ("镜头", "平移"),
}


@pytest.mark.parametrize("text", SCENES)
def test_scenes_pass(text: str) -> None:
    assert camera_words(text) == ()
    assert check_prompt(f"  {text} \n") == text


@pytest.mark.parametrize(("text", "words"), CAMERA.items())
def test_the_camera_does_not(text: str, words: tuple[str, ...]) -> None:
    assert camera_words(text) == words
    with pytest.raises(ValueError, match=words[0]):
        check_prompt(text)


def test_empty_and_endless_prompts() -> None:
    with pytest.raises(ValueError, match="empty"):
        check_prompt("  ")
    with pytest.raises(ValueError, match="at most 1000"):
        check_prompt("a " * 600)


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
    pytest.importorskip("openai", reason="captions need the extra `contact`")
    behaviour = Captioner(texts)
    with serving(behaviour) as address:
        config = CaptionConfig(base_url=address, model="eyes", timeout=10.0)
        return captions_of_pair(view(0), view(1), config), behaviour.requests


def test_captions_of_both_images() -> None:
    captions, requests = ask(SCENES[:2])
    assert captions == tuple(SCENES[:2])
    content = requests[0]["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "image_url"]
    assert "response_format" not in requests[0]


def test_a_caption_that_speaks_of_the_camera_is_dropped() -> None:
    captions, _ = ask(["The camera moves through a hall.", "A hall with pillars."])
    assert captions == ("A hall with pillars.",)


def test_no_server_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("openai", reason="captions need the extra `contact`")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        config = CaptionConfig(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1", model="eyes", timeout=5.0)
        assert captions_of_pair(view(0), view(1), config) == ()
    assert "configured prompts are used" in caplog.text
