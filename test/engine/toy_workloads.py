"""Work for worker processes that can be made to go wrong in every way. Imported by the tests and by the processes."""

import os
import signal
import threading
import time
from pathlib import Path

from interpose_ros.engine.workload import JobCancelled


class Toy:
    """Does what the job names. Counts its processes in a file."""

    def __init__(self, starts: str = "", load_error: str = "") -> None:
        self._starts = starts
        self._load_error = load_error
        self._reduced = False
        self.models = ""

    def load(self, checked):
        if self._starts:
            with Path(self._starts).open("a") as file:
                file.write("x")
        checked()
        if self._load_error:
            raise ValueError(self._load_error)
        self.models = "toy"

    def reduce(self):
        if self._reduced:
            return None
        self._reduced = True
        return "half as many toys"

    def work(self, job, context):
        name, *arguments = job
        return getattr(self, f"_{name}")(context, *arguments)

    def _echo(self, context, value):
        return value

    def _pid(self, context):
        return os.getpid()

    def _raise(self, context, text):
        raise ValueError(text)

    def _die(self, context, number):
        os.kill(os.getpid(), number)
        time.sleep(60)

    def _until_cancelled(self, context):
        context.best("so far")
        context.progress("waiting", 0.5)
        while not context.cancelled():
            time.sleep(0.01)
        return "ended early"

    def _deaf(self, context):
        context.best("so far")
        context.progress("deaf", 0.5)
        time.sleep(600)

    def _freeze(self, context):
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(60)

    def _garbage(self, context, data):
        os.write(_pipe(), data)
        time.sleep(60)

    def _foreign_message(self, context):
        context._send({"not": "a message"})
        time.sleep(60)

    def _unpicklable(self, context):
        return threading.Lock()

    def _sum_of_view(self, context, view):
        return int(view.image.sum()), id(view)

    def _return_view(self, context, view):
        return {"same": view, "again": view}

    def _ask(self, context, question):
        return context.ask(question)

    def _ask_for_ever(self, context):
        try:
            context.ask("what nobody answers")
        except JobCancelled:
            return "gave up"

    def _memory(self, context, enough_once_reduced):
        if not (self._reduced and enough_once_reduced):
            raise MemoryError("no toys left")
        return "with less"

    def _modules(self, context):
        import sys

        return sorted(sys.modules)

    def _warn(self, context, text):
        import logging

        logging.getLogger("toy").warning(text)

    def _arguments(self, context):
        import sys

        return sys.argv, signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def _pipe() -> int:
    import sys

    return int(sys.argv[1])
