"""Fetching a file over real sockets, from publishers that stall, hang up, change their minds or lie."""

import fcntl
import hashlib
from pathlib import Path

import numpy as np
import pytest

from interpose_ros.models.download import DownloadError, FetchedFile, fetch_file
from interpose_ros.models.registry import WeightsFile

from .publisher import Publisher, publishing

CONTENT = np.random.default_rng(0).bytes(3_000_000)


def fetch(
    publisher: Publisher, folder: Path, path: str = "files/x", timeout: float = 20.0, **sizes: int
) -> FetchedFile:
    file = WeightsFile("x.bin", f"{publisher.address}/{path}", sizes.get("least", 1), sizes.get("most", 10_000_000))
    return fetch_file(file, folder, timeout=timeout, pause=0.001)


def test_a_whole_file_with_the_publishers_checksum(tmp_path: Path) -> None:
    seen = []
    with publishing(Publisher(CONTENT)) as publisher:
        file = WeightsFile("x.bin", f"{publisher.address}/hub/x", 1, 10_000_000)
        fetched = fetch_file(file, tmp_path / "new" / "folder", lambda done, total: seen.append((done, total)))
    assert (tmp_path / "new/folder/x.bin").read_bytes() == CONTENT
    assert fetched.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert fetched.verified, "the hub names the checksum where it redirects"
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert sorted(done for done, _ in seen) == [done for done, _ in seen]
    assert [f.name for f in (tmp_path / "new/folder").iterdir()] == ["x.bin"], "nothing is left beside it"


def test_hang_ups_are_continued_where_they_were(tmp_path: Path) -> None:
    with publishing(Publisher(CONTENT, cut_after=[1_000_000, 500_000, 1])) as publisher:
        fetched = fetch(publisher, tmp_path)
    assert (tmp_path / "x.bin").read_bytes() == CONTENT
    assert not fetched.verified, "this publisher names no checksum"
    assert [asked for _, asked in publisher.requests] == [
        None, "bytes=1000000-", "bytes=1500000-", "bytes=1500001-",
    ]  # fmt: skip


def test_a_publisher_without_ranges_is_asked_for_everything_again(tmp_path: Path) -> None:
    with publishing(Publisher(CONTENT, cut_after=[1_000_000], ranges=False)) as publisher:
        fetch(publisher, tmp_path)
    assert (tmp_path / "x.bin").read_bytes() == CONTENT


def test_a_stalled_connection_is_made_anew(tmp_path: Path) -> None:
    with publishing(Publisher(CONTENT, silent_connections=2)) as publisher:
        fetch(publisher, tmp_path, timeout=0.3)
    assert (tmp_path / "x.bin").read_bytes() == CONTENT
    assert len(publisher.requests) == 3


def test_giving_up_keeps_what_is_there_and_the_next_time_goes_on(tmp_path: Path) -> None:
    with publishing(Publisher(CONTENT, cut_after=[2_000_000, 0, 0, 0, 0])) as publisher:
        with pytest.raises(DownloadError, match="2000000 bytes so far are kept"):
            fetch(publisher, tmp_path)
        assert not (tmp_path / "x.bin").exists(), "a part never has the name of the whole"
        fetch(publisher, tmp_path)
    assert (tmp_path / "x.bin").read_bytes() == CONTENT
    assert publisher.requests[-1][1] == "bytes=2000000-"


def test_a_file_that_changed_in_between_is_fetched_from_its_start(tmp_path: Path) -> None:
    other = np.random.default_rng(1).bytes(len(CONTENT))
    with publishing(Publisher(CONTENT, cut_after=[2_000_000, 0, 0, 0, 0])) as publisher:
        with pytest.raises(DownloadError):
            fetch(publisher, tmp_path)
        publisher.content = other
        fetch(publisher, tmp_path)
    assert (tmp_path / "x.bin").read_bytes() == other


def test_a_part_that_nobody_knows_is_not_built_upon(tmp_path: Path) -> None:
    (tmp_path / "x.bin.part").write_bytes(b"something else")
    with publishing(Publisher(CONTENT)) as publisher:
        fetch(publisher, tmp_path)
    assert (tmp_path / "x.bin").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_started_over(tmp_path: Path) -> None:
    with publishing(Publisher(CONTENT, cut_after=[2_000_000, 0, 0, 0, 0])) as publisher:
        with pytest.raises(DownloadError):
            fetch(publisher, tmp_path)
        publisher.content = CONTENT[:1_500_000]
        fetch(publisher, tmp_path)
    assert (tmp_path / "x.bin").read_bytes() == CONTENT[:1_500_000]


@pytest.mark.parametrize("says_length", [True, False])
@pytest.mark.parametrize(("least", "most"), [(4_000_000, 5_000_000), (1000, 2_000_000)])
def test_a_size_that_cannot_be_right(tmp_path: Path, says_length: bool, least: int, most: int) -> None:
    (tmp_path / "x.bin").write_bytes(b"what was there before")
    wrong = pytest.raises(DownloadError, match=f"between {least} and {most}")
    with publishing(Publisher(CONTENT, says_length=says_length)) as publisher, wrong:
        fetch(publisher, tmp_path, least=least, most=most)
    assert (tmp_path / "x.bin").read_bytes() == b"what was there before"


def test_a_wrong_checksum_leaves_nothing(tmp_path: Path) -> None:
    wrong = pytest.raises(DownloadError, match="publisher gives 0000")
    with publishing(Publisher(CONTENT, claimed_sha256="0" * 64)) as publisher, wrong:
        fetch(publisher, tmp_path, "hub/x")
    assert not (tmp_path / "x.bin").exists()
    assert (tmp_path / "x.bin.part").stat().st_size == 0


def test_server_errors_are_tried_again_and_refusals_are_not(tmp_path: Path) -> None:
    with publishing(Publisher(CONTENT, errors=[503, 500])) as publisher:
        fetch(publisher, tmp_path)
    assert (tmp_path / "x.bin").read_bytes() == CONTENT
    with publishing(Publisher(CONTENT, errors=[404])) as publisher:
        with pytest.raises(DownloadError, match="404"):
            fetch(publisher, tmp_path / "other")
        assert len(publisher.requests) == 1


def test_nobody_listens(tmp_path: Path) -> None:
    with publishing(Publisher(CONTENT)) as publisher:
        pass
    with pytest.raises(DownloadError, match="gave up after 4 attempts"):
        fetch(publisher, tmp_path)


def test_two_at_once_do_not_mix(tmp_path: Path) -> None:
    with publishing(Publisher(CONTENT)) as publisher, (tmp_path / "x.bin.part").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DownloadError, match="another process"):
            fetch(publisher, tmp_path)
        assert publisher.requests == []


def test_a_full_disk_is_noticed_before_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with publishing(Publisher(CONTENT)) as publisher, pytest.raises(DownloadError, match="room for 1000 bytes"):
        fetch(publisher, tmp_path)
