"""Levenberg-Marquardt over a batch of starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float

from interpose_ros.contact.body_terms import Term
from interpose_ros.contact.rig import BodyParameters
from interpose_ros.contact.scene import NormalEquations, PersonState, Scene


@dataclass(frozen=True, eq=False)
class Solution:
    """Where the starts ended.

    Attributes:
        bodies: of each person, one entry per start.
        loss: of each start.
        iterations: that were made.
        stopped: whether time ran out before the end.
        trace: seconds since the beginning and least loss so far, after each iteration.
    """

    bodies: list[BodyParameters]
    loss: Float[torch.Tensor, "b"]
    iterations: int
    stopped: bool
    trace: list[tuple[float, float]] = field(default_factory=list)

    def best(self) -> list[BodyParameters]:
        """The bodies of the start that ended lowest."""
        start = int(self.loss.argmin())
        return [body[start : start + 1] for body in self.bodies]


def total_loss(scene: Scene, state: list[PersonState], terms: Sequence[Term]) -> Float[torch.Tensor, "b"]:
    """Sum of the terms at every start."""
    total = torch.zeros(len(state[0].body), dtype=torch.float64)
    for term in terms:
        total = total + term.value(scene, state)
    return total


def solve(
    scene: Scene,
    bodies: Sequence[BodyParameters],
    terms: Sequence[Term],
    free: Bool[torch.Tensor, "p"],
    iterations: int,
    tolerance: float = 1e-3,
    out_of_time: Callable[[], bool] = lambda: False,
) -> Solution:
    """Minimise the sum of the terms from every start.

    Args:
        scene: persons.
        bodies: of each person, one entry per start.
        terms: of the loss.
        free: which increments may be made; the others stay as they are.
        iterations: at most.
        tolerance: a start has arrived when an accepted step lowers its loss by less than this share.
        out_of_time: asked before every iteration.
    """
    began = time.monotonic()
    bodies = list(bodies)
    batch = len(bodies[0])
    state = scene.state(bodies)
    loss = total_loss(scene, state, terms)
    damping = torch.full((batch,), 1e-2, dtype=torch.float64)
    arrived = torch.zeros(batch, dtype=torch.bool)
    trace = [(time.monotonic() - began, float(loss.min()))]
    done, stopped = 0, False
    linearised = None
    for _ in range(iterations):
        if bool(arrived.all()):
            break
        if out_of_time():
            stopped = True
            break
        done += 1
        if linearised is None:
            linearised = NormalEquations(batch, scene.size)
            for term in terms:
                term.add(scene, state, linearised)
        step = _step(linearised, damping, free)
        step[arrived] = 0.0
        tried = scene.moved(bodies, step)
        tried_state = scene.state(tried)
        tried_loss = total_loss(scene, tried_state, terms)
        better = tried_loss < loss
        small = (loss - tried_loss) < tolerance * loss.abs().clamp(min=1e-9)
        arrived |= (better & small) | (~better & (damping > 1e4))
        damping = torch.where(better, (damping * 0.2).clamp(min=1e-7), damping * 6.0)
        if bool(better.any()):
            bodies = [_chosen(better, new, old) for new, old in zip(tried, bodies, strict=True)]
            loss = torch.where(better, tried_loss, loss)
            state = tried_state if bool(better.all()) else scene.state(bodies)
            linearised = None
        trace.append((time.monotonic() - began, float(loss.min())))
    return Solution(bodies, loss, done, stopped, trace)


def _step(
    normal: NormalEquations, damping: Float[torch.Tensor, "b"], free: Bool[torch.Tensor, "p"]
) -> Float[torch.Tensor, "b p"]:
    index = torch.nonzero(free)[:, 0]
    matrix = normal.matrix[:, index[:, None], index[None, :]].clone()
    diagonal = torch.diagonal(matrix, dim1=-2, dim2=-1)
    diagonal += damping[:, None] * diagonal.clamp(min=1e-6) + 1e-9
    step = torch.zeros_like(normal.gradient)
    solved, _ = torch.linalg.solve_ex(matrix, -normal.gradient[:, index, None])
    step[:, index] = torch.nan_to_num(solved[..., 0])
    # No joint turns by more than this at once: the linearisation would mean nothing.
    largest = step.abs().amax(1, keepdim=True).clamp(min=1e-12)
    return step * torch.clamp(0.8 / largest, max=1.0)


def _chosen(better: Bool[torch.Tensor, "b"], new: BodyParameters, old: BodyParameters) -> BodyParameters:
    return BodyParameters(
        torch.where(better[:, None], new.translation, old.translation),
        torch.where(better[:, None, None, None], new.rotations, old.rotations),
        torch.where(better[:, None], new.shape, old.shape),
    )
