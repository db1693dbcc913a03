"""Shared by every test of a component: a recorder in the engine's place."""

import sys
from collections.abc import Callable

import pytest

from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.record import record

# The testbed is made of Linux namespaces; a full queue is silent, and 127.0.0.2 an address, on
# Linux only.
_LINUX = ["testbed", "experiments", "local", "clients", "tools/call"]
collect_ignore = [] if sys.platform == "linux" else _LINUX


@pytest.fixture
def recorded() -> Callable[[Callable[[], object]], Graph]:
    """Run a program on the recording monitor and return its graph, after everything settled."""
    return record
