"""The least sum of contact distances over everything that an answer leaves open, found exactly.

An answer lists pairs of parts without sides. Each end may be left or right; a part that is named more than once means
both, so each of its sides must be used. ProsePose enumerates all combinations, 4^rows of them. But rows hang together only
through such parts: taken alone, each row has its own best choice, and the sum of those is a lower bound that only falls
short where a part ends up with one side unused. A best-first search that repairs one such part at a time ends with the
exact minimum; its effort grows with the parts to repair, not with the rows.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

LEFT, RIGHT = 1, 2


@dataclass(frozen=True, eq=False)
class Row:
    """One contact with its open ends.

    Attributes:
        costs: distance for each choice of the first end (rows) and of the second (columns), for a batch; infinite forbids.
        nodes: what each end is a side of; ends with equal nodes are sides of the same part of the same person. None for
            an end without sides.
        sides: for each end, which side each choice stands for, LEFT or RIGHT.
    """

    costs: Float[np.ndarray, "b m n"]
    nodes: tuple[Hashable | None, Hashable | None]
    sides: tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Assignment:
    """The best choices.

    Attributes:
        total: least sum of distances; infinite where the conditions cannot be met.
        choices: for each row the chosen row and column of its costs.
    """

    total: Float[np.ndarray, "b"]
    choices: Int[np.ndarray, "b r 2"]


def best_assignment(rows: Sequence[Row], both_sides: bool) -> Assignment:
    """Minimise the sum over the rows.

    Args:
        rows: of one answer.
        both_sides: parts that occur in more than one end must use both sides. Where that is impossible (an answer that
            fixes the same side everywhere), the condition falls away for that part.
    """
    batch = len(rows[0].costs) if rows else 1
    groups = _coupled_ends(rows) if both_sides else []
    total = np.zeros(batch)
    choices = np.zeros((batch, len(rows), 2), dtype=np.int64)
    for item in range(batch):
        total[item], choices[item] = _best([row.costs[item] for row in rows], rows, groups)
    return Assignment(total, choices)


def _coupled_ends(rows: Sequence[Row]) -> list[list[tuple[int, int]]]:
    """The ends (row, which end) of each part that occurs more than once and can use both sides."""
    ends: dict[Hashable, list[tuple[int, int]]] = {}
    for number, row in enumerate(rows):
        for end, node in enumerate(row.nodes):
            if node is not None:
                ends.setdefault(node, []).append((number, end))
    return [e for e in ends.values() if len(e) > 1 and {s for r, k in e for s in rows[r].sides[k]} == {LEFT, RIGHT}]


def _best(
    costs: list[np.ndarray], rows: Sequence[Row], groups: list[list[tuple[int, int]]]
) -> tuple[float, np.ndarray]:
    """Best-first search over sides that some ends are held to."""
    order = itertools.count()
    queue = [(float(sum(c.min() for c in costs)), next(order), costs)]
    while queue:
        bound, _, costs = heapq.heappop(queue)
        if not np.isfinite(bound):
            break
        chosen = np.array([np.unravel_index(int(c.argmin()), c.shape) for c in costs]).reshape(-1, 2)
        broken = next((g for g in groups if len({rows[r].sides[k][chosen[r, k]] for r, k in g}) == 1), None)
        if broken is None:
            return bound, chosen
        used = rows[broken[0][0]].sides[broken[0][1]][chosen[broken[0]]]
        # In any solution some end is the first that takes the other side: one branch for each.
        held = costs
        for row, end in broken:
            other = _restricted(held, row, end, rows[row].sides[end], LEFT + RIGHT - used)
            heapq.heappush(queue, (float(sum(c.min() for c in other)), next(order), other))
            held = _restricted(held, row, end, rows[row].sides[end], used)
    return float("inf"), np.zeros((len(rows), 2), dtype=np.int64)


def _restricted(costs: list[np.ndarray], row: int, end: int, sides: tuple[int, ...], side: int) -> list[np.ndarray]:
    """Costs with one end of one row held to a side."""
    result = list(costs)
    allowed = np.array(sides) == side
    result[row] = np.where(allowed[:, None] if end == 0 else allowed[None, :], costs[row], np.inf)
    return result
