"""The required figures can fail, and the written results are what the schema says."""

import json
from dataclasses import replace

import pytest

from interpose_ros.evaluation.drive_report import figures_text, report_html, results, table_text, write_results
from interpose_ros.evaluation.figures import figures_with_frames, figures_without_frames
from interpose_ros.evaluation.pairs import PairRecord

KEYS = {"stamp0", "stamp1", "true_rotation_deg", "overlap", "branch", "rotation_error_deg", "translation_error_deg",
        "confidence", "published", "reason", "pair_only_rotation_error_deg", "seconds"}  # fmt: skip


def _record(rotation, error=0.2, published=True, pair_only=0.2, direction=1.0):
    if not published:
        error = direction = None
    return PairRecord(1.5, 2.5, float(rotation), 0.4, "frames", error, direction, 0.9, published, "", pair_only, 0.1, 3)


@pytest.fixture
def good():
    return [_record(10)] * 20 + [_record(20, 0.6)] * 20 + [_record(40)] * 10 + [_record(70, 1.0)] * 40


def test_good_records_hold(good):
    assert all(figure.holds for figure in figures_with_frames(good))
    assert all(figure.holds for figure in figures_without_frames(good))


@pytest.mark.parametrize(
    ("spoiled", "name"),
    [
        (_record(10, 0.31), "below 15"),
        (_record(20, 0.71), "15 to 30"),
        (_record(70, published=False), "10 of translation"),
        (_record(70, direction=11.0), "10 of translation"),
        (_record(70, error=5.1), "10 of translation"),
        (_record(70, direction=None), "10 of translation"),
    ],
)
def test_every_figure_with_frames_can_fail(good, spoiled, name):
    figures = figures_with_frames(good + [spoiled] * 41)
    assert [figure.holds for figure in figures if name in figure.name] == [False]
    assert sum(not figure.holds for figure in figures) == 1


def test_too_few_wide_pairs_fail(good):
    assert [f.name for f in figures_with_frames(good[:-1]) if not f.holds] == ["pairs of 45 degrees and more"]


def test_every_figure_without_frames_can_fail(good):
    def fails(*more):
        return [figure.name[:15] for figure in figures_without_frames([*good, *more]) if not figure.holds]

    assert fails(_record(100, error=15.1)) == ["published more "]
    assert fails(*[_record(20, published=False)] * 3) == ["published below"]
    assert fails(*[_record(40, published=False)] * 3) == ["published of th"]
    # Where even the pair-only pose is wrong, a refusal is right; wide pairs may be refused.
    assert fails(*[_record(40, published=False, pair_only=6.0)] * 9, *[_record(80, published=False)] * 9) == []


def test_nothing_heard_does_not_hold():
    assert not any(figure.holds for figure in figures_with_frames([]) + figures_without_frames([]))


def test_results_follow_the_schema(tmp_path, good):
    refused = replace(_record(90, published=False), reason="too few", confidence=None)
    figures = {"with": figures_with_frames(good)}
    write_results(tmp_path / "new" / "results.json", results([*good, refused], good, figures, {"tf_edges": 16}))
    content = json.loads((tmp_path / "new" / "results.json").read_text())
    assert set(content) == {"pairs", "without_frames", "summary"}
    assert all(set(pair) == KEYS for pair in content["pairs"] + content["without_frames"])
    assert content["pairs"][-1]["rotation_error_deg"] is None
    assert content["pairs"][-1]["published"] is False
    assert content["summary"]["figures_hold"] is True
    assert content["summary"]["tf_edges"] == 16
    assert content["summary"]["note"] == "One trajectory of one scene."


def test_results_refuse_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_results(tmp_path / "results.json", {"value": float("nan")})


def test_the_report_stands_alone_and_says_how_much_it_is_worth(good):
    figures = {"with frames": figures_with_frames([*good, _record(70, published=False)])}
    odd = replace(_record(90, published=False), reason="<few> & wrong")
    page = report_html([*good, odd], good, figures, [("Pictures", "<p>here</p>")])
    assert page.count("One trajectory of one scene.") >= 4
    assert "CC BY 4.0" in page
    assert "&lt;few&gt; &amp; wrong" in page
    for outside in ('src="http', 'href="http', "<script", "@import"):
        assert outside not in page


def test_the_table_shows_every_bin(good):
    text = table_text(good)
    assert " 60 to 180 deg       40         40     40" in text
    assert "One trajectory of one scene." in text
    assert "FAILS" in figures_text({"run": figures_with_frames([])})
