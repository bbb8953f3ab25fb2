"""What the worker of the contact service does: bodies that touch, in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from interpose_ros.contact.language_model import LanguageModelConfig
from interpose_ros.contact.model_files import check_body_models
from interpose_ros.contact.request import RefineRequest
from interpose_ros.contact.result import ContactResult
from interpose_ros.engine.workload import JobContext

if TYPE_CHECKING:
    from interpose_ros.contact.answer import ContactRefiner

NICENESS = 5
"""Where processors are short, the process that estimates pairs has three times the share of this one."""


@dataclass(frozen=True, eq=False)
class ContactJob:
    """One request.

    Attributes:
        request: checked in form.
        image_bgr: for the language model; None for none.
        deadline: when the best so far is wanted, on `time.monotonic`, which all processes of a machine share.
    """

    request: RefineRequest
    image_bgr: UInt8[np.ndarray, "h w 3"] | None
    deadline: float


class ContactWork:
    """Holds the body models and answers requests. A ``Workload``.

    Args:
        language_model: asked where a request names no contacts; off without an endpoint.
        heuristic: with nothing known about two people, draw whole bodies together, flagged as such.
        smplx_file: model file of the user's own; empty for none.

    Attributes:
        models: names of the body models that are loaded.
    """

    def __init__(self, language_model: LanguageModelConfig, heuristic: bool, smplx_file: str) -> None:
        self._language_model, self._heuristic, self._smplx_file = language_model, heuristic, smplx_file
        self.models = ""
        self._refiner: ContactRefiner | None = None

    def load(self, checked: Callable[[], None]) -> None:
        """Read the body models.

        Raises:
            BodyModelMissing: Anny has not been prepared, or the user's file is not there.
            ValueError: a model's file cannot be read.
        """
        check_body_models(self._smplx_file)
        checked()
        os.nice(NICENESS)
        from interpose_ros.contact.answer import ContactRefiner

        refiner = ContactRefiner.with_models(self._language_model, self._heuristic, self._smplx_file)
        self._refiner, self.models = refiner, " ".join(refiner.models)

    def reduce(self) -> None:
        """There is nothing to reduce."""
        return None

    def work(self, job: ContactJob, context: JobContext) -> ContactResult:
        """Answer a request; bad ones get a code."""
        assert self._refiner is not None

        def cancelled() -> bool:
            context.progress("bodies", 0.0)  # asked between steps: a sign of life
            return context.cancelled()

        return self._refiner.answer(job.request, job.image_bgr, job.deadline, cancelled).plain()
