"""What lies in a folder with a video model, read without loading it: which networks, how large, and whether all is there.

The layout is that of diffusers: ``model_index.json`` names the pipeline and its components, each in a folder of its own
with ``config.json`` and safetensors files. No file that could run code is ever read.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from interpose_ros.interpolation.diffusion.errors import VideoCheckpointError

MODEL_INDEX = "model_index.json"
_WITHOUT_WEIGHTS = ("Tokenizer", "Processor", "FeatureExtractor", "Scheduler")
_MAX_HEADER = 100 * 2**20
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4, "I8": 1, "U8": 1}


@dataclass(frozen=True)
class Component:
    """One network of a pipeline.

    Attributes:
        name: in the pipeline, "transformer".
        library: "diffusers", "transformers", or the name of a pipeline's module.
        class_name: of the network.
        config: its config.json.
        tensors: names of its tensors.
        parameters: numbers of stored values that are weights.
        stored_bytes: of all its tensors.
    """

    name: str
    library: str
    class_name: str
    config: Mapping[str, Any]
    tensors: frozenset[str]
    parameters: int
    stored_bytes: int


@dataclass(frozen=True)
class VideoCheckpoint:
    """A folder with a video model whose files are complete.

    Attributes:
        folder: where it is.
        pipeline: class that ``model_index.json`` names.
        index: all of ``model_index.json``.
        components: networks by their name in the pipeline; tokenizers and schedulers are not among them.
    """

    folder: Path
    pipeline: str
    index: Mapping[str, Any]
    components: Mapping[str, Component]

    def config(self, component: str) -> Mapping[str, Any]:
        """Configuration of a network; empty where there is none of that name."""
        found = self.components.get(component)
        return {} if found is None else found.config

    @cached_property
    def content_id(self) -> str:
        """Identifier of the weights: configurations, tensors' names, shapes and places, and the origin where it is recorded.

        Tens of gigabytes are not read for it. Weights that were trained further in place, under the same names and shapes,
        and without a record of their origin, are told apart by the files' times.
        """
        digest = hashlib.blake2b(json.dumps(self.index, sort_keys=True).encode(), digest_size=16)
        recorded = self.folder / "origin.json"
        for path in sorted(self.folder.rglob("*")):
            if path.suffix not in (".json", ".safetensors") or not path.is_file():
                continue
            digest.update(str(path.relative_to(self.folder)).encode())
            if path.suffix == ".json":
                digest.update(path.read_bytes())
            else:
                digest.update(_header_text(path))
                if not recorded.is_file():
                    digest.update(str(path.stat().st_mtime_ns).encode())
        return digest.hexdigest()


def read_checkpoint(folder: Path) -> VideoCheckpoint:
    """Read what a folder holds, and check that each file is whole.

    Raises:
        VideoCheckpointError: a file is missing, cut off, or not what its place says; the message names it.
    """
    index = _read_json(folder / MODEL_INDEX, f"{folder} is no diffusers pipeline")
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str):
        raise VideoCheckpointError(f"{folder / MODEL_INDEX} does not name its pipeline (_class_name)")
    components = {}
    for name, entry in index.items():
        if name.startswith("_") or not isinstance(entry, list) or len(entry) != 2 or None in entry:
            continue
        library, class_name = (str(part) for part in entry)
        place = folder / name
        if not place.is_dir():
            raise VideoCheckpointError(f"{folder} has no folder {name}, which its {MODEL_INDEX} names ({class_name})")
        if not any(kind in class_name for kind in _WITHOUT_WEIGHTS):
            components[name] = _read_component(place, name, library, class_name)
    if "transformer" not in components or "vae" not in components:
        raise VideoCheckpointError(f"{folder} ({pipeline}) has no transformer or no vae: it makes no video")
    return VideoCheckpoint(folder, pipeline, index, components)


def _read_component(place: Path, name: str, library: str, class_name: str) -> Component:
    config = _read_json(place / "config.json", f"{place} has no configuration")
    tensors: set[str] = set()
    parameters = stored = 0
    for path in _weight_files(place):
        header = read_safetensors_header(path)
        for tensor, entry in header.items():
            start, end = entry["data_offsets"]
            tensors.add(tensor)
            stored += end - start
            parameters += (end - start) // _BYTES.get(entry["dtype"], 4)
    return Component(name, library, class_name, config, frozenset(tensors), parameters, stored)


def _weight_files(place: Path) -> list[Path]:
    indices = sorted(place.glob("*.safetensors.index.json"))
    for index in indices:
        shards = _read_json(index, f"{place} has no list of its files").get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise VideoCheckpointError(f"{index} lists no files (weight_map)")
        names = sorted({str(file) for file in shards.values()})
        missing = [file for file in names if not (place / file).is_file()]
        if missing:
            raise VideoCheckpointError(f"{place} lacks {len(missing)} of {len(names)} files, the first {missing[0]}")
    files = sorted(place.glob("*.safetensors"))
    if not files:
        pickled = [path.name for path in place.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".ckpt")]
        found = f", only {pickled[0]}, which could run code and is not read" if pickled else ""
        raise VideoCheckpointError(f"{place} has no weights in safetensors format{found}")
    return files


def read_safetensors_header(path: Path) -> dict[str, Any]:
    """Names, types and places of a file's tensors.

    Raises:
        VideoCheckpointError: it is no safetensors file, or shorter or longer than its header says.
    """
    text = _header_text(path)
    try:
        header = json.loads(text)
        header.pop("__metadata__", None)
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        for entry in header.values():
            entry["dtype"], entry["shape"]
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise VideoCheckpointError(f"{path} is no safetensors file: its header cannot be read") from error
    size, right = path.stat().st_size, 8 + len(text) + end
    if size != right:
        what = "cut off" if size < right else "longer than its header says"
        raise VideoCheckpointError(f"{path} is {what}: it has {size} bytes and should have {right}")
    return header


def _header_text(path: Path) -> bytes:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if not 2 <= length <= min(_MAX_HEADER, size - 8):
            raise VideoCheckpointError(f"{path} is no safetensors file, or is cut off within its header ({size} bytes)")
        return file.read(length)


def _read_json(path: Path, without: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise VideoCheckpointError(f"{without}: {path} is missing") from error
    except (OSError, ValueError) as error:
        raise VideoCheckpointError(f"{path} cannot be read as JSON, or is cut off: {error}") from error
    if not isinstance(content, dict):
        raise VideoCheckpointError(f"{path} holds no JSON object")
    return content
