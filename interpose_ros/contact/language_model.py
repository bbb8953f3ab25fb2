"""Contacts from a vision-language model behind any OpenAI-compatible endpoint (vLLM, Ollama, llama.cpp, LM Studio ...).

Off unless an endpoint is configured: images of people go nowhere else, not even by a redirect or a proxy from the
environment. Waiting is bounded by the robot's patience, whatever the server does.
"""

from __future__ import annotations

import base64
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from pydantic import BaseModel, ConfigDict, Field

from interpose_ros.contact.answers import ReadAnswer, read_answer
from interpose_ros.contact.constraints import ConstraintOrigin, ContactConstraints, from_votes
from interpose_ros.contact.prompts import SCHEMA_NAME, answer_schema, prompt

_log = logging.getLogger(__name__)
_PARALLEL = 4


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


class LanguageModelFailure(str, Enum):
    """Why there are no constraints."""

    OFF = "off"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    NOT_UNDERSTOOD = "not_understood"


class LanguageModelError(RuntimeError):
    """No answer that can be used; `failure` says why in a word, the text in a sentence."""

    def __init__(self, failure: LanguageModelFailure, text: str) -> None:
        super().__init__(text)
        self.failure = failure


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


def ask(image_bgr: UInt8[np.ndarray, "h w 3"], people: int, config: LanguageModelConfig) -> LanguageModelAnswers:
    """Ask which parts touch.

    Args:
        image_bgr: best cropped to the people.
        people: one or two.
        config: where and how.

    Raises:
        LanguageModelError: nothing usable came in time.
    """
    if not config.base_url:
        raise LanguageModelError(LanguageModelFailure.OFF, "no language model is configured (base_url is empty)")
    if not config.model:
        raise LanguageModelError(LanguageModelFailure.OFF, f"no model is named for {config.base_url}")
    began = time.monotonic()
    texts = _Conversation(image_bgr, people, config, began + config.timeout).collect()
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


class _Conversation:
    """One question, asked until there are enough answers or time is up."""

    def __init__(self, image_bgr: np.ndarray, people: int, config: LanguageModelConfig, deadline: float) -> None:
        import openai

        self.config = config
        self.deadline = deadline
        self.people = people
        key = os.environ.get(config.api_key_env, "") if config.api_key_env else ""
        self.client = openai.OpenAI(
            base_url=config.base_url,
            api_key=key or "none",
            max_retries=0,
            timeout=config.timeout,
            http_client=openai.DefaultHttpxClient(follow_redirects=False, trust_env=False),
        )
        self.messages: list[Any] = [
            {"role": "system", "content": prompt(people)},
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": _data_uri(image_bgr, config.max_image_side)}}],
            },
        ]
        self.with_format = True

    def collect(self) -> list[str]:
        """Texts of the answers.

        Raises:
            LanguageModelError: none came.
        """
        wanted = self.config.samples
        results: queue.Queue[list[str] | LanguageModelError] = queue.Queue()
        try:
            self._start(results, lambda: self._first(wanted))
            first = self._wait(results)
            if isinstance(first, LanguageModelError):
                raise first
            texts = first[:wanted]
            pending, asked = 0, len(texts)
            while len(texts) < wanted:
                while pending < _PARALLEL and asked < wanted:
                    seed = asked
                    self._start(results, lambda seed=seed: self._request(1, seed))  # type: ignore[misc]
                    pending, asked = pending + 1, asked + 1
                if not pending:
                    break
                more = self._wait(results)
                pending -= 1
                if isinstance(more, LanguageModelError):
                    if more.failure is LanguageModelFailure.TIMEOUT:
                        break
                    continue
                texts += more
            if not texts:
                raise LanguageModelError(LanguageModelFailure.REFUSED, f"{self.config.base_url} gave no choices")
            return texts[:wanted]
        finally:
            self.client.close()

    def _start(self, results: queue.Queue, request: Callable[[], list[str]]) -> None:
        """Ask in a thread of its own, which nothing waits for: a server may drip bytes for ever."""

        def run() -> None:
            try:
                results.put(request())
            except LanguageModelError as error:
                results.put(error)
            except Exception as error:  # whatever a server makes the client stumble over
                results.put(LanguageModelError(LanguageModelFailure.REFUSED, f"{self.config.base_url}: {error}"))

        threading.Thread(target=run, daemon=True, name="language-model").start()

    def _wait(self, results: queue.Queue) -> list[str] | LanguageModelError:
        try:
            return results.get(timeout=max(self.deadline - time.monotonic(), 0.0))
        except queue.Empty:
            return LanguageModelError(
                LanguageModelFailure.TIMEOUT,
                f"{self.config.model} at {self.config.base_url} did not answer within {self.config.timeout:g} s",
            )

    def _first(self, wanted: int) -> list[str]:
        """All answers at once; without `response_format`, and then without `n`, for servers that refuse them."""
        import openai

        try:
            return self._request(wanted, 0)
        except LanguageModelError as error:
            if not isinstance(error.__cause__, (openai.BadRequestError, openai.UnprocessableEntityError)):
                raise
        self.with_format = False
        try:
            return self._request(wanted, 0)
        except LanguageModelError as error:
            if not isinstance(error.__cause__, (openai.BadRequestError, openai.UnprocessableEntityError)):
                raise
        return self._request(1, 0)

    def _request(self, count: int, seed: int) -> list[str]:
        import openai

        more: dict[str, Any] = {"n": count} if count > 1 else {}
        if self.with_format:
            schema = {"name": SCHEMA_NAME, "schema": answer_schema(self.people), "strict": True}
            more["response_format"] = {"type": "json_schema", "json_schema": schema}
        try:
            completion = self.client.chat.completions.create(
                model=self.config.model,
                messages=self.messages,
                temperature=self.config.temperature,
                max_tokens=self.config.max_tokens,
                seed=seed,
                timeout=max(self.deadline - time.monotonic(), 0.1),
                **more,
            )
        except openai.APITimeoutError as error:
            raise LanguageModelError(
                LanguageModelFailure.TIMEOUT, f"{self.config.base_url} did not answer within {self.config.timeout:g} s"
            ) from error
        except openai.APIConnectionError as error:
            raise LanguageModelError(
                LanguageModelFailure.UNREACHABLE,
                f"{self.config.base_url} cannot be reached: {error.__cause__ or error}",
            ) from error
        except openai.APIStatusError as error:
            raise LanguageModelError(
                LanguageModelFailure.REFUSED,
                f"{self.config.base_url} answered HTTP {error.status_code}: {error.message[:200]}",
            ) from error
        choices = getattr(completion, "choices", None)
        if not isinstance(choices, list):
            raise LanguageModelError(
                LanguageModelFailure.REFUSED, f"{self.config.base_url} answered something that is no chat completion"
            )
        texts = [getattr(getattr(choice, "message", None), "content", None) for choice in choices]
        return [text for text in texts if isinstance(text, str)]


def _data_uri(image_bgr: np.ndarray, max_side: int) -> str:
    height, width = image_bgr.shape[:2]
    scale = max_side / max(height, width)
    if scale < 1.0:
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        image_bgr = cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
