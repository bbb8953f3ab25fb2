"""Whether a video model fits, before it is loaded, and what would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interpose_ros.interpolation.diffusion.checkpoint import VideoCheckpoint
from interpose_ros.interpolation.diffusion.errors import VideoMemoryError

_VALUE_BYTES = {"bfloat16": 2.0, "float16": 2.0, "float32": 4.0}
_GIGA = 1e9
# Layers kept on the device by sequential offload: a share of the largest network that no model here exceeds by much.
_SEQUENTIAL_SHARE = 0.06


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes that a model needs.

    Attributes:
        device: on the device that computes.
        host: in main memory beside that, at least while files are read; 0 where that is where it computes.
    """

    device: float
    host: float

    def fits(self, free_device: float, free_host: float) -> bool:
        """Whether there is room."""
        return self.device <= free_device and self.host <= free_host


def memory_need(
    checkpoint: VideoCheckpoint,
    dtype: str,
    vae_dtype: str,
    offload: str,
    quantisation: str,
    working_bytes: float,
    device: str,
) -> MemoryNeed:
    """What a checkpoint needs under given settings. It is read into main memory first, and made smaller there.

    Args:
        checkpoint: with its parameters counted.
        dtype, vae_dtype: of the networks and of the autoencoder.
        offload: "none", "model" (one network at a time on the device) or "sequential" (one layer at a time).
        quantisation: "none" or "float8" (transformers stored in one byte per value).
        working_bytes: activations and latents at the preset's size.
        device: torch device that computes.
    """

    def sizes(quantised: str) -> list[float]:
        return [
            component.parameters * _value_bytes(name, dtype, vae_dtype, quantised)
            for name, component in checkpoint.components.items()
        ]

    read, kept = sum(sizes("none")), sizes(quantisation)
    if device.startswith("cpu"):
        return MemoryNeed(max(read, sum(kept) + working_bytes), 0.0)
    on_device = {"none": sum(kept), "model": max(kept), "sequential": _SEQUENTIAL_SHARE * max(kept)}[offload]
    return MemoryNeed(on_device + working_bytes, read)


def check_memory(
    checkpoint: VideoCheckpoint,
    dtype: str,
    vae_dtype: str,
    offload: str,
    quantisation: str,
    working_bytes: float,
    device: str,
    smaller: Mapping[str, float],
    free: tuple[float, float] | None = None,
) -> MemoryNeed:
    """Refuse what does not fit, naming what would.

    Args:
        checkpoint, dtype, vae_dtype, offload, quantisation, working_bytes: see ``memory_need``.
        device: torch device that computes.
        smaller: gigabytes that other presets need, by name.
        free: bytes free on the device and in main memory; measured by default.

    Raises:
        VideoMemoryError: it does not fit.
    """
    free_device, free_host = free_memory(device) if free is None else free
    need = memory_need(checkpoint, dtype, vae_dtype, offload, quantisation, working_bytes, device)
    if need.fits(free_device, free_host):
        return need
    ways = []
    for other_offload, other_quantisation in (
        ("none", "float8"), ("model", "none"), ("model", "float8"), ("sequential", "none"),
    ):  # fmt: skip
        if device.startswith("cpu") and other_offload != "none":
            continue
        other = memory_need(checkpoint, dtype, vae_dtype, other_offload, other_quantisation, working_bytes, device)
        if other.fits(free_device, free_host):
            what = f"offload: {other_offload}, quantisation: {other_quantisation}"
            ways.append(f"{what} ({other.device / _GIGA:.1f} GB)")
    room = free_device / _GIGA
    ways += [f"the preset {name} ({size:g} GB)" for name, size in sorted(smaller.items(), key=_size) if size <= room]
    would = "; this would fit: " + ", ".join(ways) if ways else "; nothing that is known here would fit"
    host = f" and {need.host / _GIGA:.1f} GB of main memory" if need.host else ""
    raise VideoMemoryError(
        f"{checkpoint.folder} needs {need.device / _GIGA:.1f} GB on {device}{host}; {room:.1f} GB are free there and "
        f"{free_host / _GIGA:.1f} GB in main memory{would}"
    )


def free_memory(device: str) -> tuple[float, float]:
    """Bytes free on a torch device and in main memory."""
    host = _free_host_memory()
    if not device.startswith("cuda"):
        return host, host
    import torch

    if not torch.cuda.is_available():
        raise VideoMemoryError(f"the video model should run on {device}, and torch finds no such device")
    return float(torch.cuda.mem_get_info(torch.device(device))[0]), host


def _free_host_memory() -> float:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    return float("inf")  # not Linux: nothing is known, and nothing is refused for it


def _value_bytes(component: str, dtype: str, vae_dtype: str, quantisation: str) -> float:
    if component == "vae":
        return _VALUE_BYTES[vae_dtype]
    if quantisation == "float8" and component.startswith("transformer"):
        return 1.05  # norms and embeddings stay as they are
    return _VALUE_BYTES[dtype]


def _size(item: tuple[str, float]) -> float:
    return item[1]
