"""The exact minimum over left and right against plain enumeration."""

import itertools

import numpy as np
import pytest

from interpose_ros.contact.assignment import LEFT, RIGHT, Row, best_assignment


def enumerate_all(rows, both_sides):
    """Every combination, as the definition says."""
    batch = len(rows[0].costs)
    ends = [(r, e, node) for r, row in enumerate(rows) for e, node in enumerate(row.nodes) if node is not None]
    need = []
    if both_sides:
        for node in {n for _, _, n in ends}:
            here = [(r, e) for r, e, n in ends if n == node]
            possible = 0
            for r, e in here:
                for side in rows[r].sides[e]:
                    possible |= side
            if len(here) > 1 and possible == LEFT | RIGHT:
                need.append(here)
    best = np.full(batch, np.inf)
    options = [list(itertools.product(range(r.costs.shape[1]), range(r.costs.shape[2]))) for r in rows]
    for combination in itertools.product(*options):
        used = [np.bitwise_or.reduce([rows[r].sides[e][combination[r][e]] for r, e in here]) for here in need]
        if all(u == LEFT | RIGHT for u in used):
            total = sum(row.costs[:, i, j] for row, (i, j) in zip(rows, combination, strict=True))
            best = np.minimum(best, total)
    return best


def random_rows(rng, count, parts=3, batch=2):
    rows = []
    for _ in range(count):
        nodes, sides = [], []
        for person in range(2):
            kind = rng.random()
            if kind < 0.15:
                nodes.append(None)
                sides.append((LEFT,))
            else:
                nodes.append((person, int(rng.integers(parts))))
                sides.append((LEFT, RIGHT) if kind < 0.85 else ((LEFT, RIGHT)[int(rng.integers(2))],))
        costs = rng.random((batch, len(sides[0]), len(sides[1])))
        rows.append(Row(costs, tuple(nodes), tuple(sides)))
    return rows


@pytest.mark.parametrize("both_sides", [True, False])
@pytest.mark.parametrize("seed", range(40))
def test_equals_enumeration_on_random_answers(seed, both_sides):
    rng = np.random.default_rng(seed)
    rows = random_rows(rng, int(rng.integers(1, 6)))
    result = best_assignment(rows, both_sides)
    np.testing.assert_allclose(result.total, enumerate_all(rows, both_sides))
    if np.all(np.isfinite(result.total)):
        for item in range(2):
            picked = sum(row.costs[item, i, j] for row, (i, j) in zip(rows, result.choices[item], strict=True))
            assert picked == pytest.approx(result.total[item])


def test_a_part_of_one_person_at_both_ends():
    # Two rows "hand - hand" of one person: a hand does not touch itself.
    costs = np.array([[[np.inf, 0.3], [0.2, np.inf]]])
    rows = [Row(costs, (("hand",), ("hand",)), ((LEFT, RIGHT), (LEFT, RIGHT)))]
    result = best_assignment(rows, both_sides=True)
    assert result.total[0] == pytest.approx(0.2)
    assert result.choices[0, 0].tolist() == [1, 0]


def test_twice_the_same_part_means_both_sides():
    near_left = np.array([[[0.1], [0.9]]])
    rows = [Row(near_left, (("hand",), None), ((LEFT, RIGHT), (LEFT,)))] * 2
    assert best_assignment(rows, both_sides=True).total[0] == pytest.approx(1.0)
    assert best_assignment(rows, both_sides=False).total[0] == pytest.approx(0.2)


def test_forty_rows_are_no_harder_than_a_few():
    # Enumeration would look at 4^40 combinations.
    rng = np.random.default_rng(0)
    rows = random_rows(rng, 40, parts=6)
    result = best_assignment(rows, both_sides=True)
    assert np.all(np.isfinite(result.total))
    # What the parts add to the rows' own minima is little, and never negative.
    loose = sum(row.costs.min(axis=(1, 2)) for row in rows)
    assert np.all(result.total >= loose - 1e-12)


def test_an_empty_answer_costs_nothing():
    assert best_assignment([], both_sides=True).total.tolist() == [0.0]
