"""Presets: which video model, from where, under which licence, and how it is asked for a clip. One YAML file each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

MAX_PIXELS = 1_300_000_000
"""Most pixels of one clip, frames times width times height: bounds what a preset can make a process allocate."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PresetSource(_Part):
    """A published repository that files come from."""

    repository: str = Field(pattern=r"^\w[\w.-]*/\w[\w.-]*$")
    revision: str = Field("main", pattern=r"^[\w./-]+$")
    folders: Mapping[str, str] | None = None
    """Component of the pipeline to folder of the repository ("." for its top); none for all that its model index names."""


class PresetLora(_Part):
    """Weights that are added to a transformer, such as those that make it do with few steps."""

    repository: str = Field(pattern=r"^\w[\w.-]*/\w[\w.-]*$")
    revision: str = Field("main", pattern=r"^[\w./-]+$")
    file: str = Field(pattern=r"^[\w./-]+\.safetensors$")
    second_transformer: bool = False
    scale: float = 1.0
    licence: str

    @property
    def local_name(self) -> str:
        """Its place within the model's folder."""
        return f"loras/{Path(self.file).name}"


class PresetGeneration(_Part):
    """How a clip is asked for."""

    width: int = Field(ge=32, le=4096)
    height: int = Field(ge=32, le=4096)
    frames: int = Field(ge=5, le=1000)
    steps: int = Field(ge=1, le=200)
    sigmas: tuple[float, ...] = ()
    guidance: float = Field(ge=0.0, le=30.0)
    negative_prompt: str = ""
    options: Mapping[str, Any] = {}

    @field_validator("sigmas")
    @classmethod
    def _levels_fall(cls, sigmas: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0.0 < level <= 1.0 for level in sigmas) or list(sigmas) != sorted(set(sigmas), reverse=True):
            raise ValueError("noise levels fall from at most 1, and stay above 0")
        return sigmas


class VideoPreset(_Part):
    """One video model, ready to be asked.

    Attributes:
        name: what it is called here.
        purpose: what it is chosen for.
        size: parameters, in words.
        download_gigabytes: of all its files.
        memory_gigabytes: on the device with nothing offloaded, by ``working_gigabytes`` and the sizes of its networks.
        working_gigabytes: of that, activations and latents.
        dtype, vae_dtype: number formats that its publisher runs it with.
        model_index: of a pipeline that is put together from several repositories.
        tested: what has been seen of it here.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    description: str
    purpose: Literal["quality", "speed", "small", "other"]
    size: str
    sources: tuple[PresetSource, ...] = Field(min_length=1)
    model_index: Mapping[str, Any] | None = None
    loras: tuple[PresetLora, ...] = ()
    licence: str
    licence_url: str
    licence_note: str
    download_gigabytes: float = Field(ge=0.0)
    memory_gigabytes: float = Field(ge=0.0)
    working_gigabytes: float = Field(ge=0.0)
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    vae_dtype: Literal["bfloat16", "float16", "float32"] = "float32"
    generation: PresetGeneration
    tested: str = ""

    @property
    def folder(self) -> Path:
        """Where its files are expected."""
        from interpose_ros.models.registry import weights_folder

        return weights_folder() / self.name


def preset_folder() -> Path:
    """Folder of the presets that come with this package.

    In a checkout they lie in ``config/video_presets``, beside the other configuration; an installed package carries them
    within.
    """
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "video_presets", package.parent / "config" / "video_presets"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"no presets of video models at {package / 'video_presets'}: the installation is incomplete"
    )


def shipped_presets() -> dict[str, VideoPreset]:
    """All presets that come with this package, by name."""
    presets = [read_preset(path) for path in sorted(preset_folder().glob("*.yaml"))]
    return {preset.name: preset for preset in presets}


def find_preset(name_or_path: str) -> VideoPreset:
    """A preset by its name or by the path of a YAML file.

    Raises:
        ValueError: there is none; the message lists those that there are.
    """
    if name_or_path.endswith((".yaml", ".yml")):
        return read_preset(Path(name_or_path).expanduser())
    path = preset_folder() / f"{name_or_path}.yaml"
    if not path.is_file() or path.parent != preset_folder():
        names = ", ".join(sorted(found.stem for found in preset_folder().glob("*.yaml")))
        raise ValueError(
            f"no preset of a video model is called {name_or_path!r}; there are {names}, or give a YAML file"
        )
    return read_preset(path)


def read_preset(path: Path) -> VideoPreset:
    """A preset from its file, whose name is the preset's.

    Raises:
        ValueError: the file is missing, no YAML, or has a setting that is not allowed.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"the preset {path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"the preset {path} holds no settings")
    try:
        preset = VideoPreset(name=path.stem, **content)
    except (ValidationError, TypeError) as error:
        raise ValueError(f"the preset {path} is not usable: {error}") from error
    made = preset.generation
    if made.width * made.height * made.frames > MAX_PIXELS:
        raise ValueError(f"the preset {path} asks for clips of more than {MAX_PIXELS / 1e9:g} thousand megapixels")
    return preset
