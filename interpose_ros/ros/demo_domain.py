"""A ROS domain that the demo has to itself, so that no other process's /clock or images reach its node."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

# ROS's own domain_coordinator, which not every release's wheels have, reserves a domain in this way and at these ports.
FIRST_PORT = 32768
DOMAINS = range(1, 101)


@contextlib.contextmanager
def own_domain() -> Iterator[int]:
    """Set ``ROS_DOMAIN_ID``, for this process and those it starts, to a domain that is held until the end.

    A domain that the caller has set is kept. Discovery stays on this machine unless the caller has set its range.

    Raises:
        RuntimeError: every domain is held by somebody else.
    """
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if os.environ.get("ROS_DOMAIN_ID"):
        yield int(os.environ["ROS_DOMAIN_ID"])
        return
    with socket.socket() as reservation:
        os.environ["ROS_DOMAIN_ID"] = str(_reserved(reservation))
        try:
            yield int(os.environ["ROS_DOMAIN_ID"])
        finally:
            del os.environ["ROS_DOMAIN_ID"]


def _reserved(reservation: socket.socket) -> int:
    for domain in DOMAINS:
        with contextlib.suppress(OSError):
            reservation.bind(("", FIRST_PORT + domain))
            return domain
    raise RuntimeError(f"all ROS domains from {DOMAINS[0]} to {DOMAINS[-1]} are taken: set ROS_DOMAIN_ID yourself")
