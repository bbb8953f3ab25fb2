"""Prompts describe the scene, never the camera."""

import pytest

from interpose_ros.interpolation.scene_prompt import DEFAULT_PROMPTS, camera_words, check_prompt

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
