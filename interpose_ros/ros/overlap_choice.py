"""How much two images of a stream share, computed in a process of its own, so that neither pairs nor callbacks wait."""

from __future__ import annotations

from collections.abc import Callable

from interpose_ros.config import InterposeConfig
from interpose_ros.engine.overlap_work import OverlapJob, OverlapWork
from interpose_ros.engine.worker_process import WorkerProcess
from interpose_ros.engine.worker_status import CancelledJob, WorkerFailure, WorkerLimits, WorkerStatus
from interpose_ros.views import View


class StreamOverlap:
    """The process; lives from configuration to cleanup.

    Args:
        config: of the core.
        limits: how long it is waited for.
        is_wanted: whether anybody still waits for overlaps.
        warn: told why one is unknown.
    """

    def __init__(
        self,
        config: InterposeConfig,
        limits: WorkerLimits,
        is_wanted: Callable[[], bool],
        warn: Callable[[str], None],
    ) -> None:
        self._is_wanted, self._warn = is_wanted, warn
        self._process: WorkerProcess[OverlapJob, float] = WorkerProcess(
            "interpose_look", OverlapWork(config), limits, warn
        )
        self._process.start()

    @property
    def status(self) -> WorkerStatus:
        """How the process is."""
        return self._process.status

    def __call__(self, last: View, view: View) -> float:
        """The smaller share, 0 to 1, of both images that verified matches cover.

        0 where that cannot be told: rather too many keyframes than none.
        """
        try:
            return self._process.run(OverlapJob(last, view), cancelled=lambda: not self._is_wanted())
        except WorkerFailure as failure:
            self._warn(f"image {view.keyframe_id} becomes a keyframe, as its overlap is unknown: {failure}")
            return 0.0
        except CancelledJob:
            return 1.0

    def stop(self, timeout: float) -> bool:
        """End the process. True when it has ended within ``timeout`` seconds."""
        return self._process.stop(timeout)


def on_processor(config: InterposeConfig) -> InterposeConfig:
    """The same settings with the matching networks on the processor."""
    return config.model_copy(update={"features": config.features.model_copy(update={"device": "cpu"})})
