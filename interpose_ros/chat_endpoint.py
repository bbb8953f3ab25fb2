"""Questions about images to a vision-language model behind any OpenAI-compatible endpoint (vLLM, Ollama, llama.cpp ...).

Images go to the configured endpoint and nowhere else, not even by a redirect or a proxy from the environment. Waiting is
bounded by the robot's patience, whatever the server does.
"""

from __future__ import annotations

import base64
import os
import queue
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import UInt8

_PARALLEL = 4
_CHECK_PERIOD = 0.1


@runtime_checkable
class EndpointSettings(Protocol):
    """Where to ask, and how long to wait; see ``LanguageModelConfig`` for what each means."""

    @property
    def base_url(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def api_key_env(self) -> str: ...
    @property
    def timeout(self) -> float: ...
    @property
    def max_tokens(self) -> int: ...


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


class Conversation:
    """One question, asked until there are enough answers or time is up."""

    def __init__(
        self,
        messages: list[dict[str, Any]],
        config: EndpointSettings,
        deadline: float,
        samples: int,
        temperature: float,
        response_format: dict[str, Any] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """``deadline`` is of ``time.monotonic()``; ``response_format`` is left out for servers that refuse it.

        ``cancelled`` is asked several times a second; True ends the waiting.
        """
        import openai

        self.cancelled = cancelled
        self.config, self.deadline, self.samples, self.temperature = config, deadline, samples, temperature
        key = os.environ.get(config.api_key_env, "") if config.api_key_env else ""
        self.client = openai.OpenAI(
            base_url=config.base_url,
            api_key=key or "none",
            max_retries=0,
            timeout=config.timeout,
            http_client=openai.DefaultHttpxClient(follow_redirects=False, trust_env=False),
        )
        self.messages: list[Any] = list(messages)
        self.response_format = response_format

    def collect(self) -> list[str]:
        """Texts of the answers.

        Raises:
            LanguageModelError: none came.
        """
        wanted = self.samples
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
        while not self.cancelled():
            left = self.deadline - time.monotonic()
            try:
                return results.get(timeout=min(max(left, 0.0), _CHECK_PERIOD))
            except queue.Empty:
                if left <= _CHECK_PERIOD:
                    break
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
        self.response_format = None
        try:
            return self._request(wanted, 0)
        except LanguageModelError as error:
            if not isinstance(error.__cause__, (openai.BadRequestError, openai.UnprocessableEntityError)):
                raise
        return self._request(1, 0)

    def _request(self, count: int, seed: int) -> list[str]:
        import openai

        more: dict[str, Any] = {"n": count} if count > 1 else {}
        if self.response_format is not None:
            more["response_format"] = self.response_format
        try:
            completion = self.client.chat.completions.create(
                model=self.config.model,
                messages=self.messages,
                temperature=self.temperature,
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


def image_part(image_bgr: UInt8[np.ndarray, "h w 3"], max_side: int) -> dict[str, Any]:
    """An image within a message, reduced to a longer side."""
    height, width = image_bgr.shape[:2]
    scale = max_side / max(height, width)
    if scale < 1.0:
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        image_bgr = cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])
    uri = "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
    return {"type": "image_url", "image_url": {"url": uri}}
