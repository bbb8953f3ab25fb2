"""Wrong, missing and cut-off files are noticed before a model is loaded, by name."""

import json
import math
import os
import shutil
from pathlib import Path

import pytest

from interpose_ros.interpolation.diffusion.checkpoint import read_checkpoint, read_safetensors_header
from interpose_ros.interpolation.diffusion.errors import VideoCheckpointError
from interpose_ros.interpolation.diffusion.families import family_of
from interpose_ros.interpolation.diffusion.model import VideoModel
from interpose_ros.interpolation.video_config import VideoRuntimeConfig

from .conftest import tiny_preset

CPU = VideoRuntimeConfig(device="cpu")
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture
def copied(checkpoint, tmp_path: Path) -> Path:
    """A model that a test may damage."""
    return Path(shutil.copytree(checkpoint("wan_vace"), tmp_path / "model"))


def test_what_is_read_without_loading(checkpoint) -> None:
    found = read_checkpoint(checkpoint("wan_vace"))
    assert found.pipeline == "WanVACEPipeline"
    assert found.components.keys() == {"transformer", "vae", "text_encoder"}
    assert family_of(found).name == "wan_vace"
    transformer = found.components["transformer"]
    assert transformer.stored_bytes == 4 * transformer.parameters
    assert transformer.parameters == sum(
        math.prod(entry["shape"]) for entry in read_safetensors_header(checkpoint("wan_vace") / WEIGHTS).values()
    )


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def cut_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def overwrite(path: Path) -> None:
    path.write_text("this is a page that says 404", encoding="utf-8")


def pickle_instead(path: Path) -> None:
    path.rename(path.with_name("diffusion_pytorch_model.bin"))


@pytest.mark.parametrize(
    ("damage", "file", "message"),
    [
        (cut, WEIGHTS, r"cut off: it has \d+ bytes and should have \d+"),
        (cut_header, WEIGHTS, "cut off within its header"),
        (lengthen, WEIGHTS, "longer than its header says"),
        (overwrite, WEIGHTS, "no safetensors file"),
        (pickle_instead, WEIGHTS, "could run code and is not read"),
        (Path.unlink, WEIGHTS, "no weights in safetensors"),
        (cut, "transformer/config.json", "cut off"),
        (Path.unlink, "transformer/config.json", "is missing"),
        (cut, "model_index.json", "cut off"),
        (Path.unlink, "model_index.json", "no diffusers pipeline"),
        (shutil.rmtree, "vae", "no folder vae"),
    ],
)
def test_damage_is_named(copied: Path, damage, file: str, message: str) -> None:
    damage(copied / file)
    with pytest.raises(VideoCheckpointError, match=message) as caught:
        VideoModel(tiny_preset(), copied, CPU)
    assert str(copied) in str(caught.value)


def test_a_missing_shard_is_named(copied: Path) -> None:
    weights = copied / WEIGHTS
    weights.rename(weights.with_name("diffusion_pytorch_model-00001-of-00002.safetensors"))
    index = {"weight_map": {"a": "diffusion_pytorch_model-00001-of-00002.safetensors",
                            "b": "diffusion_pytorch_model-00002-of-00002.safetensors"}}  # fmt: skip
    weights.with_name("diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(VideoCheckpointError, match=r"lacks 1 of 2 files, the first .*00002-of-00002"):
        read_checkpoint(copied)


def test_weights_of_another_model_are_noticed(copied: Path, checkpoint) -> None:
    """Whole files of the right kind, in the wrong place: their tensors have other names or shapes."""
    shutil.copy(checkpoint("ltx") / WEIGHTS, copied / WEIGHTS)
    with pytest.raises(VideoCheckpointError, match=str(copied)):
        VideoModel(tiny_preset(), copied, CPU).load()


def test_a_text_encoder_without_its_weights_is_not_filled_with_random_numbers(copied: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = copied / "text_encoder" / "model.safetensors"
    tensors = load_file(path)
    dropped = next(name for name in tensors if "block.1" in name)
    save_file({name: tensor for name, tensor in tensors.items() if name != dropped}, path, {"format": "pt"})
    with pytest.raises(VideoCheckpointError, match=r"text_encoder has no weights for 1 tensors"):
        VideoModel(tiny_preset(), copied, CPU).load()


def test_a_transformer_without_some_weights_is_noticed(copied: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(copied / WEIGHTS)
    dropped = next(name for name in tensors if "vace_blocks.1" in name)
    save_file({name: tensor for name, tensor in tensors.items() if name != dropped}, copied / WEIGHTS, {"format": "pt"})
    with pytest.raises(VideoCheckpointError, match="transformer"):
        VideoModel(tiny_preset(), copied, CPU).load()


def test_a_transformer_that_nobody_knows(copied: Path) -> None:
    config = copied / "transformer" / "config.json"
    config.write_text(config.read_text().replace("WanVACETransformer3DModel", "SomethingNew3DModel"))
    with pytest.raises(VideoCheckpointError, match=r"SomethingNew3DModel.*usable are WanTransformer3DModel"):
        VideoModel(tiny_preset(), copied, CPU)


def test_a_folder_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="interpose models pull tiny"):
        VideoModel(tiny_preset(), tmp_path / "nothing", CPU)


def test_identity_follows_the_weights(copied: Path) -> None:
    before = read_checkpoint(copied).content_id
    assert read_checkpoint(copied).content_id == before
    status = (copied / WEIGHTS).stat()
    os.utime(copied / WEIGHTS, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    touched = read_checkpoint(copied).content_id
    assert touched != before, "without a record of the origin, a file's time tells"
    (copied / "origin.json").write_text('{"x": {"sha256": "1", "size": 1}}')
    recorded = read_checkpoint(copied).content_id
    os.utime(copied / WEIGHTS, ns=(status.st_atime_ns, status.st_mtime_ns + 2 * 10**9))
    assert read_checkpoint(copied).content_id == recorded
