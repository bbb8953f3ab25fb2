"""The lifecycle node ``interpose``: keyframes in, relative poses and /tf out."""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped
from pydantic import ValidationError
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.exceptions import InvalidHandle
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from interpose_ros.answer import PairAnswer
from interpose_ros.config import InterposeConfig
from interpose_ros.engine.pair_worker import PairWorker
from interpose_ros.engine.process_settings import keep_freed_blocks, keep_what_is_there
from interpose_ros.engine.worker_status import WorkerState
from interpose_ros.msg import RelativePose
from interpose_ros.odometry import BaseMotion, NoScale
from interpose_ros.ros.contact_service import ContactService
from interpose_ros.ros.diagnostics import contact_status, node_status, parameters_status, tf_status, worker_status
from interpose_ros.ros.displays import Displays
from interpose_ros.ros.estimate_action import EstimateAction
from interpose_ros.ros.executor import ImageExecutor
from interpose_ros.ros.keyframe_choice import EveryImage, KeyframeChoice, keyframe_choice_from
from interpose_ros.ros.lifecycle_guard import guard_transitions, logged
from interpose_ros.ros.live_parameters import LiveParameters, readable, unknown_parameters
from interpose_ros.ros.node_config import NodeConfig
from interpose_ros.ros.overlap_choice import StreamOverlap, on_processor
from interpose_ros.ros.pair_service import answer_request
from interpose_ros.ros.parameters import declare_parameters, read_parameters
from interpose_ros.ros.path_output import pose_with_covariance
from interpose_ros.ros.relative_pose import keyframe_id_message
from interpose_ros.ros.scale_finder import ScaleFinder
from interpose_ros.ros.service_quality import SERVICE_QUALITY
from interpose_ros.ros.session import Session
from interpose_ros.ros.subscriptions import PATIENCE, MeetingSubscription, compressed_topic, overridden_quality
from interpose_ros.ros.tf_link import TfLink
from interpose_ros.ros.topic_status import topics_status
from interpose_ros.srv import GetRelativePose, ListKeyframes
from interpose_ros.views import View

CHECK_PERIOD = 0.1
DIAGNOSTICS_PERIOD = 1.0
STOP_TIMEOUT = 10.0
JUMP_BACK = Duration(nanoseconds=-100_000_000)


