"""Settings that need less memory, for when there is not enough."""

from __future__ import annotations

from interpose_ros.config import InterposeConfig

_LEAST_IMAGE_SIDE = 256


def smaller_config(config: InterposeConfig) -> tuple[InterposeConfig, str]:
    """The settings with about half the memory for activations, and a sentence on what has changed.

    Batches, chunks and networks that wait in main memory only cost time. The rest costs accuracy, so the sentence is for
    the diagnostics: fewer frames in between, and images for the matching networks reduced by a quarter, which halves
    their activations.
    """
    features, inference = config.features, config.dust3r.inference
    changes: dict[str, object] = {
        "features.max_image_side": max(
            min(_LEAST_IMAGE_SIDE, features.max_image_side), features.max_image_side * 3 // 4
        ),
        "dust3r.inference.memory_megabytes": inference.memory_megabytes / 2,
        "dust3r.inference.max_batch": max(1, inference.max_batch // 2),
        "dust3r.max_frames": config.dust3r.max_frames // 2,
        "frames.max_frames": max(1, config.frames.max_frames // 2),
    }
    if config.video.preset:
        changes["video.runtime.offload"] = "model" if config.video.runtime.offload == "none" else "sequential"
        changes["video.runtime.vae_tiling"] = True
    values = config.model_dump()
    for name, value in changes.items():
        *sections, last = name.split(".")
        section = values
        for part in sections:
            section = section[part]
        section[last] = value
    text = "from now on " + ", ".join(f"{name} is {value}" for name, value in changes.items())
    return InterposeConfig.model_validate(values), text
