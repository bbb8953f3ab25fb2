"""Contacts from a vision-language model behind any OpenAI-compatible endpoint (vLLM, Ollama, llama.cpp, LM Studio ...).

Off unless an endpoint is configured: images of people go nowhere else, not even by a redirect or a proxy from the
environment. Waiting is bounded by the robot's patience, whatever the server does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8
from pydantic import BaseModel, ConfigDict, Field

from interpose_ros.chat_endpoint import Conversation, LanguageModelError, LanguageModelFailure, image_part
from interpose_ros.contact.answers import ReadAnswer, read_answer
from interpose_ros.contact.constraints import ConstraintOrigin, ContactConstraints, from_votes
from interpose_ros.contact.prompts import SCHEMA_NAME, answer_schema, prompt

_log = logging.getLogger(__name__)


class LanguageModelConfig(BaseModel):
    """Where to ask, and how long to wait."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field("", description="Endpoint, with /v1. Empty: no model is asked, no image leaves.")
    model: str = Field("", description="Name of the model there.")
    api_key_env: str = Field("", description="Environment variable that holds the key; empty for servers without one.")
    samples: int = Field(8, ge=1, le=100, description="Answers wanted.")
    temperature: float = Field(0.7, ge=0.0, le=2.0, description="Of the answers.")
    timeout: float = Field(10.0, gt=0.0, le=600.0, description="Longest wait for all answers together [s].")
    max_tokens: int = Field(500, ge=16, description="Of each answer.")
    max_image_side: int = Field(768, ge=64, description="Images are reduced to this longer side [px].")
    least_votes: float = Field(
        0.5, ge=0.0, le=1.0, description="One person: contacts in a smaller share of the answers are dropped (f)."
    )
    least_answers: int = Field(1, ge=1, description="Fewer answers that list contacts count as knowing nothing.")
    log_answers: bool = Field(False, description="Log every answer as it came.")


@dataclass(frozen=True)
class LanguageModelAnswers:
    """What came back.

    Attributes:
        constraints: votes as weights.
        answers: as read, in the order of arrival.
        dropped: pairs of unknown parts over all answers.
        not_understood: answers without any list.
        seconds: that it took.
    """

    constraints: ContactConstraints
    answers: tuple[ReadAnswer, ...]
    dropped: int
    not_understood: int
    seconds: float


def ask(
    image_bgr: UInt8[np.ndarray, "h w 3"],
    people: int,
    config: LanguageModelConfig,
    cancelled: Callable[[], bool] = lambda: False,
) -> LanguageModelAnswers:
    """Ask which parts touch.

    Args:
        image_bgr: best cropped to the people.
        people: one or two.
        config: where and how.
        cancelled: asked several times a second; True ends the waiting.

    Raises:
        LanguageModelError: nothing usable came in time.
    """
    if not config.base_url:
        raise LanguageModelError(LanguageModelFailure.OFF, "no language model is configured (base_url is empty)")
    if not config.model:
        raise LanguageModelError(LanguageModelFailure.OFF, f"no model is named for {config.base_url}")
    began = time.monotonic()
    schema = {"name": SCHEMA_NAME, "schema": answer_schema(people), "strict": True}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": prompt(people)},
        {"role": "user", "content": [image_part(image_bgr, config.max_image_side)]},
    ]
    response_format = {"type": "json_schema", "json_schema": schema}
    texts = Conversation(
        messages, config, began + config.timeout, config.samples, config.temperature, response_format, cancelled
    ).collect()
    if config.log_answers:
        for text in texts:
            _log.info("%s answered: %s", config.model, text)
    answers = tuple(read_answer(text, people) for text in texts)
    understood = [answer for answer in answers if answer.understood]
    if not understood:
        raise LanguageModelError(
            LanguageModelFailure.NOT_UNDERSTOOD,
            f"none of {len(answers)} answers of {config.model} holds JSON or a table",
        )
    least = round(config.least_votes * len(understood)) if people == 1 else 0
    knows = sum(bool(answer.contacts) for answer in understood) >= config.least_answers
    votes = [answer.contacts for answer in understood] if knows else []
    samples = from_votes(votes, order_open=people == 2, least_votes=least)
    return LanguageModelAnswers(
        ContactConstraints(samples, ConstraintOrigin.LANGUAGE_MODEL),
        answers,
        sum(len(answer.dropped) for answer in answers),
        len(answers) - len(understood),
        time.monotonic() - began,
    )
