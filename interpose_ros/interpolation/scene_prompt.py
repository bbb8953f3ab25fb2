"""What a video model is told: the scene, never the camera, whose motion is what shall be found out.

In the 160 prompts of InterPose's published examples no word speaks of the camera.
"""

from __future__ import annotations

import re

DEFAULT_PROMPTS = (
    "A photograph of a static scene, sharp and evenly lit.",
    "A realistic, detailed view of one place where nothing moves, with consistent light and materials.",
)
"""Used where nobody describes the scene: true of any pair of keyframes."""

MAX_PROMPT_LETTERS = 1000

_CAMERA = re.compile(
    # a pan may hang in a kitchen
    r"\b(camera\w*|cam|footage|shots?|panning|(slow|smooth|gentle|quick) pan|"
    r"pan(s|ned)? (\w+ly )?(left|right|across|around|up|down|to|through|along)|"
    r"zoom\w*|tilt(s|ed|ing)?|dolly\w*|orbit(s|ed|ing)?|"
    r"rotat(e|es|ed|ing|ion)|tracking|fly-?through|drone|time-?lapse|timelapse|hyperlapse|steadicam|handheld|gimbal|"
    r"(moves?|moving|turns?|turning|looks?|looking|sweeps?|sweeping|slides?|sliding|glides?|gliding|travel(s|ling|ing)?) "
    r"(to the )?(left|right|around|forwards?|backwards?|away|closer|upwards?|downwards?)|"
    r"(from )?left[- ]to[- ]right|(from )?right[- ]to[- ]left|viewpoint|point of view|pov|transition\w*|cuts? to)\b"
    r"|镜头|相机|摄像|平移|推拉|旋转|环绕|航拍",
    re.IGNORECASE,
)


def camera_words(text: str) -> tuple[str, ...]:
    """Words in a text that speak of the camera or its motion."""
    return tuple(match.group(0) for match in _CAMERA.finditer(text))


def check_prompt(text: str) -> str:
    """The prompt, trimmed.

    Raises:
        ValueError: it is empty or too long, or speaks of the camera; the message names the words.
    """
    prompt = " ".join(text.split())
    if not prompt:
        raise ValueError("a prompt is empty; describe the scene")
    if len(prompt) > MAX_PROMPT_LETTERS:
        raise ValueError(f"a prompt has {len(prompt)} letters; at most {MAX_PROMPT_LETTERS} are allowed")
    found = camera_words(prompt)
    if found:
        raise ValueError(
            f"the prompt {prompt!r} speaks of the camera ({', '.join(found)}): that would decide what is to be found out. "
            "Describe the scene only"
        )
    return prompt
