"""Sizes of a DUSt3R network, and how they are read from the constructor call that a checkpoint carries."""

from __future__ import annotations

import ast
from dataclasses import dataclass, fields
from typing import Any

HEAD_TYPES = ("linear", "dpt")


class UnsupportedNetworkError(ValueError):
    """A checkpoint describes a network that this code does not implement."""


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the network. The defaults are those of the three public checkpoints.

    Attributes:
        img_size: height and width that the checkpoint was trained for; decides the pre-processing (224 or 512).
        head_type: ``linear`` or ``dpt``.
        patch_size: side of a patch in pixels.
        enc_embed_dim, enc_depth, enc_num_heads: encoder.
        dec_embed_dim, dec_depth, dec_num_heads: each of the two decoders.
        mlp_ratio: width of the hidden layer of every MLP over its input.

    Raises:
        UnsupportedNetworkError: sizes that do not fit together.
    """

    img_size: tuple[int, int] = (512, 512)
    head_type: str = "dpt"
    patch_size: int = 16
    enc_embed_dim: int = 1024
    enc_depth: int = 24
    enc_num_heads: int = 16
    dec_embed_dim: int = 768
    dec_depth: int = 12
    dec_num_heads: int = 12
    mlp_ratio: float = 4.0

    def __post_init__(self) -> None:
        if self.head_type not in HEAD_TYPES:
            raise UnsupportedNetworkError(f"head_type is {self.head_type!r}; known are {', '.join(HEAD_TYPES)}")
        for name, dim, heads in (
            ("encoder", self.enc_embed_dim, self.enc_num_heads),
            ("decoder", self.dec_embed_dim, self.dec_num_heads),
        ):
            if dim % (4 * heads):
                raise UnsupportedNetworkError(
                    f"{name} width {dim} over {heads} heads: the width of a head must be a multiple of 4"
                )
        if self.head_type == "dpt" and self.dec_depth % 4:
            raise UnsupportedNetworkError(
                f"the dpt head needs a decoder depth that is a multiple of 4, not {self.dec_depth}"
            )

    @property
    def image_side(self) -> int:
        """Length in pixels that decides the pre-processing: the larger side of ``img_size``."""
        return max(self.img_size)


# What the public checkpoints say about things that this code does in one way only.
_FIXED_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "pos_embed": ("RoPE100",),
    "output_mode": ("pts3d",),
    "depth_mode": (("exp", float("-inf"), float("inf")),),
    "conf_mode": (("exp", 1, float("inf")),),
    "patch_embed_cls": ("PatchEmbedDust3R", "ManyAR_PatchEmbed"),
    "landscape_only": (True, False),
    "freeze": ("none", "mask", "encoder"),
}
_CLASS_NAME = "AsymmetricCroCo3DStereo"


def config_from_arguments(arguments: dict[str, Any]) -> NetworkConfig:
    """Network sizes from the keyword arguments of the original constructor (as in a Hugging Face ``config.json``).

    Raises:
        UnsupportedNetworkError: an argument is unknown, or has a value that stands for a different network.
    """
    size_names = {f.name for f in fields(NetworkConfig)}
    sizes: dict[str, Any] = {"head_type": "linear", "img_size": (224, 224)}
    for name, stored in arguments.items():
        value = _as_comparable(stored)
        if name in size_names:
            sizes[name] = value
        elif name not in _FIXED_ARGUMENTS:
            raise UnsupportedNetworkError(f"the checkpoint's network has an unknown argument {name}={value!r}")
        elif value not in _FIXED_ARGUMENTS[name]:
            known = " or ".join(repr(v) for v in _FIXED_ARGUMENTS[name])
            raise UnsupportedNetworkError(f"the checkpoint's network has {name}={value!r}; supported is {known}")
    if isinstance(sizes["img_size"], int):
        sizes["img_size"] = (sizes["img_size"], sizes["img_size"])
    return NetworkConfig(**sizes)


def config_from_constructor(call: str) -> NetworkConfig:
    """Network sizes from the text of a constructor call, as stored in ``args.model`` of a .pth checkpoint.

    The text is parsed, never evaluated: literals, tuples, and the name ``inf`` are all it may hold.

    Raises:
        UnsupportedNetworkError: the text is not such a call, or describes another network.
    """
    try:
        node = ast.parse(call.strip(), mode="eval").body
    except SyntaxError as error:
        raise UnsupportedNetworkError(f"not a constructor call: {call[:200]!r}") from error
    if (
        not isinstance(node, ast.Call)
        or not isinstance(node.func, ast.Name)
        or node.func.id != _CLASS_NAME
        or node.args
    ):
        raise UnsupportedNetworkError(f"expected a call {_CLASS_NAME}(name=value, ...), found {call[:200]!r}")
    arguments = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise UnsupportedNetworkError(f"expected name=value arguments only, found {call[:200]!r}")
        arguments[keyword.arg] = _literal(keyword.value)
    return config_from_arguments(arguments)


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        # Class names appear bare (patch_embed_cls=ManyAR_PatchEmbed in some files) and inf is no literal in Python.
        return float("inf") if node.id == "inf" else node.id
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(_literal(item) for item in node.elts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _literal(node.operand)
        if isinstance(value, (int, float)):
            return -value
    raise UnsupportedNetworkError(f"not a plain value in the constructor call: {ast.unparse(node)[:100]}")


def _as_comparable(value: Any) -> Any:
    """Lists as tuples, and the spellings of infinity that JSON files hold as numbers."""
    if isinstance(value, (list, tuple)):
        return tuple(_as_comparable(item) for item in value)
    if value in ("inf", "Infinity"):
        return float("inf")
    if value in ("-inf", "-Infinity"):
        return float("-inf")
    return value
