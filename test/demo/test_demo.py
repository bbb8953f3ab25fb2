"""The whole demo on four images: two nodes, the player, the comparison, the files, the exit status."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")
pytestmark = pytest.mark.ros

from .short_bag import cut

KEYS = {"stamp0", "stamp1", "true_rotation_deg", "overlap", "branch", "rotation_error_deg", "translation_error_deg",
        "confidence", "published", "reason", "pair_only_rotation_error_deg", "seconds"}  # fmt: skip


def test_four_images_end_to_end(tmp_path):
    stamps = cut(tmp_path / "bag", 1, 5)
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "interpose_ros.ros.demo",
            "--bag",
            str(tmp_path / "bag"),
            "--out",
            str(tmp_path / "out"),
        ],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert (tmp_path / "out" / "results.json").exists(), ended.stderr
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    expected = {(a, b) for a in stamps for b in stamps if a < b}
    for run in ("pairs", "without_frames"):
        assert all(set(pair) == KEYS for pair in content[run])
        heard = {(round(pair["stamp0"] * 1e6), round(pair["stamp1"] * 1e6)) for pair in content[run]}
        assert heard == {(a // 1000, b // 1000) for a, b in expected}, "every pair was answered, none twice"
        for pair in content[run]:
            assert (pair["rotation_error_deg"] is None) == (not pair["published"])
            assert bool(pair["reason"]) == (not pair["published"])
    assert not any(pair["branch"] == "frames" for pair in content["without_frames"])

    # Neighbours overlap: both runs answer them, and well.
    for run in ("pairs", "without_frames"):
        neighbours = [p for p in content[run] if p["stamp1"] - p["stamp0"] < 1.2]
        assert len(neighbours) == 3
        assert all(p["published"] and p["rotation_error_deg"] < 2 for p in neighbours)
    summary = content["summary"]
    assert summary["lengths"]["with_length"] >= 3
    assert summary["lengths"]["median_relative_error"] < 0.1
    assert [row["frames_left"] for row in summary["fewer_frames"]] == ["all", "one of two", "one of three"]

    # Four images have not forty wide pairs, so the figures cannot hold.
    assert summary["figures_hold"] is False
    assert ended.returncode == 1
    assert "FAILS  pairs of 45 degrees and more" in ended.stdout
    assert "never answered" not in ended.stdout
    report = (tmp_path / "out" / "report.html").read_text()
    assert report.count("<img") >= 4
    assert "<svg" in report


def test_a_bag_that_is_not_there_is_named(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "interpose_ros.ros.demo", "--bag", str(tmp_path), "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert str(tmp_path) in ended.stderr
