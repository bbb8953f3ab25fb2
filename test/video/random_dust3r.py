"""A small DUSt3R with weights as training starts from, and images that have nothing in common."""

import json
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file

from interpose_ros.dust3r.config import NetworkConfig
from interpose_ros.dust3r.network import Dust3rNetwork

SIZES = {
    "enc_embed_dim": 64,
    "enc_depth": 2,
    "enc_num_heads": 2,
    "dec_embed_dim": 48,
    "dec_depth": 4,
    "dec_num_heads": 2,
}


def save_random_dust3r(folder: Path) -> Path:
    """As the hub publishes it: a configuration and safetensors."""
    torch.manual_seed(0)
    network = Dust3rNetwork(NetworkConfig(img_size=(224, 224), head_type="linear", **SIZES))
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / "model.safetensors"
    )
    config = {
        "pos_embed": "RoPE100", "patch_embed_cls": "PatchEmbedDust3R", "img_size": [224, 224], "head_type": "linear",
        "output_mode": "pts3d", "depth_mode": ["exp", float("-inf"), float("inf")],
        "conf_mode": ["exp", 1, float("inf")], **SIZES,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def save_images(folder: Path, count: int) -> list[str]:
    """Smooth noise of 160 x 120 pixels."""
    paths = []
    for k in range(count):
        coarse = np.random.default_rng(k).integers(0, 256, (15, 20, 3), dtype=np.uint8)
        paths.append(str(folder / f"{k}.png"))
        cv2.imwrite(paths[-1], cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC))
    return paths
