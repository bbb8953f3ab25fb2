"""Runs: durable rows, kills at any moment, other runs in the folder, and what stops a run before it begins."""

import json
import os
import signal
import subprocess
import sys

import pytest

from interpose_ros.config import FeatureConfig, InterposeConfig
from interpose_ros.engine.protocol import Finished, Lost
from interpose_ros.evaluation.journal import JournalError, open_journal, read_rows
from interpose_ros.evaluation.measured_pair import ToolsFactory
from interpose_ros.evaluation.pair_files import PairFileError
from interpose_ros.evaluation.run import RunSettings, evaluate
from interpose_ros.evaluation.run_record import OtherRunError

from .pair_sets import write_pairs
from .rows import candidate, row

SETTINGS = RunSettings(InterposeConfig(), ToolsFactory(("features",), ("recorded",), False))


class HandMade:
    """An engine that gives hand-made rows, last job first, and notes which pairs it was asked for."""

    name = "hand-made"

    def __init__(self, lost=()):
        self.asked, self.lost = [], lost

    def run(self, task, jobs):
        self.asked += [job.number for job in jobs]
        for number in reversed(range(len(jobs))):
            if jobs[number].number in self.lost:
                yield Lost(number, "three workers died of it")
            else:
                yield Finished(number, row(jobs[number].number, [candidate(2.0, selected=True)], true_direction=False))


