"""Access to the reference implementation, in the folder that ``tools/parity.sh`` installed it to."""

from __future__ import annotations

import importlib
import os
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from interpose_ros.dust3r.config import NetworkConfig
from interpose_ros.dust3r.network import PairOutput

ENVIRONMENT_VARIABLE = "INTERPOSE_PARITY_REFERENCE"


def reference_folder() -> Path | None:
    """Where the reference is installed; None where it is not."""
    value = os.environ.get(ENVIRONMENT_VARIABLE)
    return Path(value).resolve() if value else None


def load_reference(name: str) -> types.ModuleType:
    """A module of the reference.

    It imports torchvision for three transforms of images, and huggingface_hub for a base class. Where these are not
    installed (or torchvision does not match torch), small equivalents stand in.
    """
    folder = str(reference_folder())
    if folder not in sys.path:
        sys.path.append(folder)
    _stand_in_where_missing("torchvision.transforms", _transforms())
    _stand_in_where_missing("huggingface_hub", {"PyTorchModelHubMixin": _HubMixin, "__version__": "1.0"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(f"mini_dust3r.{name}")


def build_reference(config: NetworkConfig) -> nn.Module:
    """The reference network of the same sizes, with its own random initialisation."""
    infinity = float("inf")
    network = load_reference("model").AsymmetricCroCo3DStereo(
        pos_embed="RoPE100",
        patch_embed_cls="PatchEmbedDust3R",
        output_mode="pts3d",
        depth_mode=("exp", -infinity, infinity),
        conf_mode=("exp", 1, infinity),
        landscape_only=False,
        head_type=config.head_type,
        img_size=config.img_size,
        enc_embed_dim=config.enc_embed_dim,
        enc_depth=config.enc_depth,
        enc_num_heads=config.enc_num_heads,
        dec_embed_dim=config.dec_embed_dim,
        dec_depth=config.dec_depth,
        dec_num_heads=config.dec_num_heads,
    )
    return network.eval()


def run_reference(network: nn.Module, first: Tensor, second: Tensor) -> PairOutput:
    """Pointmaps of the reference for a batch of pairs of images ``(b, 3, h, w)``."""

    def as_view(images: Tensor, offset: int) -> dict[str, object]:
        count = len(images)
        names = [str(offset + i) for i in range(count)]
        shape = torch.tensor([images.shape[-2:]]).expand(count, 2)
        return {"img": images, "true_shape": shape, "idx": list(range(count)), "instance": names}

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result1, result2 = network(as_view(first, 0), as_view(second, len(first)))
    return PairOutput(result1["pts3d"], result2["pts3d_in_other_view"], result1["conf"], result2["conf"])


class _HubMixin:
    def __init_subclass__(cls, **kwargs: object) -> None:
        """Takes the description of a model that a hub would show."""


def _transforms() -> dict[str, object]:
    class Compose:
        def __init__(self, transforms: list) -> None:
            self._transforms = transforms

        def __call__(self, x: object) -> object:
            for transform in self._transforms:
                x = transform(x)
            return x

    class ToTensor:
        def __call__(self, image: object) -> Tensor:
            return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255

    class Normalize:
        def __init__(self, mean: tuple, std: tuple) -> None:
            self._mean, self._std = (torch.tensor(v).view(3, 1, 1) for v in (mean, std))

        def __call__(self, x: Tensor) -> Tensor:
            return (x - self._mean) / self._std

    return {"Compose": Compose, "ToTensor": ToTensor, "Normalize": Normalize}


def _stand_in_where_missing(name: str, contents: dict[str, object]) -> None:
    try:
        importlib.import_module(name)
        return
    except (ImportError, RuntimeError):
        pass
    module = types.ModuleType(name)
    vars(module).update(contents)
    parent, _, child = name.rpartition(".")
    if parent:
        package = types.ModuleType(parent)
        setattr(package, child, module)
        sys.modules[parent] = package
    sys.modules[name] = module
