"""From a goal of ``~/estimate_relative_pose`` to the two views that it is about, or to what is wrong with it."""

from __future__ import annotations

import array

from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from interpose_ros.action import EstimateRelativePose
from interpose_ros.msg import KeyframeId as KeyframeIdMessage
from interpose_ros.ros.conversions import (
    NANOSECONDS,
    camera_from_message,
    image_from_message,
    keyframe_id_from_header,
    nanoseconds_from_stamp,
)
from interpose_ros.ros.session import Session
from interpose_ros.views import KeyframeId, View

Result = EstimateRelativePose.Result


class GoalProblem(Exception):
    """A goal cannot be worked on.

    Attributes:
        code: CODE_* of the result.
        text: a sentence.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


def views_of_goal(goal: EstimateRelativePose.Goal, session: Session) -> tuple[View, View]:
    """Views A and B. Images win where keyframes are named, too.

    Raises:
        GoalProblem: nothing usable is given, or a keyframe is not held.
    """
    has_a, has_b = bool(goal.image_a.data), bool(goal.image_b.data)
    if has_a != has_b:
        given, missing = ("image_a", "image_b") if has_a else ("image_b", "image_a")
        raise _invalid(f"{given} is given and {missing} has no data: send two images, or none and name two keyframes")
    if has_a:
        view_a = _view("image_a", goal.image_a, goal.camera_info_a)
        view_b = _view("image_b", goal.image_b, goal.camera_info_b)
        if view_a.keyframe_id == view_b.keyframe_id:
            raise _invalid(f"both images are named {view_a.keyframe_id}: frame_id and stamp together must differ")
        return view_a, view_b
    return _held_views(goal, session)


def keyframes_of_goal(goal: EstimateRelativePose.Goal) -> tuple[KeyframeId, KeyframeId]:
    """What a goal names, for a result without views; a stamp that is none counts as 0."""
    if goal.image_a.data or goal.image_b.data:
        a, b = goal.image_a.header, goal.image_b.header
    else:
        a, b = goal.keyframe_a, goal.keyframe_b
    return _said_name(a), _said_name(b)


def drop_images(goal: EstimateRelativePose.Goal) -> None:
    """Let the goal's pixels go: the action server keeps a goal for minutes after its end."""
    for image in (goal.image_a, goal.image_b):
        image.data = array.array("B")


def _held_views(goal: EstimateRelativePose.Goal, session: Session) -> tuple[View, View]:
    a, b = _name(goal.keyframe_a), _name(goal.keyframe_b)
    if not a.frame_id or not b.frame_id or a == b:
        raise _invalid(
            "give image_a and image_b with their camera infos, or name two different keyframes, each with the frame_id "
            "and the stamp of its image"
        )
    views = []
    for name in (a, b):
        view = session.view(name)
        if view is None and session.was_evicted(name):
            text = f"keyframe {name} has been dropped: by ~/reset, or for max_keyframes or keyframe_megabytes"
            raise GoalProblem(Result.CODE_EVICTED, text)
        if view is None:
            raise GoalProblem(Result.CODE_UNKNOWN_KEYFRAME, f"keyframe {name} never arrived: see ~/list_keyframes")
        views.append(view)
    return views[0], views[1]


def _view(which: str, image: Image, info: CameraInfo) -> View:
    try:
        name = keyframe_id_from_header(image.header)
        return View(image_from_message(image), camera_from_message(info), name)
    except ValueError as error:
        raise _invalid(f"{which}: {error}") from error


def _name(message: KeyframeIdMessage) -> KeyframeId:
    if message.stamp.nanosec >= NANOSECONDS:
        raise _invalid(f"stamp.nanosec of a keyframe is {message.stamp.nanosec}: it must be below {NANOSECONDS}")
    return KeyframeId(message.frame_id, nanoseconds_from_stamp(message.stamp))


def _said_name(named: Header | KeyframeIdMessage) -> KeyframeId:
    stamp_ns = nanoseconds_from_stamp(named.stamp) if named.stamp.nanosec < NANOSECONDS else 0
    return KeyframeId(named.frame_id, stamp_ns)


def _invalid(text: str) -> GoalProblem:
    return GoalProblem(Result.CODE_INVALID_REQUEST, text)
