"""Settings of the worker process, of what is spent on a pair, and of the action. Free of ROS."""

from __future__ import annotations

import math
import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from interpose_ros.config import LIVE
from interpose_ros.engine.worker_status import WorkerLimits
from interpose_ros.selection.budget import Budget


class NodeWorkerConfig(BaseModel):
    """The process that estimates. It is started again where it is killed, hangs, or sends what is no message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Literal["process", "ray"] = Field(
        "process",
        description="Where pairs are worked on: in a process on this machine, or in the Ray cluster at worker.ray_address, "
        "which images are then sent to.",
    )
    ray_address: str = Field(
        "",
        description="With worker.engine ray: ray://HOST:PORT of the cluster, or HOST:PORT where this machine is part of it.",
    )
    heartbeat_timeout: float = Field(
        30.0, ge=1.0, le=3600.0, description="Time without a sign of life [s]; four times that while models load."
    )
    load_timeout: float = Field(1800.0, ge=1.0, le=86400.0, description="Longest time for loading its models [s].")
    stall_timeout: float = Field(600.0, ge=1.0, le=86400.0, description="Time without progress of a pair [s].")
    cancel_timeout: float = Field(
        5.0,
        ge=0.0,
        le=3600.0,
        description="Time that a pair which nobody wants any more may go on before the process is ended [s]; whoever "
        "cancelled waits for less than a second.",
    )
    max_restart_delay: float = Field(
        30.0, ge=0.5, le=3600.0, description="Longest wait before it is started again [s]; doubles from 0.5 s."
    )
    view_megabytes: float = Field(
        256.0, ge=0.0, description="Images that the process holds for later pairs [MB]; each is sent there once."
    )

    @model_validator(mode="after")
    def _cluster_is_named(self) -> NodeWorkerConfig:
        if self.engine == "ray" and not re.fullmatch(r"(ray://)?[^/\s]+:\d{1,5}", self.ray_address):
            raise ValueError(
                f"worker.engine is ray and worker.ray_address is '{self.ray_address}': ray://HOST:PORT or HOST:PORT is meant"
            )
        return self

    @property
    def cluster(self) -> str:
        """Address of the Ray cluster; empty where pairs are worked on here."""
        return self.ray_address if self.engine == "ray" else ""

    def limits(self) -> WorkerLimits:
        """The same as the worker has it."""
        return WorkerLimits(
            heartbeat=self.heartbeat_timeout,
            load=self.load_timeout,
            stall=self.stall_timeout,
            cancel=self.cancel_timeout,
            last_restart=self.max_restart_delay,
            view_bytes=self.view_megabytes * 1e6,
        )


class NodeBudgetConfig(BaseModel):
    """What may be spent on one pair."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clips: int = Field(
        0,
        ge=0,
        le=1000,
        description="Most clips of frames in between for one pair; 0: no limit.",
        json_schema_extra=LIVE,
    )
    seconds: float = Field(
        0.0,
        ge=0.0,
        le=86400.0,
        description="Longest computation for one pair [s]; 0: no limit.",
        json_schema_extra=LIVE,
    )

    def as_budget(self, clips: int = 0, seconds: float = 0.0) -> Budget:
        """The budget of a pair; ``clips`` and ``seconds`` replace the settings where they are not 0."""
        return Budget(clips=clips or self.clips or math.inf, seconds=seconds or self.seconds or math.inf)


class NodeActionConfig(BaseModel):
    """The action ~/estimate_relative_pose."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: Literal["queue", "reject", "preempt"] = Field(
        "queue",
        description="A goal that comes while others are under way waits for its turn (queue), is rejected (reject), or ends "
        "them, which then return their best so far (preempt).",
        json_schema_extra=LIVE,
    )
    max_goals: int = Field(
        8, ge=1, le=64, description="Goals under way or waiting; further ones are rejected.", json_schema_extra=LIVE
    )
