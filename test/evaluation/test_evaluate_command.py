"""``interpose evaluate`` and ``replay`` with the real networks on three real images, and what is said to wrong options."""

import json
from pathlib import Path

import pytest

from interpose_ros.cli import main
from interpose_ros.evaluation.replay.bag import open_bag
from interpose_ros.evaluation.replay.images import image_stamps
from interpose_ros.evaluation.replay.poses import seconds
from interpose_ros.evaluation.replay.topics import image_topic
from interpose_ros.evaluation.run_record import begin_run

from .pair_sets import write_pairs

BAG = Path(__file__).resolve().parents[2] / "data" / "fr3_office_1hz"
QUICK = ["--set", "features.second_opinion=false"]


def test_every_hypothesis_of_a_real_pair_stands_beside_the_truth(tmp_path, capsys):
    with open_bag(BAG) as bag:
        stamps, _ = image_stamps(bag, image_topic(bag, None))
    listed, out = tmp_path / "list.txt", tmp_path / "out"
    listed.write_text("\n".join(seconds(stamps[k]) for k in (1, 3)))
    command = [
        "replay",
        str(BAG),
        "--out",
        str(out),
        "--keyframes",
        "list",
        "--keyframe-list",
        str(listed),
        "--gap",
        "1",
    ]
    assert main([*command, *QUICK]) == 0
    (row,) = (json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines())
    assert (row["answered"], row["branch"], row["estimator"], row["frames_offered"]) == (True, "matches", "matches", 1)
    assert row["rotation_error_deg"] < 1.0
    assert row["translation_error_deg"] < 10.0
    assert row["confidence"]["calibration_id"] != "UNCALIBRATED"
    assert len(row["matches"]["pixels0"]) == len(row["matches"]["pixels1"]) == min(150, row["matches"]["count"])
    alone, with_frames = row["candidates"]
    assert (alone["selected"], alone["weighed"], alone["interpolator"]) == (True, True, None)
    assert (with_frames["estimator"], with_frames["interpolator"]) == ("features", "recorded")
    assert (with_frames["selected"], with_frames["weighed"], with_frames["frames_used"]) == (False, False, 1)
    assert with_frames["rotation_error_deg"] < 2.0
    assert row["seconds"] == pytest.approx(sum(row["stage_seconds"].values()), rel=0.2)
    summary = json.loads((out / "summary.json").read_text())
    assert [h["frames"] for h in summary["hypotheses"]] == ["pair only", "recorded"]
    assert summary["oracle"]["mre_deg"] <= summary["mre_deg"]
    assert "best of all (oracle)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "frames.most=3"], "frames.most"),
        (["--set", "max_frames"], "NAME=VALUE"),
        (["--set", "frames.max_frames.x=3"], "frames.max_frames: Input should be a valid integer"),
        (["--set", "frames.max_frames=3", "--set", "frames.max_frames.x=3"], "NAME=VALUE"),
        (["--interpolator", "one", "two"], "with one preset"),
        (["--interpolator", "recorded", "nothing"], "no preset of a video model is called 'nothing'"),
        (["--estimator", "dust3r"], "weights"),
    ],
)
def test_wrong_options_are_named_and_bind_nobody(options, said, tmp_path, capsys):
    pairs = write_pairs(tmp_path, 1)
    assert main(["evaluate", str(pairs), "--out", str(tmp_path / "out"), *options]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out/rows.jsonl").exists() or not (tmp_path / "out/rows.jsonl").stat().st_size


@pytest.mark.parametrize("name", ["cloud", "ray://", "ray:8"])
def test_an_engine_of_another_kind_is_refused_before_anything_is_done(name, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "pairs.json", "--out", str(tmp_path / "out"), "--engine", name])
    assert stopped.value.code == 2
    assert "write local, ray, or ray://HOST:PORT" in capsys.readouterr().err


def test_the_record_says_which_commit_and_machine(tmp_path):
    record = begin_run(tmp_path, {"pairs": 1}, {"engine": "x"})
    (session,) = record["sessions"]
    assert session["machine"]["cores"] >= 1
    assert session["commit"] is None or len(session["commit"].removesuffix("-dirty")) == 40
