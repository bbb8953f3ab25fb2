"""Fetching a video model from the Hugging Face hub: the list of its files first, then each file, resumed and checked.

Only what a model consists of is taken: networks as safetensors, configurations and vocabularies. No code, no pickles, and
of repositories with many models in one only the folders of the one that is meant.
"""

from __future__ import annotations

import functools
import json
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from interpose_ros import __version__
from interpose_ros.interpolation.diffusion.checkpoint import MODEL_INDEX, read_checkpoint
from interpose_ros.interpolation.diffusion.preset import PresetSource, VideoPreset
from interpose_ros.models.download import READ_TIMEOUT, DownloadError, fetch_file
from interpose_ros.models.pull import read_record, write_record
from interpose_ros.models.registry import WeightsFile, hub_address

SUFFIXES = (".safetensors", ".json", ".txt", ".model")
"""What is fetched. ``.model`` is a vocabulary of SentencePiece, which is data."""

Progress = Callable[[str, int, int | None], None]
_MAX_LIST = 16 * 2**20


@dataclass(frozen=True)
class SnapshotFile:
    """One file of a repository at one commit.

    Attributes:
        repository, commit, path: where it is published.
        name: its place in the model's folder.
        size: in bytes.
    """

    repository: str
    commit: str
    path: str
    name: str
    size: int

    @property
    def weights_file(self) -> WeightsFile:
        """As the download takes it."""
        path = urllib.parse.quote(self.path)
        url = f"{{hub}}/{self.repository}/resolve/{self.commit}/{path}"
        return WeightsFile(PurePosixPath(self.name).name, url, self.size, self.size)


def preset_notice(preset: VideoPreset) -> str:
    """What a user must have read before anything is fetched."""
    lines = [
        f"{preset.name}: {preset.description}",
        f"Licence of the weights: {preset.licence}, {preset.licence_url}",
        preset.licence_note,
    ]
    lines += [f"With it {lora.repository} ({lora.file}): {lora.licence}" for lora in preset.loras]
    lines.append(f"Size: about {preset.download_gigabytes:g} GB. Expected in {preset.folder}")
    return "\n".join(lines)


def preset_location(preset: VideoPreset) -> Path | None:
    """The model's folder where it has been pulled or put whole; None otherwise. Files are not looked into."""
    present = (preset.folder / MODEL_INDEX).is_file() and not _unfinished(preset.folder).is_file()
    return preset.folder if present else None


