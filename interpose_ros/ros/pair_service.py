"""``~/get_relative_pose``: the latest answer for two keyframes, without computing anything."""

from __future__ import annotations

from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.ros.conversions import nanoseconds_from_stamp
from interpose_ros.ros.relative_pose import refusal_message
from interpose_ros.ros.session import Session
from interpose_ros.srv import GetRelativePose
from interpose_ros.views import KeyframeId

Response = GetRelativePose.Response


def answer_request(session: Session | None, request: GetRelativePose.Request) -> GetRelativePose.Response:
    """The response. ``session`` is None outside the active state."""
    a = KeyframeId(request.keyframe_a.frame_id, nanoseconds_from_stamp(request.keyframe_a.stamp))
    b = KeyframeId(request.keyframe_b.frame_id, nanoseconds_from_stamp(request.keyframe_b.stamp))
    if session is None:
        return _no(a, b, Response.CODE_NOT_ACTIVE, RefusalReason.CANCELLED, "the node is not active: activate it")
    if not a.frame_id or not b.frame_id or a == b:
        text = "name two different keyframes, each with the frame_id and the stamp of its image"
        return _no(a, b, Response.CODE_INVALID_REQUEST, RefusalReason.BAD_INPUT, text)
    for name in (a, b):
        if session.was_evicted(name) and not session.is_held(name):
            text = f"keyframe {name} has been dropped: by ~/reset, or for max_keyframes or keyframe_megabytes"
            return _no(a, b, Response.CODE_EVICTED, RefusalReason.CANCELLED, text)
        if not session.is_held(name):
            text = f"keyframe {name} never arrived: see ~/list_keyframes"
            return _no(a, b, Response.CODE_UNKNOWN_KEYFRAME, RefusalReason.BAD_INPUT, text)
    message = session.answer((a, b))
    if message is not None:
        return Response(code=Response.CODE_OK, result=message)
    if session.is_pending((a, b)) or session.is_pending((b, a)):
        return _no(a, b, Response.CODE_PENDING, RefusalReason.CANCELLED, "not answered yet: ask again")
    text = "this pair was not selected: see the parameters pair_choice, pair_window and pair_list"
    return _no(a, b, Response.CODE_NOT_ESTIMATED, RefusalReason.CANCELLED, text)


def _no(a: KeyframeId, b: KeyframeId, code: int, reason: RefusalReason, text: str) -> GetRelativePose.Response:
    return Response(code=code, message=text, result=refusal_message(a, b, Refusal(reason, text)))
