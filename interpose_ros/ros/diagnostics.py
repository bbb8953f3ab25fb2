"""What ``/diagnostics`` says about the node."""

from __future__ import annotations

import math
from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from interpose_ros.engine.worker_status import WorkerState, WorkerStatus
from interpose_ros.ros.session import Session

MAX_NAMED_FRAMES = 10

_WORKER_LEVELS = {
    WorkerState.LOADING: DiagnosticStatus.WARN,
    WorkerState.RESTARTING: DiagnosticStatus.WARN,
    WorkerState.FAILED: DiagnosticStatus.ERROR,
    WorkerState.STOPPED: DiagnosticStatus.ERROR,
}


def node_status(node_name: str, state: str, networks: str, device: str, session: Session | None) -> DiagnosticStatus:
    """State, networks in use, device, queue, latencies and refusals.

    ``networks`` is empty before they are loaded, ``session`` None outside the active state.
    """
    status = DiagnosticStatus(name=f"{node_name}: keyframes", hardware_id="none", message=state)
    status.level = DiagnosticStatus.OK
    values: dict[str, str] = {"state": state, "networks": networks, "device": device}
    if session is not None:
        values |= _session_values(session)
        if session.counts.get("refused_internal"):
            status.level = DiagnosticStatus.WARN
            status.message = "estimates failed with an error: see the log"
    status.values = _key_values(values)
    return status


def worker_status(node_name: str, worker: WorkerStatus, goals: int, cluster: str) -> DiagnosticStatus:
    """How the process that estimates is; ``goals`` of the action are under way or waiting.

    ``cluster`` is the address of the Ray cluster that does the work; empty for none.
    """
    values = {"goals": str(goals), "engine": f"ray at {cluster}" if cluster else "process"}
    return _process_status(f"{node_name}: worker", worker, values)


def contact_status(node_name: str, worker: WorkerStatus) -> DiagnosticStatus:
    """How the process of ``~/refine_contact_pose`` is."""
    status = _process_status(f"{node_name}: contact", worker, {})
    if worker.state is WorkerState.STOPPED:
        status.level, status.message = DiagnosticStatus.OK, "starts with the first request"
    return status


def _process_status(name: str, worker: WorkerStatus, more: Mapping[str, str]) -> DiagnosticStatus:
    status = DiagnosticStatus(name=name, hardware_id="none")
    status.level = _WORKER_LEVELS.get(worker.state, DiagnosticStatus.OK)
    status.message = f"{worker.state.value}: {worker.text}" if worker.text else worker.state.value
    if worker.reduced and status.level == DiagnosticStatus.OK:
        status.level = DiagnosticStatus.WARN
        status.message = f"{worker.state.value}, with less memory: {worker.reduced}"
    values = {
        "state": worker.state.name,
        "models": worker.models,
        "process": str(worker.process_id),
        "megabytes": f"{worker.resident_bytes / 1e6:.0f}",
        "restarts": str(worker.restarts),
        **more,
    }
    if worker.last_failure:
        values["last_failure"] = worker.last_failure
    if worker.reduced:
        values["reduced"] = worker.reduced
    status.values = _key_values(values)
    return status


def parameters_status(node_name: str, unknown: Mapping[str, str]) -> DiagnosticStatus:
    """Names that were given and are no parameters, each with the one that may be meant, or ""."""
    status = DiagnosticStatus(name=f"{node_name}: parameters", hardware_id="none")
    status.level = DiagnosticStatus.WARN
    status.message = "unknown parameters were given; they have no effect"
    named = (f"{name} ({meant}?)" if meant else name for name, meant in unknown.items())
    status.values = _key_values({"unknown_parameters": ", ".join(named)})
    return status


def tf_status(node_name: str, session: Session) -> DiagnosticStatus:
    """What is sent on /tf, and what is not since somebody else gives the frame a parent."""
    status = DiagnosticStatus(name=f"{node_name}: tf", hardware_id="none", message="edges are sent")
    status.level = DiagnosticStatus.OK
    conflicts = session.conflicts
    values = {"edges": str(len(session.edges)), "frames_with_foreign_parent": str(len(conflicts))}
    if conflicts:
        status.level = DiagnosticStatus.WARN
        status.message = "frames are not sent, since somebody else gives them a parent on /tf"
        values["foreign"] = ", ".join(conflicts[:MAX_NAMED_FRAMES])
    status.values = _key_values(values)
    return status


def _session_values(session: Session) -> dict[str, str]:
    values = {
        "keyframes": str(len(session.keyframes())),
        "keyframes_out_of_order": str(session.out_of_order),
        "keyframe_megabytes": f"{session.keyframe_bytes / 1e6:.1f}",
        "edges": str(len(session.edges)),
        "pending_pairs": str(session.pending_pairs),
        "waiting_images": str(session.intake.load),
        "pairs_dropped": str(session.pairs_dropped),
    }
    values |= {name: str(count) for name, count in session.intake.counts.items()}
    if math.isfinite(session.last_seconds):
        values["last_estimate_seconds"] = f"{session.last_seconds:.3f}"
    values |= {f"last_{stage}_seconds": f"{seconds:.3f}" for stage, seconds in session.last_stage_seconds.items()}
    values |= {f"answers_{name}": str(count) for name, count in session.counts.items()}
    if session.last_refusal:
        values["last_refusal"] = session.last_refusal
    return values


def _key_values(values: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value) for key, value in values.items()]
