"""Descriptions of the scene from a vision-language model, as prompts for video models.

InterPose takes two captions per pair from such a model. What speaks of the camera is not used, whatever the model was told.
"""

from __future__ import annotations

import logging
import time

import numpy as np

from interpose_ros.chat_endpoint import Conversation, LanguageModelError, image_part
from interpose_ros.interpolation.scene_prompt import check_prompt
from interpose_ros.interpolation.video_config import CaptionConfig
from interpose_ros.views import View

_log = logging.getLogger(__name__)
_INSTRUCTION = (
    "Both images show parts of one place. Describe the place in one or two plain sentences of at most 40 words: what it is, "
    "what stands where, materials and light. Say nothing of images, photographs, the camera, viewpoints or motion."
)
CAPTIONS = 2


def captions_of_pair(view_a: View, view_b: View, config: CaptionConfig) -> tuple[str, ...]:
    """At most two descriptions of what two keyframes show; none, with a warning, where no usable one came in time."""
    content = [
        {"type": "text", "text": _INSTRUCTION},
        *(
            image_part(np.ascontiguousarray(view.image[..., ::-1]), config.max_image_side)
            for view in (view_a, view_b)
        ),
    ]  # fmt: skip
    deadline = time.monotonic() + config.timeout
    messages = [{"role": "user", "content": content}]
    try:
        texts = Conversation(messages, config, deadline, CAPTIONS, temperature=0.7).collect()
    except (LanguageModelError, ImportError) as error:
        _log.warning("no captions, the configured prompts are used: %s", error)
        return ()
    captions = []
    for text in texts:
        try:
            captions.append(check_prompt(text))
        except ValueError as error:
            _log.warning("a caption is not used: %s", error)
    return tuple(dict.fromkeys(captions))
