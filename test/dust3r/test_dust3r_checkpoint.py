"""Loading: what is accepted, and what is named when it is not."""

import argparse
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from interpose_ros.dust3r.checkpoint import CheckpointError, load_network, read_checkpoint
from interpose_ros.dust3r.config import NetworkConfig, UnsupportedNetworkError, config_from_constructor
from interpose_ros.dust3r.network import Dust3rNetwork

from .dust3r_networks import SMALL, random_network

PUBLIC_CALL = (
    "AsymmetricCroCo3DStereo(pos_embed='RoPE100', patch_embed_cls='ManyAR_PatchEmbed', img_size=(512, 512), "
    "head_type='dpt', output_mode='pts3d', depth_mode=('exp', -inf, inf), conf_mode=('exp', 1, inf), "
    "enc_embed_dim=1024, enc_depth=24, enc_num_heads=16, dec_embed_dim=768, dec_depth=12, dec_num_heads=12)"
)


def constructor_call(config: NetworkConfig) -> str:
    return (
        f"AsymmetricCroCo3DStereo(img_size={config.img_size}, head_type='{config.head_type}', output_mode='pts3d', "
        f"depth_mode=('exp', -inf, inf), conf_mode=('exp', 1, inf), enc_embed_dim={config.enc_embed_dim}, "
        f"enc_depth={config.enc_depth}, enc_num_heads={config.enc_num_heads}, dec_embed_dim={config.dec_embed_dim}, "
        f"dec_depth={config.dec_depth}, dec_num_heads={config.dec_num_heads}, landscape_only=False)"
    )


def published_state(network: Dust3rNetwork) -> dict[str, Tensor]:
    """The state as files hold it: with the duplicated names and the tensors that nothing reads."""
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state["mask_token"] = torch.zeros(1, 1, network.config.dec_embed_dim)
    for side in (1, 2):
        scratch = f"downstream_head{side}.dpt.scratch"
        for index in range(4):
            name = f"{scratch}.layer{index + 1}_rn.weight"
            if name in state:
                state[f"{scratch}.layer_rn.{index}.weight"] = state[name]
                state[f"{scratch}.refinenet4.resConfUnit1.conv1.weight"] = torch.zeros(256, 256, 3, 3)
    return state


def save_pth(path: Path, network: Dust3rNetwork, state: dict[str, Tensor], legacy: bool = False) -> Path:
    args = argparse.Namespace(model=constructor_call(network.config), lr=1e-4, seed=0)
    torch.save({"args": args, "model": state, "epoch": 3}, path, _use_new_zipfile_serialization=not legacy)
    return path


def assert_same_weights(ours: Dust3rNetwork, expected: Dust3rNetwork) -> None:
    state = ours.state_dict()
    for name, tensor in expected.state_dict().items():
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize("legacy", [False, True])
def test_pth_file(tmp_path: Path, small_network: Dust3rNetwork, legacy: bool) -> None:
    path = save_pth(tmp_path / "dust3r.pth", small_network, published_state(small_network), legacy)
    loaded = load_network(path)
    assert loaded.config == small_network.config
    assert not loaded.training
    assert_same_weights(loaded, small_network)


@pytest.mark.parametrize("dropped", [r"layer_rn.", r"_rn.weight"], ids=["second names dropped", "first names dropped"])
def test_hugging_face_folder_without_duplicates(tmp_path: Path, dropped: str) -> None:
    network = random_network(SMALL["dpt"])
    state = {n: t.clone() for n, t in published_state(network).items() if dropped not in n}
    save_file(state, tmp_path / "model.safetensors")
    config = {
        "img_size": [224, 224], "head_type": "dpt", "enc_embed_dim": 64, "enc_depth": 2, "enc_num_heads": 2,
        "dec_embed_dim": 48, "dec_depth": 4, "dec_num_heads": 2, "pos_embed": "RoPE100",
        "depth_mode": ["exp", float("-inf"), float("inf")], "conf_mode": ["exp", 1, float("inf")],
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert_same_weights(load_network(tmp_path), network)
    assert_same_weights(load_network(tmp_path / "model.safetensors"), network)


def test_missing_second_decoder_is_a_copy_of_the_first(tmp_path: Path, small_network: Dust3rNetwork) -> None:
    state = {n: t for n, t in published_state(small_network).items() if not n.startswith("dec_blocks2.")}
    loaded = load_network(save_pth(tmp_path / "dust3r.pth", small_network, state))
    torch.testing.assert_close(loaded.dec_blocks2[1].mlp.fc1.weight, small_network.dec_blocks[1].mlp.fc1.weight)


def test_missing_unexpected_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    network = random_network(SMALL["linear"])
    state = published_state(network)
    del state["enc_norm.bias"]
    state["prediction_head.weight"] = torch.zeros(1)
    state["decoder_embed.bias"] = torch.zeros(7)
    path = save_pth(tmp_path / "dust3r.pth", network, state)
    with pytest.raises(CheckpointError) as error:
        load_network(path)
    for part in (
        "missing: enc_norm.bias",
        "unexpected: prediction_head.weight",
        "decoder_embed.bias is (7,), not (48,)",
    ):
        assert part in str(error.value)


def test_duplicates_that_differ_are_refused(tmp_path: Path) -> None:
    network = random_network(SMALL["dpt"])
    state = published_state(network)
    state["downstream_head1.dpt.scratch.layer_rn.2.weight"] = torch.zeros(256, 384, 3, 3)
    with pytest.raises(CheckpointError, match=r"two different tensors for .*layer3_rn\.weight"):
        load_network(save_pth(tmp_path / "dust3r.pth", network, state))


class _Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_file_with_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    torch.save({"args": argparse.Namespace(model=_Malicious(tmp_path / "ran")), "model": {}}, tmp_path / "evil.pth")
    with pytest.raises(CheckpointError, match="read safely"):
        read_checkpoint(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


def test_constructor_text_is_parsed_not_run() -> None:
    assert config_from_constructor(PUBLIC_CALL) == NetworkConfig()
    with pytest.raises(UnsupportedNetworkError, match="not a plain value"):
        config_from_constructor("AsymmetricCroCo3DStereo(enc_depth=__import__('os').getpid())")
    with pytest.raises(UnsupportedNetworkError, match="expected a call AsymmetricCroCo3DStereo"):
        config_from_constructor("exit()")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("'RoPE100'", "'cosine'"), "pos_embed='cosine'"),
        (("head_type='dpt'", "head_type='catmlp+dpt'"), "catmlp"),
        (("('exp', 1, inf)", "('sigmoid', 0, 1)"), "conf_mode"),
        (("enc_depth=24", "enc_depths=24"), "enc_depths=24"),
    ],
)
def test_other_networks_are_named(change: tuple[str, str], named: str) -> None:
    with pytest.raises(UnsupportedNetworkError, match=named.replace("+", r"\+")):
        config_from_constructor(PUBLIC_CALL.replace(*change))


@pytest.mark.parametrize("contents", [b"", b"PK\x03\x04 cut short", b"\x80\x02garbage", b"<html>not found</html>"])
def test_broken_files_are_named(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "broken.pth"
    path.write_bytes(contents)
    with pytest.raises(CheckpointError, match=r"broken\.pth"):
        read_checkpoint(path)


def test_missing_path_and_incomplete_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no DUSt3R checkpoint at"):
        read_checkpoint(tmp_path / "nowhere.pth")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"lacks model\.safetensors"):
        read_checkpoint(tmp_path)
