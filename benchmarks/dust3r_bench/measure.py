"""Times, memory, progress, and the machine that they belong to."""

from __future__ import annotations

import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from interpose_ros.evaluation.run_record import environment


class Meter:
    """Measures on one device, and says on stderr what is being measured."""

    def __init__(self, device: str, repeats: int) -> None:
        self.device = device
        self.repeats = repeats
        self._began = time.perf_counter()

    def say(self, text: str) -> None:
        """One line of progress with the seconds so far."""
        print(f"[{self.elapsed():6.0f} s] {text}", file=sys.stderr, flush=True)

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._began

    def now(self) -> float:
        """Seconds, with nothing left to do on the device."""
        if self.device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter()

    def seconds(self, run: Callable[[], object]) -> float:
        """Of one call."""
        start = self.now()
        run()
        return self.now() - start

    def in_turns(self, runs: dict[str, Callable[[], object]]) -> dict[str, float]:
        """Median seconds of each, after one call that does not count; in turns, so that a busy moment meets all."""
        times: dict[str, list[float]] = {name: [] for name in runs}
        for run in runs.values():
            run()
        for turn in range(self.repeats):
            for name, run in runs.items():
                times[name].append(self.seconds(run))
            self.say(f"turn {turn + 1} of {self.repeats}: " + ", ".join(f"{n} {t[-1]:.2f} s" for n, t in times.items()))
        return {name: statistics.median(values) for name, values in times.items()}

    def peak_megabytes(self, run: Callable[[], object]) -> float:
        """Memory that a run takes at its peak beyond what was there before."""
        gc.collect()
        if self.device != "cpu":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            run()
            return (torch.cuda.max_memory_allocated() - before) / 2**20
        # The resident size says nothing once earlier runs have grown the process: allocations are counted instead.
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            run()
        events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
        held = peak = 0
        for event in sorted(events, key=lambda e: e.start_ns()):
            held += event.nbytes()
            peak = max(peak, held)
        return peak / 2**20

    def environment(self) -> dict[str, Any]:
        """What the numbers were taken on."""
        return {
            **environment(),
            "device": self.device,
            "threads": torch.get_num_threads(),
            "load_average": os.getloadavg()[0],
            "seconds": self.elapsed(),
        }


def interval_over_scenes(differences: Sequence[float]) -> list[float]:
    """95 % interval of the mean difference, by resampling scenes."""
    rng = np.random.default_rng(0)
    drawn = rng.choice(np.asarray(differences), (4000, len(differences)))
    return [float(x) for x in np.percentile(drawn.mean(axis=1), [2.5, 97.5])]
