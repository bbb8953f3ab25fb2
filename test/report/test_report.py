"""The report's file: what is in it, what names from outside may do in it (nothing), and how large it may grow."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from interpose_ros.cli import main
from interpose_ros.evaluation.report.content import report_content
from interpose_ros.evaluation.report.curves import recall_curves, risk_coverage_curves
from interpose_ros.evaluation.report.run_folder import RunFolderError, read_run
from interpose_ros.evaluation.report.thumbnails import Album
from interpose_ros.evaluation.report.trajectories import trajectory_figure
from interpose_ros.evaluation.report.write import write_report
from interpose_ros.exit_status import EXIT_FAILED, EXIT_OK

from .made_up_run import HOSTILE, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return write_run(tmp_path_factory.mktemp("report") / "run")


def embedded(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', page, re.S).group(1))


def test_names_from_outside_cannot_leave_their_place(run):
    page = write_report(run).read_text(encoding="utf-8")
    # The head, the data and the code each end once: nothing in the data closed an element.
    assert page.count("</script>") == 2
    assert "<img" not in page
    names = {name for pair in embedded(page)["pairs"] for name in pair["names"]}
    assert HOSTILE in names


def test_the_page_asks_for_nothing(run):
    page = write_report(run).read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert not re.search(r'(src|href)="(?!data:)', markup)
    assert "http:" not in markup
    assert "https:" not in markup


def test_the_title_is_escaped(tmp_path):
    page = write_report(write_run(tmp_path / "run", pairs=5, name="<b>x</b> & y")).read_text(encoding="utf-8")
    assert "<title>&lt;b&gt;x&lt;/b&gt; &amp; y: relative poses</title>" in page


def test_headline_figures_are_those_of_the_summary(run):
    content = report_content(read_run(run))
    summary = json.loads((run / "summary.json").read_text())
    cards = {card["label"]: card for card in content["headline"]}
    related = summary["answered"] + summary["refused"]
    assert cards["answered"]["value"] == f"{summary['answered']} of {related}"
    assert cards["rotation within 5°"]["value"] == f"{100 * summary['recall_deg']['5']['rotation']:.1f} %"
    low, high = summary["intervals"]["figures"]["recall_deg.5.rotation"]
    assert cards["rotation within 5°"]["interval"] == f"{100 * low:.1f} % to {100 * high:.1f} %"
    assert cards["unrelated pairs answered"]["value"] == "0 of 8"


def test_recall_counts_refusals_as_misses(run):
    rows = read_run(run).rows
    curve = next(c for c in recall_curves(rows) if c["name"] == "answers: rotation")
    related = [r for r in rows if r["related"]]
    at_5 = dict(map(tuple, curve["points"]))[5.0]
    right = sum(r["rotation_error_deg"] is not None and r["rotation_error_deg"] <= 5.0 for r in related)
    assert at_5 == pytest.approx(right / len(related), abs=1e-4)


def test_rankings_are_compared_over_the_same_estimates(run):
    curves = {c["name"]: c["points"] for c in risk_coverage_curves(read_run(run).rows)}
    assert set(curves) == {"confidence", "verified matches", "overlap"}
    # With everything kept, every ranking has the same risk.
    assert len({points[-1][1] for points in curves.values()}) == 1
    # Answers are right and confident here, the others neither.
    assert curves["confidence"][0][1] == 0.0


def test_matches_stand_in_thousandths_of_the_images(run):
    pair = report_content(read_run(run))["pairs"][0]
    # Pixel (3, 4) of 320x240, centres at integers.
    assert pair["matches"]["lines"][0][:2] == [round(3.5 / 320 * 1000), round(4.5 / 240 * 1000)]
    assert pair["matches"]["count"] == 200


def test_a_run_under_way_says_so(tmp_path):
    folder = write_run(tmp_path / "run", pairs=12)
    (folder / "summary.json").unlink()
    with (folder / "rows.jsonl").open("a") as stream:
        stream.write('{"pair": 12, "sce')
    content = report_content(read_run(folder))
    assert len(content["pairs"]) == 12
    assert any("has not ended" in note for note in content["notes"])


def test_published_figures_stand_beside_ours(tmp_path):
    folder = write_run(tmp_path / "run", pairs=12, protocol="scannet-50-65")
    ours, *theirs = report_content(read_run(folder))["published"]["rows"]
    summary = json.loads((folder / "summary.json").read_text())
    assert (ours["mre_deg"], ours["auc30"]) == (summary["mre_deg"], summary["auc30_min"])
    assert ours["mte_deg"] == summary["mte_deg"]["sign_blind"]
    # DUSt3R on pairs alone, as InterPose reports it.
    assert any((row["mre_deg"], row["mte_deg"], row["auc30"]) == (21.31, 24.72, 0.6034) for row in theirs)
    assert report_content(read_run(write_run(tmp_path / "other", pairs=12)))["published"] is None


def test_hundreds_of_pairs_keep_the_file_small(tmp_path):
    folder = write_run(tmp_path / "run", pairs=400, images=150)
    assert write_report(folder).stat().st_size < 12e6


def test_pictures_shrink_with_their_number_and_the_rest_is_counted(tmp_path):
    write_run(tmp_path / "run", pairs=2, images=30)
    files = [str(f) for f in sorted((tmp_path / "images <b>").iterdir())]
    few, many, none = Album(), Album(), Album()
    few.add(files[:2], 200_000)
    many.add(files, 60_000)
    none.add(files, 5_000)
    assert max(map(len, many.urls)) < min(map(len, few.urls))
    assert none.left_out > 0
    assert sum(map(len, none.urls)) < 5_000 + 8_000
    assert few.sizes[files[0]] == (320, 240)


def test_missing_images_leave_the_figures_alone(tmp_path):
    folder = write_run(tmp_path / "run", pairs=10)
    for file in (tmp_path / "images <b>").iterdir():
        file.unlink()
    content = report_content(read_run(folder))
    assert content["images"] == []
    assert content["pairs"][0]["images"] == [None, None]
    assert content["headline"][0]["value"].endswith("of 8")


def test_a_trajectory_is_aligned_with_its_truth(tmp_path):
    angles = np.linspace(0.0, 2.0, 50)
    truth = np.stack([np.cos(angles), np.sin(angles), 0.1 * angles], 1)
    turned = 0.5 * truth @ np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]).T + [3.0, 0.0, 1.0]
    for name, positions in (("truth.tum", truth), ("trajectory.tum", turned)):
        rows = np.hstack([np.arange(50.0)[:, None], positions, np.tile([0.0, 0.0, 0.0, 1.0], (50, 1))])
        np.savetxt(tmp_path / name, rows)
    figure = trajectory_figure(tmp_path)
    assert figure["rmse"] == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(figure["estimate"], figure["truth"], atol=2e-4)
    (tmp_path / "trajectory.tum").write_text("no trajectory\n")
    assert trajectory_figure(tmp_path) is None


def test_the_command_writes_the_page_and_says_where(run, capsys):
    assert main(["report", str(run)]) == EXIT_OK
    assert capsys.readouterr().out.strip() == str(run / "report.html")


def test_a_folder_without_a_run_is_a_sentence(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == EXIT_FAILED
    assert "has no rows.jsonl: name the folder" in capsys.readouterr().err
    (tmp_path / "rows.jsonl").write_text("")
    with pytest.raises(RunFolderError, match="holds no row yet"):
        read_run(tmp_path)