def pull_preset(preset: VideoPreset, progress: Progress, timeout: float = READ_TIMEOUT, pause: float = 1.0) -> Path:
    """Fetch everything that a preset needs; what a record says is whole is not fetched again.

    Args:
        preset: what to fetch; agreeing to its licences is the caller's matter.
        progress: told a file's name, bytes there and bytes in all.
        timeout, pause: see ``fetch_file``.

    Returns:
        The model's folder.

    Raises:
        DownloadError: no connection, no such repository, a file that is not what was announced, or no room on the disk.
        VideoCheckpointError: what was published is not a complete model.
    """
    folder = preset.folder
    folder.mkdir(parents=True, exist_ok=True)
    files = [*_planned(preset, timeout)]
    record = read_record(folder)
    wanted = [file for file in files if not _is_there(file, folder, record)]
    needed, free = sum(file.size for file in wanted), shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError(
            f"{folder} has room for {free / 1e9:.1f} GB; {preset.name} needs {needed / 1e9:.1f} GB more"
        )
    # The model index of a half-fetched model would make it look whole.
    _unfinished(folder).touch()
    for file in files:
        if file not in wanted:
            progress(file.name, file.size, file.size)
            continue
        place = (folder / file.name).parent
        fetched = fetch_file(file.weights_file, place, functools.partial(progress, file.name), timeout, pause)
        record[file.name] = {
            **asdict(fetched),
            "repository": file.repository,
            "commit": file.commit,
            "licence": preset.licence,
            "fetched": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        write_record(folder, record)
    if preset.model_index is not None:
        (folder / MODEL_INDEX).write_text(json.dumps(dict(preset.model_index), indent=2) + "\n", encoding="utf-8")
    read_checkpoint(folder)
    _unfinished(folder).unlink()
    return folder


def _planned(preset: VideoPreset, timeout: float) -> Iterator[SnapshotFile]:
    for source in preset.sources:
        commit, listed = _listed(source.repository, source.revision, timeout)
        folders = source.folders or {
            name: name for name in _components(source.repository, commit, timeout)
        }  # fmt: skip
        if source.folders is None:
            yield _file(listed, source, commit, MODEL_INDEX, MODEL_INDEX)
        for component, place in folders.items():
            found = [path for path in listed if _belongs(path, place)]
            if not found:
                raise DownloadError(f"{source.repository} at {commit} has no files of a model in its folder {place}")
            for path in found:
                yield _file(listed, source, commit, path, f"{component}/{PurePosixPath(path).name}")
    for lora in preset.loras:
        commit, listed = _listed(lora.repository, lora.revision, timeout)
        source = PresetSource(repository=lora.repository, revision=lora.revision)
        yield _file(listed, source, commit, lora.file, lora.local_name)


def _belongs(path: str, place: str) -> bool:
    """Whether a file lies right in a component's folder and is of a kind that is taken; not a variant of its weights."""
    pure = PurePosixPath(path)
    parent = "." if str(pure.parent) == "." else str(pure.parent)
    is_variant = pure.suffix == ".safetensors" and any(f".{kind}" in pure.name for kind in ("fp16", "bf16", "fp8"))
    return parent == place and pure.suffix in SUFFIXES and not is_variant and pure.name != MODEL_INDEX


def _file(listed: Mapping[str, int], source: PresetSource, commit: str, path: str, name: str) -> SnapshotFile:
    if path not in listed:
        raise DownloadError(f"{source.repository} at {commit} has no file {path}")
    return SnapshotFile(source.repository, commit, path, name, listed[path])


def _is_there(file: SnapshotFile, folder: Path, record: Mapping[str, dict]) -> bool:
    known, path = record.get(file.name), folder / file.name
    return bool(
        known
        and known.get("commit") == file.commit
        and path.is_file()
        and path.stat().st_size == file.size == known["size"]
    )


def _listed(repository: str, revision: str, timeout: float) -> tuple[str, dict[str, int]]:
    """The commit that a revision names now, and the sizes of its files by path."""
    base = f"{hub_address()}/api/models/{repository}"
    described, _ = _json(f"{base}/revision/{urllib.parse.quote(revision, safe='')}", timeout)
    commit = described.get("sha") if isinstance(described, dict) else None
    if not isinstance(commit, str) or not commit.isalnum():
        raise DownloadError(f"{base}: the hub names no commit of the revision {revision}")
    files: dict[str, int] = {}
    address: str | None = f"{base}/tree/{commit}?recursive=true"
    while address:
        entries, address = _json(address, timeout)
        if not isinstance(entries, list):
            raise DownloadError(f"{base}: the hub gives no list of files")
        for entry in entries:
            if entry.get("type") == "file":
                files[str(entry["path"])] = int(entry["size"])
    return commit, files


def _components(repository: str, commit: str, timeout: float) -> list[str]:
    """Folders of the networks, tokenizers and schedulers that a repository's model index names."""
    index, _ = _json(f"{hub_address()}/{repository}/resolve/{commit}/{MODEL_INDEX}", timeout)
    if not isinstance(index, dict):
        raise DownloadError(f"{repository}: its {MODEL_INDEX} holds no components")
    return [
        name
        for name, entry in index.items()
        if name.isidentifier() and not name.startswith("_") and isinstance(entry, list) and None not in entry
    ]


def _json(address: str, timeout: float) -> tuple[Any, str | None]:
    """An answer of the hub, and the address of the next page where there is one."""
    request = urllib.request.Request(address, headers={"User-Agent": f"interpose_ros/{__version__}"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            content = json.loads(response.read(_MAX_LIST))
            link = response.headers.get("Link") or ""
    except urllib.error.HTTPError as error:
        why = {
            401: "its licence must be agreed to on the hub first",
            403: "access was refused",
            404: "there is no such",
        }
        raise DownloadError(f"{address}: the hub says {error.code} {why.get(error.code, error.reason)}") from error
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise DownloadError(f"{address}: {error}") from error
    except ValueError as error:
        raise DownloadError(f"{address}: the answer is no JSON") from error
    following = link.partition(">")[0].lstrip(" <") if 'rel="next"' in link else None
    if following and not following.startswith(hub_address()):
        raise DownloadError(f"{address}: the list of files goes on at another place, {following}")
    return content, following


def _unfinished(folder: Path) -> Path:
    return folder / "unfinished"
