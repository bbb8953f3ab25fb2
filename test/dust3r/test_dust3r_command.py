"""The estimator within the pipeline: from the command line on a checkpoint of the real format, and with known truth."""

import argparse
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from interpose_ros.answer import Branch
from interpose_ros.cli import main
from interpose_ros.config import InterposeConfig
from interpose_ros.dust3r.network import Dust3rNetwork
from interpose_ros.dust3r.synthetic import REALISTIC_FAULTS, room_views, true_pose
from interpose_ros.exit_status import EXIT_FAILED, EXIT_REFUSED
from interpose_ros.interpolation.clip import LazyView
from interpose_ros.interpolation.recorded import ListedFramesInterpolator
from interpose_ros.pipeline import InterposePipeline
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.selection.decision import reason_against_pointmaps
from interpose_ros.views import KeyframeId, View

from .dust3r_networks import SMALL, random_network
from .test_dust3r_estimator import errors_degrees, with_known_pointmaps

INTRINSICS = ["--intrinsics", "150", "150", "79.5", "59.5"]


def save_checkpoint(path: Path, network: Dust3rNetwork) -> Path:
    """As the public files: a pickled namespace with a constructor call, and tensors under their names."""
    config = network.config
    call = (
        f"AsymmetricCroCo3DStereo(pos_embed='RoPE100', patch_embed_cls='PatchEmbedDust3R', img_size={config.img_size}, "
        f"head_type='{config.head_type}', output_mode='pts3d', depth_mode=('exp', -inf, inf), conf_mode=('exp', 1, inf), "
        f"enc_embed_dim={config.enc_embed_dim}, enc_depth={config.enc_depth}, enc_num_heads={config.enc_num_heads}, "
        f"dec_embed_dim={config.dec_embed_dim}, dec_depth={config.dec_depth}, dec_num_heads={config.dec_num_heads})"
    )
    torch.save({"args": argparse.Namespace(model=call), "model": network.state_dict()}, path)
    return path


def untrained_network(head: str) -> Dust3rNetwork:
    """Weights as training starts from."""
    torch.manual_seed(0)
    return Dust3rNetwork(SMALL[head]).eval().requires_grad_(False)


def save_images(folder: Path, count: int) -> list[str]:
    """Images that have nothing in common."""
    paths = []
    for k in range(count):
        coarse = np.random.default_rng(k).integers(0, 256, (15, 20, 3), dtype=np.uint8)
        paths.append(str(folder / f"{k}.png"))
        cv2.imwrite(paths[-1], cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC))
    return paths


@pytest.mark.parametrize(
    ("head", "make"), [("linear", untrained_network), ("dpt", lambda head: random_network(SMALL[head], seed=4))]
)
def test_random_weights_end_in_a_refusal_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], head: str, make
) -> None:
    weights = save_checkpoint(tmp_path / "random.pth", make(head))
    a, b = save_images(tmp_path, 2)
    frames = tmp_path / "frames"
    frames.mkdir()
    save_images(frames, 3)
    out = tmp_path / "answer.json"
    command = [
        "estimate",
        a,
        b,
        *INTRINSICS,
        "--frames",
        str(frames),
        "--estimator",
        "dust3r",
        "--weights",
        str(weights),
    ]
    assert main([*command, "--out", str(out)]) == EXIT_REFUSED
    answer = json.loads(out.read_text())
    assert answer["status"] in ("no_overlap", "inconsistent", "low_confidence")
    assert "dust3r" in capsys.readouterr().err or answer["status"] == "low_confidence"
    assert answer["R_b_a"] is None
    assert answer["direction_b_a"] is None
    assert answer["confidence"] is None
    assert [c["estimator"] for c in answer["candidates"]][-1] == "dust3r"
    assert not any(c["selected"] for c in answer["candidates"])


def test_weights_that_are_not_there_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = save_images(tmp_path, 2)
    base = ["estimate", a, b, *INTRINSICS, "--estimator", "dust3r"]
    assert main(base) == EXIT_FAILED
    assert "interpose models" in capsys.readouterr().err
    assert main([*base, "--weights", str(tmp_path / "nothing.pth")]) == EXIT_FAILED
    assert "nothing.pth" in capsys.readouterr().err
    (tmp_path / "text.pth").write_text("no checkpoint")
    assert main([*base, "--weights", str(tmp_path / "text.pth")]) == EXIT_FAILED
    assert "text.pth" in capsys.readouterr().err


def test_the_pipeline_answers_from_pointmaps_and_claims_no_confidence(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = room_views(np.random.default_rng(0), 5, np.radians(60), side=224)
    views = [
        View(
            np.random.default_rng(k).integers(0, 256, (224, 224, 3), dtype=np.uint8), v.camera, KeyframeId("camera", k)
        )
        for k, v in enumerate(scene)
    ]
    estimator = with_known_pointmaps(monkeypatch, scene, REALISTIC_FAULTS)
    store = InterposePipeline.from_config(InterposeConfig()).store
    pipeline = InterposePipeline(InterposeConfig(), store, clip_estimator=estimator)
    frames = [LazyView(view.keyframe_id, lambda view=view: view) for view in views[1:-1]]
    answer = pipeline.estimate(views[0], views[-1], [ListedFramesInterpolator(frames)])
    assert answer.branch is Branch.FRAMES
    assert answer.selected.estimator == "dust3r"
    assert errors_degrees(answer.estimate, true_pose(scene[0], scene[-1]))[0] < 3.0
    assert math.isnan(answer.confidence.rotation_5deg)
    assert not answer.confidence.is_calibrated


def test_an_estimator_without_thresholds_is_not_taken() -> None:
    class Unknown:
        name = "unknown"

        def estimate(self, views):
            return Refusal(RefusalReason.MODEL, "")

    store = InterposePipeline.from_config(InterposeConfig()).store
    with pytest.raises(ValueError, match="unknown"):
        InterposePipeline(InterposeConfig(), store, clip_estimator=Unknown())


def test_evidence_of_pointmaps_has_thresholds() -> None:
    good = {"mean_score": 60.0, "edge_share": 1.0, "rotation_disagreement": 0.3}
    config = InterposeConfig().decision
    assert reason_against_pointmaps(good, config) is None
    assert "confidence" in reason_against_pointmaps({**good, "mean_score": 5.0}, config)
    assert "of the pairs" in reason_against_pointmaps({**good, "edge_share": 0.1}, config)
    assert "degrees" in reason_against_pointmaps({**good, "rotation_disagreement": 1.5}, config)
    assert "degrees" in reason_against_pointmaps({**good, "rotation_disagreement": math.nan}, config)
    pair = {"mean_score": 60.0, "directions_solved": 1.0, "rotation_disagreement": math.nan}
    assert reason_against_pointmaps(pair, config) is not None, "one direction alone has nothing to agree with"
