"""Loading the public checkpoints: .pth files and Hugging Face folders with safetensors. Nothing is downloaded here."""

from __future__ import annotations

import argparse
import json
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from interpose_ros.dust3r.config import NetworkConfig, config_from_arguments, config_from_constructor
from interpose_ros.dust3r.network import Dust3rNetwork

WEIGHTS_LICENCE = "CC BY-NC-SA 4.0"
"""Licence of the public checkpoints: not for commercial use. Those of their training data apply besides."""

MAX_CHECKPOINT_BYTES = 16 * 2**30
_CONFIG_FILE = "config.json"
_WEIGHTS_FILE = "model.safetensors"

# Present in the files and read by nothing: a training token, the skip branch of the coarsest fusion block.
_UNUSED = re.compile(r"mask_token|downstream_head[12]\.dpt\.scratch\.refinenet4\.resConfUnit1\..*")
# The same four tensors are stored under a second name; files without duplicates keep one of the two.
_SECOND_NAME = re.compile(r"(downstream_head[12]\.dpt\.scratch)\.layer_rn\.([0-3])\.weight")


class CheckpointError(ValueError):
    """A checkpoint cannot be loaded; the message says what is wrong with it."""


@dataclass(frozen=True)
class Checkpoint:
    """Contents of a checkpoint.

    Attributes:
        config: sizes of the network.
        state: tensors by the names of ``Dust3rNetwork``, complete and of the right shapes.
    """

    config: NetworkConfig
    state: Mapping[str, Tensor]


def load_network(
    path: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> Dust3rNetwork:
    """Network with the weights of a checkpoint, ready for inference.

    Args:
        path: a .pth file, a folder with config.json and model.safetensors, or that safetensors file.
        device: where the network runs.
        dtype: of encoder and decoders (float32, bfloat16, float16); the heads stay in float32.

    Raises:
        CheckpointError: the path does not hold a complete checkpoint of a supported network.
    """
    checkpoint = read_checkpoint(path)
    with torch.device("meta"):
        network = Dust3rNetwork(checkpoint.config)
    network.load_state_dict(dict(checkpoint.state), strict=True, assign=True)
    return network.requires_grad_(False).eval().set_compute_dtype(dtype).to(device)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read and check a checkpoint on the CPU.

    Raises:
        CheckpointError: as ``load_network``.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise CheckpointError(f"no DUSt3R checkpoint at {path}; `interpose models` lists where weights are expected")
    config, stored = _read_folder(path) if path.is_dir() or path.suffix == ".safetensors" else _read_pth(path)
    state = _canonical_state(stored, path)
    _check_state(state, config, path)
    return Checkpoint(config, state)


def _check_size(path: Path) -> None:
    size = path.stat().st_size
    if not 0 < size <= MAX_CHECKPOINT_BYTES:
        raise CheckpointError(f"{path} has {size} bytes; a checkpoint has between 1 and {MAX_CHECKPOINT_BYTES}")


def _read_folder(path: Path) -> tuple[NetworkConfig, Mapping[str, Tensor]]:
    folder = path if path.is_dir() else path.parent
    weights_path = folder / _WEIGHTS_FILE if path.is_dir() else path
    for needed in (folder / _CONFIG_FILE, weights_path):
        if not needed.is_file():
            raise CheckpointError(f"{folder} lacks {needed.name}; a folder needs {_CONFIG_FILE} and {_WEIGHTS_FILE}")
        _check_size(needed)
    try:
        arguments = json.loads((folder / _CONFIG_FILE).read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{folder / _CONFIG_FILE} is not JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise CheckpointError(f"{folder / _CONFIG_FILE} must hold an object with the network's arguments")
    try:
        return config_from_arguments(arguments), load_file(weights_path)
    except SafetensorError as error:
        raise CheckpointError(f"{weights_path} is not a safetensors file: {error}") from error


def _read_pth(path: Path) -> tuple[NetworkConfig, Mapping[str, Tensor]]:
    _check_size(path)
    try:
        # The only class in these files besides tensors; nothing else is unpickled, and no code runs.
        with torch.serialization.safe_globals([argparse.Namespace]):
            contents = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise CheckpointError(f"{path} is not a checkpoint that can be read safely: {str(error)[:500]}") from error
    if not isinstance(contents, dict) or "model" not in contents or "args" not in contents:
        raise CheckpointError(f"{path} must hold a dictionary with 'args' and 'model'")
    call = getattr(contents["args"], "model", None)
    if not isinstance(call, str):
        raise CheckpointError(f"{path} does not say what network it holds: 'args.model' is {type(call).__name__}")
    if not isinstance(contents["model"], Mapping):
        raise CheckpointError(f"'model' in {path} must hold tensors by name, not {type(contents['model']).__name__}")
    return config_from_constructor(call), contents["model"]


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _canonical_state(stored: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Tensors by this network's names: second names resolved, unused ones dropped, a second decoder always there."""
    state: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        if not isinstance(tensor, Tensor):
            raise CheckpointError(f"'{name}' in {path} is a {type(tensor).__name__}, not a tensor")
        if _UNUSED.fullmatch(name):
            continue
        match = _SECOND_NAME.fullmatch(name)
        canonical = f"{match[1]}.layer{int(match[2]) + 1}_rn.weight" if match else name
        if canonical in state and not torch.equal(state[canonical], tensor):
            raise CheckpointError(f"{path} holds two different tensors for {canonical}, also called {name}")
        state[canonical] = tensor
    if not any(name.startswith("dec_blocks2.") for name in state):
        # Files from before the second decoder was trained: both start out equal.
        first = {name: tensor for name, tensor in state.items() if name.startswith("dec_blocks.")}
        state.update({name.replace("dec_blocks.", "dec_blocks2.", 1): tensor for name, tensor in first.items()})
    return state


def _check_state(state: Mapping[str, Tensor], config: NetworkConfig, path: Path) -> None:
    with torch.device("meta"):
        expected = {name: tuple(t.shape) for name, t in Dust3rNetwork(config).state_dict().items()}
    problems = []
    missing = sorted(expected.keys() - state.keys())
    unexpected = sorted(state.keys() - expected.keys())
    wrong = [
        f"{name} is {tuple(state[name].shape)}, not {expected[name]}"
        for name in sorted(expected.keys() & state.keys())
        if tuple(state[name].shape) != expected[name]
    ]
    inexact = sorted(name for name in expected.keys() & state.keys() if not state[name].is_floating_point())
    for label, names in (
        ("missing", missing),
        ("unexpected", unexpected),
        ("wrong shape", wrong),
        ("not floating point", inexact),
    ):
        if names:
            shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            problems.append(f"{label}: {shown}")
    if problems:
        raise CheckpointError(f"{path} does not fit the network that it describes; " + "; ".join(problems))
