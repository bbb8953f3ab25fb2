"""``~/refine_contact_pose``: bodies that touch. Computed in a process of its own, and answered on a node, an executor and
threads of its own, so that neither the pose pipeline nor the main node's callbacks wait for it."""

from __future__ import annotations

import math
import time

from pydantic import ValidationError
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from interpose_ros.contact.model_files import BodyModelMissing, check_body_models
from interpose_ros.contact.request import first_error
from interpose_ros.contact.result import ContactResult
from interpose_ros.engine.contact_work import ContactJob, ContactWork
from interpose_ros.engine.contact_worker import ContactWorker
from interpose_ros.engine.messages import FailureKind
from interpose_ros.engine.worker_status import CancelledJob, WorkerFailure, WorkerLimits, WorkerState, WorkerStatus
from interpose_ros.ros.contact_config import MOST_WAITING, NodeContactConfig
from interpose_ros.ros.contact_messages import image_of_request, request_from_message, response_message
from interpose_ros.ros.contact_output import body_markers, body_transform
from interpose_ros.ros.contact_turns import Turn, Turns
from interpose_ros.ros.executor import SpinThread
from interpose_ros.srv import RefineContactPose

Response = RefineContactPose.Response


class ContactService:
    """Offers the service beside a node, from the moment that it is made; answers NOT_ACTIVE until it is activated."""

    def __init__(self, beside: Node) -> None:
        """Start the helper node ``<name>_contact``."""
        self._log = beside.get_logger()
        self._config = NodeContactConfig()
        self._worker: ContactWorker | None = None
        self._missing = ""
        self._active = False
        self._turns = Turns()
        name = beside.get_fully_qualified_name()
        self._node = Node(
            f"{beside.get_name()}_contact",
            namespace=beside.get_namespace(),
            context=beside.context,
            use_global_arguments=False,
            start_parameter_services=False,
            enable_rosout=False,
        )
        self._tf = self._node.create_publisher(TFMessage, beside.resolve_topic_name("/tf"), QoSProfile(depth=10))
        self._markers = self._node.create_publisher(MarkerArray, f"{name}/contact_markers", QoSProfile(depth=1))
        self._node.create_service(
            RefineContactPose,
            f"{name}/refine_contact_pose",
            self._on_request,
            callback_group=ReentrantCallbackGroup(),
        )
        # One answers, some wait, one turns the others away.
        executor = MultiThreadedExecutor(MOST_WAITING + 2, context=beside.context)
        executor.add_node(self._node)
        self._thread = SpinThread(executor, "contact")

    @property
    def status(self) -> WorkerStatus | None:
        """How the process is; None where there is no body model, or nothing is configured."""
        worker = self._worker
        return None if worker is None else worker.status

    def configure(self, config: NodeContactConfig, limits: WorkerLimits) -> None:
        """Look for the body model. Where it has not been prepared, requests are told so; the node goes on without it."""
        self._config = config
        self._missing = ""
        if not config.use:
            self._missing = "contact.use is false: set it to true"
            return
        try:
            check_body_models(config.smplx_file)
        except BodyModelMissing as error:
            self._missing = str(error)
            self._log.info(f"~/refine_contact_pose has no body model: {error}")
            return
        work = ContactWork(config.language_model, config.heuristic, config.smplx_file)
        self._worker = ContactWorker(work, limits, self._log.warning)
        if config.start == "configure":
            self._worker.start()
        if config.language_model.base_url:
            self._log.warning(f"images of ~/refine_contact_pose are sent to {config.language_model.base_url}")

    def end_worker(self, timeout: float) -> bool:
        """Undo ``configure``: end the process. True when it has ended within ``timeout`` seconds."""
        worker, self._worker = self._worker, None
        return worker is None or worker.stop(timeout)

    def reconfigure(self, config: NodeContactConfig) -> None:
        """Go on with other settings; only those that may change while the node is active differ."""
        self._config = config

    def set_active(self, active: bool) -> None:
        """Answer requests, or refuse them; one under way ends early, those that wait at once."""
        self._active = active
        self._turns.recheck()

    def join(self, timeout: float) -> None:
        """Answer no more, and wait until the thread has ended: it must not outlive the context."""
        self.set_active(False)
        self._thread.stop(timeout)

    def _on_request(
        self, request: RefineContactPose.Request, _response: RefineContactPose.Response
    ) -> RefineContactPose.Response:
        began = time.monotonic()
        if not self._active:
            return Response(code=Response.CODE_NOT_ACTIVE, message="the node is not active: activate it")
        worker = self._worker
        if worker is None:
            return Response(code=Response.CODE_MODEL_MISSING, message=self._missing)
        # Nonsense is turned to the default here, and named below.
        patience = (
            request.deadline if math.isfinite(request.deadline) and request.deadline > 0 else self._config.deadline
        )
        deadline = began + patience
        with self._turns.turn(self._config.waiting, deadline, lambda: self._active) as turn:
            if turn is Turn.FULL:
                text = f"{self._config.waiting} requests wait already (contact.waiting): ask again later"
                return Response(code=Response.CODE_BUSY, message=text, seconds=time.monotonic() - began)
            if turn is Turn.TOO_LATE:
                text = f"other requests were answered for {patience:g} s, until the deadline of this one"
                return Response(code=Response.CODE_BUSY, message=text, seconds=time.monotonic() - began)
            if turn is Turn.CLOSED:
                return Response(code=Response.CODE_NOT_ACTIVE, message="the node was deactivated meanwhile")
            return self._respond(worker, request, began, deadline)

    def _respond(
        self, worker: ContactWorker, request: RefineContactPose.Request, began: float, deadline: float
    ) -> RefineContactPose.Response:
        try:
            job = ContactJob(request_from_message(request), image_of_request(request), deadline)
        except ValidationError as error:
            return Response(code=Response.CODE_INVALID_REQUEST, message=first_error(error))
        except ValueError as error:
            return Response(code=Response.CODE_INVALID_REQUEST, message=str(error))
        try:
            result = worker.answer(job, lambda: not self._active)
            response = response_message(result, request, time.monotonic() - began)
            self._show(result, request)
            return response
        except CancelledJob:
            return self._cut_short(worker.status)
        except WorkerFailure as failure:
            return self._failed(failure)
        except Exception as error:  # one request must not end the thread
            self._log.error(f"refine_contact_pose failed: {type(error).__name__}: {error}")
            text = f"{type(error).__name__} inside the node; its log has the details"
            return Response(code=Response.CODE_INTERNAL, message=text)

    def _cut_short(self, worker: WorkerStatus) -> RefineContactPose.Response:
        if not self._active:
            return Response(code=Response.CODE_NOT_ACTIVE, message="the node was deactivated meanwhile")
        if worker.state in (WorkerState.LOADING, WorkerState.RESTARTING):
            again = f" again: {worker.last_failure}" if worker.last_failure else ""
            text = f"until the deadline the body models were being loaded{again}; ask again, or see contact.start"
            return Response(code=Response.CODE_BUSY, message=text)
        return Response(
            code=Response.CODE_INTERNAL,
            message="the process that refines gave no answer by the deadline, and is started again unless it does soon",
        )

    def _failed(self, failure: WorkerFailure) -> RefineContactPose.Response:
        if failure.kind is FailureKind.MODEL:
            return Response(code=Response.CODE_MODEL_MISSING, message=str(failure))
        if failure.kind is FailureKind.STOPPED:
            return Response(code=Response.CODE_NOT_ACTIVE, message="the node was deactivated meanwhile")
        self._log.warning(f"refine_contact_pose failed: {failure}")
        return Response(code=Response.CODE_INTERNAL, message=str(failure))

    def _show(self, result: ContactResult, request: RefineContactPose.Request) -> None:
        if not result.bodies:
            return
        if self._config.publish_tf:
            names = [given.id or str(number) for number, given in enumerate(request.bodies)]
            transforms = [
                body_transform(body, name, request.header) for body, name in zip(result.bodies, names, strict=True)
            ]
            self._tf.publish(TFMessage(transforms=transforms))
        if self._config.publish_markers and self._markers.get_subscription_count() > 0:
            self._markers.publish(body_markers(result.bodies, request.header))
