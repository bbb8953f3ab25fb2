"""What the worker of the keyframe choice does: how much two images share, while that of the pairs is busy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interpose_ros.config import InterposeConfig
from interpose_ros.engine.workload import JobContext
from interpose_ros.views import View

if TYPE_CHECKING:
    from interpose_ros.matching.store import MatchStore


@dataclass(frozen=True, eq=False)
class OverlapJob:
    """Two images of one camera."""

    first: View
    second: View


class OverlapWork:
    """Matches two images. A ``Workload``.

    Attributes:
        models: names of the networks that are loaded.
    """

    def __init__(self, config: InterposeConfig) -> None:
        self._config = config
        self.models = ""
        self._store: MatchStore | None = None

    def load(self, checked: Callable[[], None]) -> None:
        """Load the matching networks.

        Raises:
            FileNotFoundError: their weights are not installed.
        """
        from interpose_ros.matching.store import MatchStore

        checked()
        self._store = MatchStore.with_default_networks(self._config)
        self.models = self._store.name

    def reduce(self) -> None:
        """There is nothing to reduce."""
        return None

    def work(self, job: OverlapJob, context: JobContext) -> float:
        """Share, 0 to 1, of each image that verified matches with the other cover; the smaller of both."""
        assert self._store is not None
        return min(self._store.pair(job.first, job.second).coverage())