class InterposeNode(LifecycleNode):
    """Configure loads the networks, activate subscribes. Outside the active state services answer NOT_ACTIVE."""

    def __init__(self, **options) -> None:
        super().__init__("interpose", **options)
        guard_transitions(self)
        declare_parameters(self)
        self._unknown_parameters = unknown_parameters(list(self._parameter_overrides))
        self._report_unknown_parameters()
        self._live_parameters = LiveParameters(self, self._on_parameters)
        self._config = NodeConfig()
        self._core_config = InterposeConfig()
        self._worker: PairWorker | None = None
        self._overlap: StreamOverlap | None = None
        self._keyframe_choice: KeyframeChoice = EveryImage()
        self._session: Session | None = None
        # Transitions run on a thread of their own, beside the timers.
        self._subscribing = threading.Lock()
        self._subscriptions_in: list[MeetingSubscription] = []
        self._session_timers: list[Timer] = []
        self._tf_link: TfLink | None = None
        self._scale: ScaleFinder | None = None
        # /clock may stand still or jump; what must go on by itself runs on this clock.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._pose_publisher = self.create_lifecycle_publisher(RelativePose, "~/relative_pose", QoSProfile(depth=100))
        self._stamped_pose_publisher = self.create_lifecycle_publisher(
            PoseWithCovarianceStamped, "~/pose_with_covariance", QoSProfile(depth=100)
        )
        self._tf_publisher = self.create_lifecycle_publisher(TFMessage, "/tf", QoSProfile(depth=100))
        self._displays = Displays(self)
        self._diagnostics_publisher = self.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        # What callers wait for does not queue behind images.
        group = MutuallyExclusiveCallbackGroup()
        for kind, name, answer in (
            (GetRelativePose, "~/get_relative_pose", self._on_get_relative_pose),
            (ListKeyframes, "~/list_keyframes", self._on_list_keyframes),
            (Trigger, "~/reset", self._on_reset),
        ):
            self.create_service(kind, name, answer, qos_profile=SERVICE_QUALITY, callback_group=group)
        self._action = EstimateAction(self, self, group)
        self._contact = ContactService(self)
        self.create_timer(DIAGNOSTICS_PERIOD, self._send_diagnostics, clock=self._steady)
        threshold = JumpThreshold(min_forward=None, min_backward=JUMP_BACK, on_clock_change=False)
        self._jump_handle = self.get_clock().create_jump_callback(threshold, post_callback=self._on_jump_back)

    # --- lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters, look at every file, and load the networks; those that take long load on."""
        try:
            self._config, self._core_config = read_parameters(self)
            images = [topic for prefix in ("keyframe/", "") for pair in self._topics(prefix) for topic in pair]
            for topic in (*images, *self._config.topics("depth"), "odom"):
                overridden_quality(self, self.resolve_topic_name(topic))  # so that a wrong one is said now
            limits = self._config.worker.limits()
            cluster = self._config.worker.cluster
            if cluster:
                self.warn(f"images of keyframes and of frames in between are sent to the Ray cluster at {cluster}")
            self._worker = PairWorker(self._core_config, limits, self.warn, cluster)
            if self._config.keyframe_source == "stream" and self._config.keyframe_choice == "overlap":
                # The devices that are configured are the cluster's then.
                here = on_processor(self._core_config) if cluster else self._core_config
                self._overlap = StreamOverlap(here, limits, lambda: self._session is not None, self.warn)
            overlap = self._overlap or _no_overlap
            self._keyframe_choice = keyframe_choice_from(self._config, overlap, self._base_motion, self.warn)
            self._contact.configure(self._config.contact, limits)
            status = self._worker.wait_until_usable()
            if status.state is WorkerState.LOADING:
                self.get_logger().info("files and parameters are in order; models load on, see /diagnostics")
        except ValidationError as error:
            return self._cannot_configure(readable(error))
        except (ValueError, OSError, RuntimeError) as error:
            return self._cannot_configure(str(error))
        except Exception:  # rclpy would turn it into a failed transition without a word
            return self._cannot_configure(f"\n{traceback.format_exc()}")
        return super().on_configure(state)

    @logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe."""
        assert self._worker is not None
        result = super().on_activate(state)
        self._contact.set_active(True)
        self._displays.start(unit_is_allowed=self._config.unscaled_tf == "unit")
        scale = ScaleFinder(self, self._config, self._config.topics("depth"))
        self._scale = scale
        session = Session(self._config, self._worker, self, self._keyframe_choice, scale.scaled)
        self._session = session
        if self._config.publish_tf:
            self._tf_link = TfLink(self, self._tf_publisher, session.foreign_parents_heard)
        if self._config.publish_tf and self._config.unscaled_tf == "unit":
            self.get_logger().warning(
                "unscaled_tf is unit: translations on /tf are directions of length 1, not metres, where scale is unknown"
            )
        takes_stream = self._config.keyframe_source == "stream"
        if not takes_stream:
            on_image = session.intake.add_keyframe_image
            self._subscribe("keyframe/", on_image, ReliabilityPolicy.RELIABLE, PATIENCE)
        if takes_stream or self._config.use_frames:
            # A full stream must not wait for what was lost. Beside a topic of keyframes it may be missing.
            patience = PATIENCE if takes_stream else None
            on_image = session.intake.add_stream_image
            self._subscribe("", on_image, ReliabilityPolicy.BEST_EFFORT, patience)
        self._session_timers = [
            self.create_timer(CHECK_PERIOD, self._check, clock=self._steady),
            self.create_timer(self._config.tf_period, self.edges_changed, clock=self._steady),
        ]
        self.get_logger().info("active")
        return result

    @logged
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe, and give up what is under way."""
        self._contact.set_active(False)
        self._end_session()
        return super().on_deactivate(state)

    @logged
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let the networks go."""
        self._end_workers()
        return super().on_cleanup(state)

    def join_threads(self) -> None:
        """After the context's shutdown, when nothing can be published any more: end threads and processes."""
        self._action.end_goals(STOP_TIMEOUT)
        if self._session is not None:
            self._session.stop(STOP_TIMEOUT)
        self._end_workers()
        self._contact.join(STOP_TIMEOUT)

    @logged
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let everything go."""
        self._contact.set_active(False)
        self._end_session()
        self._end_workers()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After an error in a transition: let everything go, as if nothing had been configured."""
        self.get_logger().error(f"a transition from {state.label} failed with an error; configure again")
        self._contact.set_active(False)
        self._end_session()
        self._end_workers()
        return super().on_error(state)

    def start(self) -> bool:
        """Configure and activate. False where that failed; the log says why."""
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    # --- what goals ask for, on their threads

    @property
    def session(self) -> Session | None:
        """None outside the active state."""
        return self._session

    @property
    def worker(self) -> PairWorker | None:
        """None before the node is configured."""
        return self._worker

    @property
    def config(self) -> NodeConfig:
        """The settings."""
        return self._config

    # --- output of the session, called from its threads

    def relative_pose(self, message: RelativePose) -> None:
        """Publish an answer."""
        self._pose_publisher.publish(message)
        stamped = pose_with_covariance(message)
        if stamped is not None:
            self._stamped_pose_publisher.publish(stamped)

    def edges_changed(self) -> None:
        """Send every live edge."""
        session, link = self._session, self._tf_link
        if session is None or link is None:
            return
        edges = session.edges
        self._displays.edges(edges, session.frame_name)
        if edges:
            link.send(edges, session.frame_name)

    def keyframe_added(self, view: View) -> None:
        """Depth is kept for it."""
        scale = self._scale
        if scale is not None:
            scale.keyframe_added(view)

    def answered(self, answer: PairAnswer, view_a: View, view_b: View) -> None:
        """Show an answer to whoever looks."""
        session = self._session
        if session is not None:
            pair = (answer.keyframe_a, answer.keyframe_b)
            frame = session.frame_name(answer.keyframe_a) if session.is_edge(pair) else None
            self._displays.answered(answer, view_a, view_b, frame)

    def foreign_parent(self, frame: str) -> str | None:
        """The parent that somebody else gives a frame on /tf."""
        link = self._tf_link
        return None if link is None else link.foreign_parent(frame)

    def warn(self, text: str) -> None:
        """Log a sentence."""
        self.get_logger().warning(text)

    # --- callbacks

    def _on_get_relative_pose(
        self, request: GetRelativePose.Request, _response: GetRelativePose.Response
    ) -> GetRelativePose.Response:
        return answer_request(self._session, request)

    def _on_list_keyframes(
        self, request: ListKeyframes.Request, response: ListKeyframes.Response
    ) -> ListKeyframes.Response:
        session = self._session
        if session is None:
            response.code = ListKeyframes.Response.CODE_NOT_ACTIVE
            response.message = "the node is not active: activate it"
            return response
        held = [item for item in session.keyframes() if request.frame_id in ("", item[0].frame_id)]
        response.code = ListKeyframes.Response.CODE_OK
        response.keyframes = [keyframe_id_message(name) for name, _ in held]
        response.tf_frames = [session.frame_name(name) for name, _ in held]
        response.connected = [connected for _, connected in held]
        response.pending_pairs = session.pending_pairs
        return response

    def _on_reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._session is None:
            response.success = False
            response.message = "NOT_ACTIVE: the node is not active"
            return response
        self._forget("reset was called")
        response.success = True
        return response

    def _on_jump_back(self, jump: TimeJump) -> None:
        link = self._tf_link
        if link is not None:
            link.time_jumped_back()
        if self._session is not None:
            self.get_logger().warning(
                f"time jumped back by {-jump.delta.nanoseconds / 1e9:.3f} s: forgetting keyframes"
            )
            self._forget("time jumped back")

    def _forget(self, reason: str) -> None:
        scale, session = self._scale, self._session
        if scale is not None:
            scale.forget_keyframes()
        if session is not None:
            session.reset(reason)

    def _check(self) -> None:
        with self._subscribing:
            for subscription in self._subscriptions_in:
                subscription.check()
            if self._scale is not None:
                self._scale.check()
            if self._session is not None:
                self._session.intake.look_again()

    def _send_diagnostics(self) -> None:
        session = self._session
        name = self.get_fully_qualified_name()
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        state, device = self._state_machine.current_state[1], self._core_config.features.device
        worker = self._worker
        networks = worker.status.models if worker is not None else ""
        message.status = [node_status(name, state, networks, device, session)]
        if worker is not None:
            message.status.append(worker_status(name, worker.status, self._action.goals, self._config.worker.cluster))
        contact = self._contact.status
        if contact is not None:
            message.status.append(contact_status(name, contact))
        if self._unknown_parameters:
            message.status.append(parameters_status(name, self._unknown_parameters))
        if session is not None:
            message.status.append(tf_status(name, session))
            message.status.append(topics_status(name, self._subscriptions_in))
        scale = self._scale
        if scale is not None:
            message.status.extend(scale.statuses(name))
        self._diagnostics_publisher.publish(message)

    def _on_parameters(self, config: NodeConfig, core_config: InterposeConfig) -> None:
        if self._worker is None:  # read when the node is configured
            return
        self._config, self._core_config = config, core_config
        self._worker.reconfigure(core_config.decision)
        self._contact.reconfigure(config.contact)
        if self._session is not None:
            self._session.reconfigure(config)

    # --- parts

    def _cannot_configure(self, why: str) -> TransitionCallbackReturn:
        self.get_logger().error(f"cannot configure: {why}")
        self._end_workers()
        return TransitionCallbackReturn.FAILURE

    def _report_unknown_parameters(self) -> None:
        for name, meant in self._unknown_parameters.items():
            hint = f": is {meant} meant?" if meant else ""
            self.get_logger().warning(f"parameter {name} is unknown and has no effect{hint}")

    def _end_workers(self) -> None:
        worker, self._worker = self._worker, None
        overlap, self._overlap = self._overlap, None
        ended = [process.stop(STOP_TIMEOUT) for process in (worker, overlap) if process is not None]
        if not all([*ended, self._contact.end_worker(STOP_TIMEOUT)]):
            self.get_logger().warning("a worker process did not end in time")

    def _base_motion(self, stamp_a_ns: int, stamp_b_ns: int) -> BaseMotion | NoScale:
        scale = self._scale
        return NoScale("the node is not active") if scale is None else scale.base_motion(stamp_a_ns, stamp_b_ns)

    def _subscribe(self, prefix: str, on_image, reliability: ReliabilityPolicy, patience: float | None) -> None:
        assert self._session is not None
        on_info = self._session.intake.add_camera_info
        image_type = CompressedImage if self._config.image_transport == "compressed" else Image
        for image, info in self._topics(prefix):
            self._subscriptions_in += [
                MeetingSubscription(self, image_type, image, on_image, reliability, patience),
                MeetingSubscription(self, CameraInfo, info, on_info, reliability, patience),
            ]

    def _topics(self, prefix: str) -> list[tuple[str, str]]:
        """Image and camera info of every camera; the prefix is that of keyframes, or empty for the stream."""
        images, infos = self._config.topics(f"{prefix}image"), self._config.topics(f"{prefix}camera_info")
        if self._config.image_transport == "compressed":
            images = [compressed_topic(self, image) for image in images]
        return list(zip(images, infos, strict=True))

    def _end_session(self) -> None:
        with self._subscribing:
            for timer in self._session_timers:
                self.destroy_timer(timer)
            self._session_timers = []
            for subscription in self._subscriptions_in:
                subscription.destroy()
            self._subscriptions_in = []
            link, self._tf_link = self._tf_link, None
            if link is not None:
                link.destroy()
            scale, self._scale = self._scale, None
            if scale is not None:
                scale.destroy()
            session, self._session = self._session, None
        if not self._action.end_goals(STOP_TIMEOUT):
            self.get_logger().warning("a goal is still under way; its result will be dropped")
        if session is not None:
            session.reset("the node is deactivated")
            if not session.stop(STOP_TIMEOUT):
                self.get_logger().warning("the pair in hand is still being worked on; its result will be dropped")
        self._displays.stop(STOP_TIMEOUT)


def _no_overlap(last: View, view: View) -> float:
    raise RuntimeError("keyframes are not chosen by overlap")


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop. Returns 1 where autostart was asked for and failed."""
    keep_freed_blocks()
    rclpy.init(args=args)
    node: InterposeNode | None = None
    failed = False
    try:
        node = InterposeNode()
        keep_what_is_there()
        # One thread for transitions, one for what callers wait for, one for images and timers.
        executor = ImageExecutor(num_threads=3)
        executor.add_node(node)
        if node.get_parameter("autostart").value:
            started = executor.create_task(node.start)
            executor.spin_until_future_complete(started)
            failed = not started.result()
        while not failed and rclpy.ok():
            # A transition may destroy a subscription just when the executor, on another thread, prepares to wait for it.
            with contextlib.suppress(InvalidHandle):
                executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RuntimeError:
        if rclpy.ok():  # a signal that ends the context while the executor prepares to wait comes out as an RCLError
            raise
    finally:
        rclpy.try_shutdown()
        if node is not None:
            node.join_threads()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
