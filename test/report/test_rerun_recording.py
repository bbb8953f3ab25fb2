"""The 3D recording, written and read back: poses by hand, refusals without a camera B, the truth where the file has it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from interpose_ros.cli import main
from interpose_ros.evaluation.report.rerun_recording import MissingRerunError, write_recording
from interpose_ros.evaluation.report.run_folder import read_run
from interpose_ros.exit_status import EXIT_OK

from .made_up_run import write_run

QUARTER_TURN = [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]


@pytest.fixture
def run(tmp_path) -> Path:
    """Three pairs; the second is a refusal, the first has a pose, a baseline of 0.5 and a truth in the pair file."""
    folder = write_run(tmp_path / "run", pairs=3)
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    rows[0] |= {"answered": True, "R_b_a": QUARTER_TURN, "direction_b_a": [0.0, 0.0, 1.0], "rotation_error_deg": 2.0}
    rows[1] |= {"answered": False, "R_b_a": None, "direction_b_a": None, "rotation_error_deg": None}
    rows[2] |= {"answered": True, "R_b_a": np.eye(3).tolist(), "direction_b_a": None, "rotation_error_deg": 3.0}
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    K = [[300.0, 0.0, 159.5], [0.0, 300.0, 119.5], [0.0, 0.0, 1.0]]
    T_0to1 = np.eye(4)
    T_0to1[:3, 3] = [0.0, 0.0, -0.5]
    pairs = [{"image0": r["image0"], "image1": r["image1"], "K0": K, "K1": K, "T_0to1": T_0to1.tolist()} for r in rows]
    (tmp_path / "pairs.json").write_text(json.dumps({"pairs": pairs}))
    record = json.loads((folder / "run.json").read_text())
    record["pairs"]["file"] = str(tmp_path / "pairs.json")
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def read_back(path: Path) -> dict[str, dict[int, dict]]:
    """Per entity and pair, the logged components by name."""
    chunk = pytest.importorskip("rerun.chunk", reason="needs a newer Rerun SDK: pip install 'interpose-ros[viewer]'")
    found: dict[str, dict[int, dict]] = {}
    for part in chunk.RrdReader(str(path)).stream().to_chunks():
        batch = part.to_record_batch()
        if "pair" not in batch.schema.names:
            continue
        steps = found.setdefault(str(part.entity_path), {})
        for name in (n for n in batch.schema.names if ":" in n):  # components; the others are indices
            for step, value in zip(batch.column("pair").to_pylist(), batch.column(name).to_pylist(), strict=True):
                if value is not None:
                    steps.setdefault(step, {})[name] = value
    return found


def test_cameras_stand_where_they_were_estimated_and_where_they_were(run, tmp_path):
    pytest.importorskip("rerun", reason="needs the Rerun SDK: pip install 'interpose-ros[viewer]'")
    assert main(["report", str(run), "--rerun", str(tmp_path / "out.rrd")]) == EXIT_OK
    found = read_back(tmp_path / "out.rrd")
    # p_b = R p_a + t with t = 0.5 z: the centre of b lies at -R^T t = (0.5, 0, 0) of a.
    [translation] = found["/pair/b"][0]["Transform3D:translation"]
    np.testing.assert_allclose(translation, [0.5, 0.0, 0.0], atol=1e-6)
    # Stored by columns; R_a_b is the transpose of R_b_a.
    [matrix] = found["/pair/b"][0]["Transform3D:mat3x3"]
    np.testing.assert_allclose(np.reshape(matrix, (3, 3)), QUARTER_TURN, atol=1e-6)
    [truth] = found["/pair/b_true"][0]["Transform3D:translation"]
    np.testing.assert_allclose(truth, [0.0, 0.0, 0.5], atol=1e-6)
    assert set(found["/pair/a"]) == {0, 1, 2}
    # A refusal has no camera B, nor one left over from the pair before.
    assert set(found["/pair/b"]) == {0, 2}
    assert set(found["/pair"]) == {0, 1, 2}
    [error] = found["/rotation_error_deg"][2]["Scalars:scalars"]
    assert error == 3.0


def test_images_are_embedded_with_their_cameras(run, tmp_path):
    pytest.importorskip("rerun", reason="needs the Rerun SDK: pip install 'interpose-ros[viewer]'")
    write_recording(read_run(run), tmp_path / "out.rrd")
    image = read_back(tmp_path / "out.rrd")["/pair/a/image"][0]
    blob = next(value for name, value in image.items() if name.startswith("EncodedImage") and "blob" in name)
    assert bytes(blob[0])[:3] == b"\xff\xd8\xff"
    [matrix] = image["Pinhole:image_from_camera"]
    # Columns; the principal point counts from the corner.
    np.testing.assert_allclose(np.reshape(matrix, (3, 3)).T, [[300, 0, 160], [0, 300, 120], [0, 0, 1]], atol=1e-4)


def test_without_the_sdk_a_sentence_says_what_to_install(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(MissingRerunError, match=r"pip install 'interpose-ros\[viewer\]'"):
        write_recording(read_run(run), tmp_path / "out.rrd")
