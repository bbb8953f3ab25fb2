"""What a user with a GPU would type, on a tiny model with random weights: every step of it, and no pose."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from interpose_ros.cli import main
from interpose_ros.exit_status import EXIT_FAILED, EXIT_REFUSED

from .conftest import tiny_preset
from .random_dust3r import save_images, save_random_dust3r

INTRINSICS = ["--intrinsics", "150", "150", "79.5", "59.5"]
REFUSALS = ("no_overlap", "inconsistent", "ambiguous", "low_confidence")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A DUSt3R checkpoint with weights as training starts from."""
    return str(save_random_dust3r(tmp_path_factory.mktemp("dust3r")))


@pytest.fixture
def preset(tmp_path: Path) -> str:
    """A preset for tiny models."""
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_preset().model_dump_json(exclude={"name"}))
    return str(path)


def command(folder: Path, preset: str, *more: str) -> list[str]:
    a, b = save_images(folder, 2)
    cache = f"video.cache.folder={folder / 'clips'}"
    return ["estimate", a, b, *INTRINSICS, "--interpolator", preset, "--set", cache, *more]


@pytest.mark.parametrize("name", ["wan_vace", "wan_a14b"])
def test_random_weights_end_in_a_refusal_with_its_reason(
    checkpoint, weights: str, preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    out = tmp_path / "out"
    status = main([
        *command(tmp_path, preset, "--video-folder", str(checkpoint(name)), "--estimator", "dust3r", "--weights", weights),
        "--set", "video.clips=2", "--out", str(out),
    ])  # fmt: skip
    shown = capsys.readouterr()
    assert status == EXIT_REFUSED
    answer = json.loads((out / "answer.json").read_text())
    assert json.loads(shown.out) == answer
    assert answer["status"] in REFUSALS
    assert answer["status"] in shown.err
    assert answer["reason"]
    assert answer["R_b_a"] is None
    assert answer["direction_b_a"] is None
    assert answer["confidence"] is None
    assert not any(candidate["selected"] for candidate in answer["candidates"])
    assert {c["interpolator"] for c in answer["candidates"] if c["estimator"] == "dust3r"} <= {"tiny", None}
    clips = answer["clips"]
    assert [clip["direction"] for clip in clips] == ["forward", "backward"]
    assert [clip["settings"]["seed"] for clip in clips] == ["0", "0"]
    assert all(clip["generated"] and clip["findings"]["last_reached"] == 0.0 for clip in clips)
    for text in ("clip 1/2 forward", "clip 2/2 backward", "2/2"):
        assert text in shown.err, "progress per clip and step"
    picture = cv2.imread(str(out / "picture.jpg"))
    assert picture.shape[0] == 2 * (120 + 8 + 6)
    for number, clip in enumerate(clips, start=1):
        frames = sorted((out / f"clip_{number}").glob("*.jpg"))
        assert len(frames) == clip["frames_looked_at"] > 0
        assert cv2.imread(str(frames[0])).shape == (64, 96, 3)


def test_a_second_run_reads_the_clips_from_disk(
    checkpoint, weights: str, preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = command(
        tmp_path, preset, "--video-folder", str(checkpoint("wan_vace")), "--set", "video.clips=1", "--prompt", "A shed.",
    )  # fmt: skip
    assert main(line) == EXIT_REFUSED
    first = json.loads(capsys.readouterr().out)
    assert first["clips"][0]["settings"]["prompt"] == "A shed."
    assert main([*line, "--out", str(tmp_path / "answer.json")]) == EXIT_REFUSED
    shown = capsys.readouterr()
    assert "from disk" in shown.err
    assert json.loads((tmp_path / "answer.json").read_text())["clips"] == first["clips"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--video-folder", "{ti2v}"], "ignores the last frame"),
        (["--video-folder", "{missing}"], "interpose models pull tiny"),
        (["--video-folder", "{vace}", "--prompt", "The camera turns left."], "speaks of the camera"),
        (["--video-folder", "{vace}", "--set", "video.clips=1000"], "video.clips"),
        (["--video-folder", "{vace}", "--set", "video.colour=red"], "video.colour"),
        (["--video-folder", "{vace}", "--set", "video"], "NAME=VALUE"),
        (["--video-folder", "{vace}", "--set", "video.frames=10"], "9 or 13"),
    ],
)
def test_what_cannot_work_is_said_in_a_sentence(
    checkpoint, preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    places = {"ti2v": checkpoint("wan_ti2v_5b"), "missing": tmp_path / "nothing", "vace": checkpoint("wan_vace")}
    assert main(command(tmp_path, preset, *(part.format(**places) for part in more))) == EXIT_FAILED
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_an_unknown_preset_is_answered_with_those_that_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(tmp_path, "sora")) == EXIT_FAILED
    assert "wan21_vace_1_3b" in capsys.readouterr().err


def test_real_frames_are_written_too(tmp_path: Path) -> None:
    a, b = save_images(tmp_path, 2)
    frames = tmp_path / "frames"
    frames.mkdir()
    save_images(frames, 3)
    out = tmp_path / "out"
    assert main(["estimate", a, b, *INTRINSICS, "--frames", str(frames), "--out", str(out)]) == EXIT_REFUSED
    answer = json.loads((out / "answer.json").read_text())
    assert answer["clips"][0]["interpolator"] == "recorded"
    assert not answer["clips"][0]["generated"]
    written = sorted(path.name for path in (out / "clip_1").iterdir())
    assert len(written) == answer["clips"][0]["frames_looked_at"] > 0
    assert np.any(cv2.imread(str(out / "picture.jpg")))
