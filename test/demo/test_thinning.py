"""Frames in between taken away, and what the curve counts."""

from __future__ import annotations

import pytest

from interpose_ros.evaluation.pairs import PairRecord
from interpose_ros.evaluation.thinning import thinned, thinning_curve, thinning_html, thinning_text


def _record(rotation, error=0.2, published=True):
    direction = 1.0 if published else None
    return PairRecord(
        1.5,
        2.5,
        float(rotation),
        0.4,
        "frames",
        error if published else None,
        direction,
        0.9,
        published,
        "",
        0.2,
        0.1,
        3,
    )


@pytest.mark.parametrize(
    ("count", "one_of", "left"),
    [(7, 1, [0, 1, 2, 3, 4, 5, 6]), (7, 2, [1, 3, 5]), (7, 3, [1, 4]), (1, 2, []), (2, 3, [1]), (0, 3, [])],
)
def test_which_frames_are_left(count, one_of, left):
    assert thinned(range(count), one_of) == left


def test_the_curve_counts_wide_pairs_only_and_says_what_went_wrong():
    curve = thinning_curve(
        {
            "all": [_record(44, published=False), _record(45), _record(90), _record(170)],
            "one of two": [_record(60), _record(70, error=16.0), _record(80, published=False), _record(90, error=6.0)],
            "none": [],
        }
    )
    assert [(row["pairs"], row["published"], row["right"], row["more_than_15_deg_off"]) for row in curve] == [
        (3, 3, 3, 0),
        (4, 3, 1, 1),
        (0, 0, 0, 0),
    ]
    assert [row["right_percent"] for row in curve] == [100.0, 25.0, None]
    assert "one of two          4          3      1   25 %" in thinning_text(curve)
    assert "<td>one of two</td><td>4</td><td>3</td><td>1</td><td>25 %</td><td>1</td>" in thinning_html(curve)
