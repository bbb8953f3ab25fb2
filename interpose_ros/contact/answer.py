"""From a request to an answer: the one place where bodies, constraints and refinement meet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from interpose_ros.contact.anny_body import AnnyBody
from interpose_ros.contact.body_model import BodyModel
from interpose_ros.contact.body_parts import ATOMS
from interpose_ros.contact.constraints import ContactConstraints, whole_bodies
from interpose_ros.contact.contact_points import part_points
from interpose_ros.contact.language_model import LanguageModelConfig, LanguageModelError, ask
from interpose_ros.contact.plain_body import plain_body
from interpose_ros.contact.refine import EstimatedPerson, Refinement, refine
from interpose_ros.contact.request import RefineRequest
from interpose_ros.contact.request_bodies import UnknownBodyModel, estimated_person, floor_plane
from interpose_ros.contact.result import ContactCode, ContactResult
from interpose_ros.contact.smplx_body import SmplxBody


@dataclass(frozen=True, eq=False)
class ContactAnswer:
    """What a caller gets.

    Attributes:
        code: SUCCESS, or DEADLINE with the best so far; otherwise there is no refinement.
        text: a sentence.
        people: as they were understood (fitted to joints, where joints were given).
        refinement: None where there is none.
        seconds: by stage.
    """

    code: ContactCode
    text: str
    people: list[EstimatedPerson] = field(default_factory=list)
    refinement: Refinement | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def plain(self) -> ContactResult:
        """The same as plain numbers."""
        refinement = self.refinement
        if refinement is None:
            return ContactResult(self.code, self.text, self.seconds)
        return ContactResult(
            self.code,
            self.text,
            self.seconds,
            tuple(plain_body(p.model, body) for p, body in zip(self.people, refinement.bodies, strict=True)),
            refinement.constraints.origin,
            tuple(refinement.contacts),
            refinement.losses_before,
            refinement.losses_after,
        )


class ContactRefiner:
    """Answers requests; holds the body models."""

    def __init__(self, models: dict[str, BodyModel], language_model: LanguageModelConfig, heuristic: bool) -> None:
        """Take what is configured.

        Args:
            models: by name.
            language_model: asked where a request names no contacts; off without an endpoint.
            heuristic: with nothing known about two people, draw whole bodies together, flagged as such.
        """
        self.models = models
        self.language_model = language_model
        self.heuristic = heuristic

    @classmethod
    def with_models(cls, language_model: LanguageModelConfig, heuristic: bool, smplx_file: str = "") -> ContactRefiner:
        """With Anny, and with SMPL-X where the user has its file.

        Raises:
            BodyModelMissing: Anny has not been prepared.
            ValueError: a model's file cannot be read.
        """
        models: dict[str, BodyModel] = {"anny": AnnyBody.load()}
        if smplx_file:
            models["smplx"] = SmplxBody(Path(smplx_file))
        for model in models.values():
            part_points(model, ATOMS)  # worked out once, not with the first request
        return cls(models, language_model, heuristic)

    def answer(
        self,
        request: RefineRequest,
        image_bgr: UInt8[np.ndarray, "h w 3"] | None = None,
        deadline: float | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> ContactAnswer:
        """Answer a request; bad ones get a code, never an exception.

        Args:
            request: checked in form.
            image_bgr: for the language model.
            deadline: on `time.monotonic`; None for no hurry.
            cancelled: asked now and then.
        """
        began = time.monotonic()

        def out_of_time() -> bool:
            return cancelled() or (deadline is not None and time.monotonic() > deadline)

        try:
            constraints = request.constraints()
            people = [estimated_person(body, self.models, k, out_of_time) for k, body in enumerate(request.bodies)]
            if request.intrinsics is None and any(person.keypoints for person in people):
                raise ValueError("key points are given, but no camera intrinsics")
        except UnknownBodyModel as error:
            return ContactAnswer(ContactCode.UNKNOWN_MODEL, str(error))
        except ValueError as error:
            return ContactAnswer(ContactCode.INVALID_REQUEST, str(error))
        read = time.monotonic()
        note = ""
        # Where time was up before contacts were known, the bodies as they are understood are the best so far.
        if constraints.empty and not out_of_time():
            found = self._find(len(people), image_bgr, deadline, cancelled)
            if isinstance(found, ContactAnswer):
                return found
            constraints, note = found
        known = time.monotonic()
        refinement = refine(
            people,
            constraints,
            request.refinement,
            tuple(request.intrinsics) if request.intrinsics else None,  # type: ignore[arg-type]
            floor_plane(request.floor) if request.floor else None,
            out_of_time,
        )
        seconds = {"bodies": read - began, "constraints": known - read, **refinement.seconds}
        if not refinement.complete:
            text = f"time was up; these are the best bodies so far{note}"
            return ContactAnswer(ContactCode.DEADLINE, text, people, refinement, seconds)
        text = f"{len(refinement.contacts)} contacts ({constraints.origin.value}){note}"
        return ContactAnswer(ContactCode.SUCCESS, text, people, refinement, seconds)

    def _find(
        self, people: int, image_bgr: np.ndarray | None, deadline: float | None, cancelled: Callable[[], bool]
    ) -> tuple[ContactConstraints, str] | ContactAnswer:
        """Constraints where the request has none, and what to say about them."""
        note = ""
        if self.language_model.base_url and image_bgr is not None:
            config = self.language_model
            if deadline is not None:
                left = max(0.6 * (deadline - time.monotonic()), 0.1)
                config = config.model_copy(update={"timeout": min(config.timeout, left)})
            try:
                answers = ask(image_bgr, people, config, cancelled)
            except LanguageModelError as error:
                if not (self.heuristic and people == 2):
                    return ContactAnswer(ContactCode.LANGUAGE_MODEL, str(error))
                note = f"; the language model was of no help: {error}"
            else:
                if not answers.constraints.empty:
                    return answers.constraints, f"; {answers.dropped} unknown parts dropped"
                note = "; the language model sees no contact"
        if self.heuristic and people == 2:
            return whole_bodies(), note
        text = "no contacts are given, and nobody is configured to find some"
        return ContactAnswer(ContactCode.NO_CONSTRAINTS, note.removeprefix("; ") or text)
