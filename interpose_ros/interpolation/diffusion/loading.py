"""From a folder to a diffusers pipeline that runs: only files of that folder, no network, no code of others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interpose_ros.interpolation.diffusion.checkpoint import VideoCheckpoint, read_safetensors_header
from interpose_ros.interpolation.diffusion.errors import VideoCheckpointError
from interpose_ros.interpolation.diffusion.installed import PACKAGES, require_diffusers
from interpose_ros.interpolation.diffusion.preset import PresetLora
from interpose_ros.interpolation.video_config import VideoRuntimeConfig

_log = logging.getLogger(__name__)


def load_pipeline(
    checkpoint: VideoCheckpoint,
    class_name: str,
    dtype: str,
    vae_dtype: str,
    runtime: VideoRuntimeConfig,
    loras: Sequence[PresetLora] = (),
) -> Any:
    """Load a pipeline and bring it to its device.

    Args:
        checkpoint: the folder, already checked for complete files.
        class_name: of the pipeline in diffusers.
        dtype, vae_dtype: number formats of the networks and the video autoencoder.
        runtime: device and everything that saves time or memory.
        loras: added to the transformers and merged into them.

    Raises:
        VideoCheckpointError: packages are missing or too old, or the files are not of this kind of model.
    """
    require_diffusers()
    try:
        import diffusers
    except ImportError as error:
        raise VideoCheckpointError(f"{PACKAGES} ({error})") from error
    try:
        found = getattr(diffusers, class_name, None)
    except (
        ImportError,
        RuntimeError,
    ) as error:  # diffusers imports a pipeline, and what it needs, when it is asked for
        raise VideoCheckpointError(
            f"diffusers {diffusers.__version__} cannot load {class_name}: {error}; {PACKAGES}"
        ) from error
    if found is None or type(found).__name__ == "DummyObject":
        raise VideoCheckpointError(
            f"diffusers {diffusers.__version__} has no {class_name}, which {checkpoint.folder} needs; {PACKAGES}"
        )
    try:
        pipeline = _from_folder(found, checkpoint, dtype, vae_dtype)
    except VideoCheckpointError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise VideoCheckpointError(
            f"{checkpoint.folder} does not hold what {class_name} needs: {type(error).__name__}: {error}"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    for lora in loras:
        _add_lora(pipeline, checkpoint.folder, lora)
    _set_up(pipeline, runtime)
    return pipeline


def _from_folder(found: Any, checkpoint: VideoCheckpoint, dtype: str, vae_dtype: str) -> Any:
    import torch

    main, vae = getattr(torch, dtype), getattr(torch, vae_dtype)
    pipeline = found.from_pretrained(
        str(checkpoint.folder),
        local_files_only=True,
        use_safetensors=True,
        dtype={"default": main, "vae": vae},
        **_text_and_image_encoders(checkpoint, main),
    )
    for name, component in checkpoint.components.items():
        module = getattr(pipeline, name, None)
        if module is None or component.library == "transformers":
            continue
        missing = set(module.state_dict()) - component.tensors
        if missing:
            raise VideoCheckpointError(
                f"{checkpoint.folder / name} has no weights for {len(missing)} tensors of a {component.class_name}, among "
                f"them {min(missing)}: the files are of another model"
            )
    return pipeline


def _text_and_image_encoders(checkpoint: VideoCheckpoint, dtype: Any) -> dict[str, Any]:
    """Networks of transformers, which would put random numbers in place of weights that are not there."""
    import transformers

    loaded = {}
    for name, component in checkpoint.components.items():
        if component.library != "transformers":
            continue
        model_class = getattr(transformers, component.class_name, None)
        if model_class is None:
            raise VideoCheckpointError(
                f"transformers {transformers.__version__} has no {component.class_name}, which {checkpoint.folder} needs"
            )
        model, report = model_class.from_pretrained(
            str(checkpoint.folder / name),
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
        if report["missing_keys"]:
            raise VideoCheckpointError(
                f"{checkpoint.folder / name} has no weights for {len(report['missing_keys'])} tensors of a "
                f"{component.class_name}, among them {min(report['missing_keys'])}: the files are of another model"
            )
        loaded[name] = model.eval()
    return loaded


def _add_lora(pipeline: Any, folder: Path, lora: PresetLora) -> None:
    path = folder / lora.local_name
    if not path.is_file():
        raise VideoCheckpointError(f"{path} is missing, which makes {lora.repository}'s model do with few steps")
    read_safetensors_header(path)
    name = path.stem.replace(".", "_").replace("-", "_")
    more = {"load_into_transformer_2": True} if lora.second_transformer else {}
    try:
        pipeline.load_lora_weights(
            str(path.parent), weight_name=path.name, adapter_name=name, local_files_only=True, **more
        )
        network = pipeline.transformer_2 if lora.second_transformer else pipeline.transformer
        network.fuse_lora(lora_scale=lora.scale, adapter_names=[name])
        network.unload_lora()
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, AttributeError) as error:
        raise VideoCheckpointError(f"{path} cannot be added to {folder}: {type(error).__name__}: {error}") from error


def _set_up(pipeline: Any, runtime: VideoRuntimeConfig) -> None:
    transformers = [
        network for name in ("transformer", "transformer_2") if (network := getattr(pipeline, name, None)) is not None
    ]
    for network in transformers:
        if runtime.attention:
            try:
                network.set_attention_backend(runtime.attention)
            except (ValueError, RuntimeError, ImportError) as error:
                raise VideoCheckpointError(f"video.runtime.attention {runtime.attention!r}: {error}") from error
        if runtime.quantisation == "float8":
            import torch

            network.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=network.dtype)
        if runtime.step_cache == "first_block":
            _enable_first_block_cache(network, runtime.step_cache_threshold)
        if runtime.compile:
            network.compile_repeated_blocks()
    if runtime.vae_tiling:
        pipeline.vae.enable_tiling()
    if runtime.offload == "none":
        pipeline.to(runtime.device)
        return
    if runtime.device.startswith("cpu"):
        raise VideoCheckpointError(
            f"video.runtime.offload {runtime.offload} moves networks between main memory and a device, and "
            "video.runtime.device is cpu; set offload to none"
        )
    if runtime.offload == "model":
        pipeline.enable_model_cpu_offload(device=runtime.device)
    else:
        pipeline.enable_sequential_cpu_offload(device=runtime.device)


def _enable_first_block_cache(network: Any, threshold: float) -> None:
    from diffusers import FirstBlockCacheConfig

    try:
        network.enable_cache(FirstBlockCacheConfig(threshold=threshold))
    except (AttributeError, ValueError, NotImplementedError) as error:
        raise VideoCheckpointError(
            f"video.runtime.step_cache first_block does not work with a {type(network).__name__}: {error}"
        ) from error
