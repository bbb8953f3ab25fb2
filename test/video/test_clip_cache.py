"""Clips on disk: by content, bounded, whole or made again, and never a reason for an estimate to fail."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from interpose_ros.interpolation import clip_cache
from interpose_ros.interpolation.clip_cache import CachedClip, ClipCache, clip_key, default_cache_folder


def clip(seed: int = 0, frames: int = 3, last: int | None = 2) -> CachedClip:
    return CachedClip(np.random.default_rng(seed).integers(0, 256, (frames, 40, 50, 3), dtype=np.uint8), last)


@pytest.mark.parametrize("last", [2, None])
def test_what_was_put_comes_back_exactly(tmp_path: Path, last: int | None) -> None:
    cache = ClipCache(tmp_path / "clips", 1e8)
    made = clip(last=last)
    assert cache.get("a") is None
    assert cache.put("a", made)
    found = ClipCache(tmp_path / "clips", 1e8).get("a")
    assert np.array_equal(found.frames, made.frames)
    assert found.last_index == last
    assert [path.name for path in (tmp_path / "clips").iterdir()] == ["a.clip"]


def test_the_name_is_the_content() -> None:
    parts = {"model": "m", "seed": "1", "prompt": "a room"}
    assert clip_key(parts) == clip_key(dict(reversed(parts.items())))
    assert len({clip_key({**parts, key: "other"}) for key in parts} | {clip_key(parts)}) == 4


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.99])
def test_a_cut_off_clip_is_noticed_and_removed(tmp_path: Path, keep: float, caplog: pytest.LogCaptureFixture) -> None:
    cache = ClipCache(tmp_path, 1e8)
    cache.put("a", clip())
    path = tmp_path / "a.clip"
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    assert cache.get("a") is None
    assert "made again" in caplog.text
    assert not path.exists()


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    cache = ClipCache(tmp_path, 1e8)
    cache.put("a", clip())
    content = bytearray((tmp_path / "a.clip").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.clip").write_bytes(bytes(content))
    assert cache.get("a") is None


def test_those_not_used_for_longest_go_first(tmp_path: Path) -> None:
    cache = ClipCache(tmp_path, 1e8)
    for number, key in enumerate("abc"):
        cache.put(key, clip(number))
        os.utime(tmp_path / f"{key}.clip", ns=(number, number))
    size = (tmp_path / "a.clip").stat().st_size
    cache.get("a")  # used just now
    ClipCache(tmp_path, 3.5 * size).put("d", clip(4))
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["a", "c", "d"]
    total = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert total <= 3.5 * size


def test_no_room_at_all(tmp_path: Path) -> None:
    assert not ClipCache(tmp_path / "clips", 0.0).put("a", clip())
    assert not (tmp_path / "clips").exists()


def test_a_full_disk_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(clip_cache.os, "fsync", full)
    assert not ClipCache(tmp_path, 1e8).put("a", clip())
    assert "No space left" in caplog.text
    assert list(tmp_path.iterdir()) == [], "nothing half-written stays"


def test_a_folder_that_cannot_be_made_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    cache = ClipCache(tmp_path / "file" / "clips", 1e8)
    assert not cache.put("a", clip())
    assert cache.get("a") is None
    assert "not kept" in caplog.text


def test_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "interpose_ros" / "clips"
