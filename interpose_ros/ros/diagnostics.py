"""What ``/diagnostics`` says about the node."""

from __future__ import annotations

import math
from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from interpose_ros.ros.session import Session

MAX_NAMED_FRAMES = 10


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
