"""Each field of Envoy's access log, of real calls, as docs/logs.md says."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grpc_platform.contour.access_log import JSON_FIELDS
from testbed.cluster.control_plane import PYTHON
from testbed.program import changed_program, preview
from tests.local.stack import Platform

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SOMETIMES = {"upstream_transport_failure_reason", "requested_server_name"}
"""The fields that a call in plaintext, which reached its server, has no value for."""


def traced_call(platform: Platform, number: int, target: str = "") -> str:
    """Make one health call with a trace and an id, and return the id."""
    request_id = f"call-{number}"
    target = target or platform.services["greeter"].target
    platform.cluster.inside(
        *(PYTHON, "-m", "tests.local.traced", target, TRACE, request_id), check=False
    )
    return request_id


def fields(line: str) -> dict[str, Any]:
    """The fields of a line of JSON that have a value."""
    call: dict[str, Any] = json.loads(line)
    assert set(call) == set(JSON_FIELDS)
    return {name: value for name, value in call.items() if value is not None}


def log_line(platform: Platform, request_id: str) -> str:
    """The line of a call, in the log of whichever Envoy served it."""
    found: list[str] = []

    def is_there() -> bool:
        for pod in platform.envoys():
            log = platform.cluster.pod_log("projectcontour", pod["metadata"]["name"], "envoy")
            text = log.read_text() if log else ""
            found.extend(line for line in text.splitlines() if request_id in line)
        return bool(found)

    platform.cluster.wait(f"the log of {request_id}", is_there, timeout=60)
    return found[0]


@pytest.fixture
def as_json(platform: Platform, tmp_path: Path) -> Iterator[Platform]:
    """The platform with the log in JSON."""
    before = platform.graph
    changed_program(tmp_path, "local", contour={"accesslog_format": "json"})
    platform.bring_to(preview("local", tmp_path / "preview", tmp_path))
    try:
        numbers = itertools.count(1000)

        def each_logs_json() -> bool:
            """One after another they hear of it."""
            targets = (f"{pod['status']['podIP']}:8080" for pod in platform.envoys())
            calls = [traced_call(platform, next(numbers), target) for target in targets]
            return all(log_line(platform, call).startswith("{") for call in calls)

        platform.cluster.wait("each Envoy to log JSON", each_logs_json, timeout=120)
        yield platform
    finally:
        platform.bring_to(before)


def test_the_text_has_envoys_own_line_and_the_fields_after_it(platform: Platform) -> None:
    line = log_line(platform, traced_call(platform, 1))
    assert re.match(
        r'\[\S+Z\] "POST /grpc\.health\.v1\.Health/Check HTTP/2" 200 - \d+ \d+ \d+ \d+ ', line
    )
    added = dict(re.findall(r" ([a-z_]+)=(\S+)", line))
    assert added["grpc_status_number"] == "0"
    assert added["traceparent"] == TRACE
    assert added["upstream_request_attempt_count"] == "1"
    assert added["response_code_details"] == "via_upstream"
    assert added["hostname"] in {pod["metadata"]["name"] for pod in platform.envoys()}
    for name in ("request_duration", "response_duration", "response_tx_duration"):
        assert added[name].isdigit()


def test_json_has_each_field_with_a_value(as_json: Platform) -> None:
    call = fields(log_line(as_json, traced_call(as_json, 2)))
    assert set(call) == set(JSON_FIELDS) - SOMETIMES
    assert call["request_id"] == "call-2"
    assert call["traceparent"] == TRACE
    assert call["path"] == "/grpc.health.v1.Health/Check"
    assert call["authority"] == as_json.services["greeter"].target
    assert (call["grpc_status"], call["grpc_status_number"]) == ("OK", 0)
    assert call["response_code_details"] == "via_upstream"
    assert call["upstream_cluster"] == "default_greeter_50051"
    servers = as_json.cluster.get("pods", "-l", "app.kubernetes.io/name=greeter")["items"]
    assert call["upstream_host"] in {f"{pod['status']['podIP']}:50051" for pod in servers}
    assert call["hostname"] in {pod["metadata"]["name"] for pod in as_json.envoys()}
    assert call["request_duration"] <= call["response_duration"] <= call["duration"]
    assert call["user_agent"].startswith("grpc-python/")

    address = as_json.envoys()[0]["status"]["podIP"]
    nowhere = traced_call(as_json, 3, target=f"{address}:8080")
    refused = fields(log_line(as_json, nowhere))
    assert refused["response_code_details"] == "route_not_found"
    assert refused["response_flags"] == "NR"
    assert "upstream_host" not in refused
