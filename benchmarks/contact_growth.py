"""How the cost of settling left and right grows with the contacts of an answer: exact search and plain enumeration."""

from __future__ import annotations

import itertools
import time

import numpy as np

from interpose_ros.contact.assignment import LEFT, RIGHT, Row, best_assignment

_MOST_ENUMERATED = 9


def growth(counts: tuple[int, ...] = (2, 4, 6, 8, 9, 16, 32), repeats: int = 5) -> dict[str, dict[str, float | None]]:
    """Milliseconds per answer, by the number of contacts; None where enumeration would take minutes.

    Raises:
        RuntimeError: the two disagree.
    """
    result: dict[str, dict[str, float | None]] = {}
    for count in counts:
        search, enumeration = [], []
        for seed in range(repeats):
            rows = _answer(np.random.default_rng([count, seed]), count)
            began = time.perf_counter()
            found = float(best_assignment(rows, both_sides=True).total[0])
            search.append(time.perf_counter() - began)
            if count <= _MOST_ENUMERATED:
                began = time.perf_counter()
                listed = _enumerated(rows)
                enumeration.append(time.perf_counter() - began)
                if abs(found - listed) > 1e-9 and np.isfinite(listed):
                    raise RuntimeError(f"search found {found}, enumeration {listed}")
        listed_ms = 1e3 * float(np.mean(enumeration)) if enumeration else None
        result[str(count)] = {"search_ms": 1e3 * float(np.mean(search)), "enumeration_ms": listed_ms}
    return result


def _answer(rng: np.random.Generator, count: int) -> list[Row]:
    sides = (LEFT, RIGHT)
    nodes = [tuple((person, int(rng.integers(6))) for person in range(2)) for _ in range(count)]
    return [Row(rng.random((1, 2, 2)), (first, second), (sides, sides)) for first, second in nodes]


def _enumerated(rows: list[Row]) -> float:
    ends: dict[object, list[tuple[int, int]]] = {}
    for number, row in enumerate(rows):
        for end, node in enumerate(row.nodes):
            ends.setdefault(node, []).append((number, end))
    coupled = [some for some in ends.values() if len(some) > 1]
    best = np.inf
    for choice in itertools.product(itertools.product((0, 1), repeat=2), repeat=len(rows)):
        if all(len({choice[r][e] for r, e in some}) == 2 for some in coupled):
            best = min(best, float(sum(row.costs[0, i, j] for row, (i, j) in zip(rows, choice, strict=True))))
    return best