def test_run_writes_rows_record_and_summary(tmp_path):
    seen = []
    summary = evaluate(
        write_pairs(tmp_path, 3), tmp_path / "out", SETTINGS, HandMade(), lambda r, done, of: seen.append((done, of))
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert [r["pair"] for r in read_rows(tmp_path / "out/rows.jsonl")] == [2, 1, 0]
    assert json.loads((tmp_path / "out/summary.json").read_text()) == summary
    assert (summary["n"], summary["mre_deg"]) == (3, 2.0)
    record = json.loads((tmp_path / "out/run.json").read_text())
    (session,) = record["sessions"]
    assert {"machine", "versions", "commit", "date", "engine"} <= set(session)
    assert session["versions"]["numpy"]
    assert len(record["pairs"]["sha256"]) == 64
    assert record["config"]["estimator"] == "features"


def test_a_finished_run_is_summarised_again_and_nothing_is_done_again(tmp_path):
    pairs, engine = write_pairs(tmp_path, 3), HandMade()
    first = evaluate(pairs, tmp_path / "out", SETTINGS, HandMade())
    assert evaluate(pairs, tmp_path / "out", SETTINGS, engine) == first
    assert engine.asked == []
    assert len(json.loads((tmp_path / "out/run.json").read_text())["sessions"]) == 2


@pytest.mark.parametrize("kept", [0, 1, 40, -1])
def test_a_torn_last_row_is_done_again(tmp_path, kept):
    pairs, engine = write_pairs(tmp_path, 3), HandMade()
    whole = evaluate(pairs, tmp_path / "out", SETTINGS, HandMade())
    path = tmp_path / "out/rows.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1] + lines[2][:kept])  # -1: all but the newline
    assert evaluate(pairs, tmp_path / "out", SETTINGS, engine) == whole
    assert engine.asked == [0]
    session = json.loads((tmp_path / "out/run.json").read_text())["sessions"][-1]
    assert (session["rows_before"], session["torn_row_dropped"]) == (2, kept != 0)
    assert sorted(r["pair"] for r in read_rows(path)) == [0, 1, 2]


def test_a_damaged_row_in_the_middle_is_no_torn_row(tmp_path):
    pairs = write_pairs(tmp_path, 3)
    evaluate(pairs, tmp_path / "out", SETTINGS, HandMade())
    path = tmp_path / "out/rows.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:20] + b"\n" + lines[2])
    with pytest.raises(JournalError, match="line 2 is damaged"):
        evaluate(pairs, tmp_path / "out", SETTINGS, HandMade())


KILLED = """
import os, signal, sys
from pathlib import Path
from interpose_ros.config import InterposeConfig
from interpose_ros.engine.protocol import Lost
from interpose_ros.evaluation.measured_pair import ToolsFactory
from interpose_ros.evaluation.run import RunSettings, evaluate

class Interrupted:
    name = "interrupted"

    def run(self, task, jobs):
        for number in range(int(sys.argv[3])):
            yield Lost(number, "")
        with (Path(sys.argv[2]) / "rows.jsonl").open("ab") as stream:
            stream.write(b'{"pair":1,"sc')  # what a write that was cut off leaves
        os.kill(os.getpid(), signal.SIGKILL)

settings = RunSettings(InterposeConfig(), ToolsFactory(("features",), ("recorded",), False))
evaluate(Path(sys.argv[1]), Path(sys.argv[2]), settings, Interrupted())
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    pairs, out = write_pairs(tmp_path, 7), tmp_path / "out"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(pairs), str(out), "5"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(read_rows(out / "rows.jsonl")) == 5
    assert not (out / "summary.json").exists()
    engine = HandMade()
    assert evaluate(pairs, out, SETTINGS, engine)["n"] == 7
    assert len(engine.asked) == 2
    assert sorted(r["pair"] for r in read_rows(out / "rows.jsonl")) == list(range(7))


def test_another_run_in_the_folder_is_refused(tmp_path):
    pairs, out = write_pairs(tmp_path, 2), tmp_path / "out"
    evaluate(pairs, out, SETTINGS, HandMade())
    other = RunSettings(InterposeConfig(features=FeatureConfig(max_keypoints=512)), SETTINGS.tools)
    with pytest.raises(OtherRunError, match=r"config.features.max_keypoints is 2048 there and 512 now.*another DIR"):
        evaluate(pairs, out, other, HandMade())
    without = RunSettings(InterposeConfig(), ToolsFactory(("features",), (), False))
    with pytest.raises(OtherRunError, match="interpolators"):
        evaluate(pairs, out, without, HandMade())
    write_pairs(tmp_path, 2, name="changed")
    with pytest.raises(OtherRunError, match="sha256"):
        evaluate(pairs, out, SETTINGS, HandMade())
    assert len(read_rows(out / "rows.jsonl")) == 2


def test_a_run_without_rows_binds_nobody(tmp_path):
    class Failing(HandMade):
        def run(self, task, jobs):
            raise FileNotFoundError("weights are missing")

    pairs, out = write_pairs(tmp_path, 2), tmp_path / "out"
    with pytest.raises(FileNotFoundError):
        evaluate(pairs, out, SETTINGS, Failing())
    other = RunSettings(InterposeConfig(features=FeatureConfig(max_keypoints=512)), SETTINGS.tools)
    assert evaluate(pairs, out, other, HandMade())["n"] == 2
    assert json.loads((out / "run.json").read_text())["config"]["features"]["max_keypoints"] == 512


def test_rows_of_unknown_origin_are_refused(tmp_path):
    pairs, out = write_pairs(tmp_path, 2), tmp_path / "out"
    out.mkdir()
    (out / "rows.jsonl").write_text('{"pair": 0}\n')
    with pytest.raises(OtherRunError, match=r"no run\.json"):
        evaluate(pairs, out, SETTINGS, HandMade())


def test_two_runs_cannot_write_to_one_folder(tmp_path):
    with (
        open_journal(tmp_path / "rows.jsonl"),
        pytest.raises(JournalError, match="another run is writing"),
        open_journal(tmp_path / "rows.jsonl"),
    ):
        pass


def test_a_lost_pair_is_a_refusal(tmp_path):
    summary = evaluate(write_pairs(tmp_path, 3), tmp_path / "out", SETTINGS, HandMade(lost=[1]))
    (lost,) = [r for r in read_rows(tmp_path / "out/rows.jsonl") if r["pair"] == 1]
    assert (lost["status"], lost["reason"], lost["R_b_a"]) == ("internal", "three workers died of it", None)
    assert (summary["answered"], summary["refused"]) == (2, 1)


def test_missing_images_stop_the_run_before_it_begins(tmp_path):
    pairs = write_pairs(tmp_path, 3)
    (tmp_path / "1.png").unlink()
    with pytest.raises(PairFileError, match=r"1 of the 4 images .*1\.png.*relative to the folder"):
        evaluate(pairs, tmp_path / "out", SETTINGS, HandMade())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"pairs": []}', '{"pairs": [{"image0": "a.png"}]}'])
def test_files_that_are_no_pair_files_are_named(tmp_path, text):
    path = tmp_path / "pairs.json"
    path.write_text(text)
    with pytest.raises(PairFileError, match=r"pairs\.json"):
        evaluate(path, tmp_path / "out", SETTINGS, HandMade())


def test_rows_are_synced_one_by_one(tmp_path, monkeypatch):
    synced = []
    real, path = os.fsync, tmp_path / "rows.jsonl"
    with open_journal(tmp_path / "rows.jsonl") as journal:
        monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(path.read_bytes()), real(descriptor)))
        journal.append({"pair": 0})
        journal.append({"pair": 1})
    assert synced == [b'{"pair":0}\n', b'{"pair":0}\n{"pair":1}\n']
    with open_journal(tmp_path / "rows.jsonl") as journal, pytest.raises(ValueError, match="not JSON compliant"):
        journal.append({"pair": float("nan")})
    assert len(read_rows(tmp_path / "rows.jsonl")) == 2
