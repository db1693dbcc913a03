"""Calls by DNS name through real Contour and Envoy: what must work and what must not."""

import pytest

from testbed.cluster.control_plane import PYTHON
from testbed.cluster.errors import LocalError
from tests.local.stack import Platform


def test_a_unary_and_a_streaming_service_answer_by_name_without_a_failure(
    platform: Platform,
) -> None:
    for name, calls in (("greeter", 25), ("ticker", 3)):
        service = platform.services[name]
        report = platform.call(
            service.target, "--service", name, "--channels=8", f"--calls={calls}"
        )
        assert report["codes"] == {"OK": 8 * calls}
        assert len(report["pods"]) == 2, "both server pods are called"


def test_every_call_comes_from_an_envoy_pod(platform: Platform) -> None:
    report = platform.call(platform.services["greeter"].target, "--channels=8", "--calls=5")
    envoys = {pod["status"]["podIP"] for pod in platform.envoys()}
    assert set(report["callers"]) <= envoys


def test_a_stream_outlives_the_default_deadline_of_a_route(platform: Platform) -> None:
    target = platform.services["ticker"].target
    report = platform.call(target, "--service=ticker", "--calls=1", "--ticks=18", "--interval=1")
    assert report["codes"] == {"OK": 1}
    assert report["milliseconds"]["p50"] > 15_000


def test_an_unknown_host_is_refused(platform: Platform) -> None:
    target = platform.services["greeter"].target
    report = platform.call(target, "--authority=nobody.grpc.test", "--calls=2")
    assert report["codes"] == {"UNIMPLEMENTED": 2}, "Envoy's 404, as gRPC tells it"


def test_a_wrong_port_is_refused(platform: Platform) -> None:
    host = platform.services["greeter"].target.rpartition(":")[0]
    report = platform.call(f"{host}:9", "--calls=2")
    assert report["codes"] == {"UNAVAILABLE": 2}


def test_a_plain_http_request_gets_an_error_and_not_silence(platform: Platform) -> None:
    with pytest.raises(LocalError, match=r"HTTP Error [45]\d\d"):
        platform.cluster.fetch(f"http://{platform.services['greeter'].target}/")


def test_the_servers_tell_what_they_serve(platform: Platform) -> None:
    direct = platform.services["greeter"].direct
    command = (PYTHON, "-m", "tests.local.reflection", f"dns:///{direct}")
    listed = platform.cluster.inside(*command).stdout.split()
    assert {"examples.greeter.v1.Greeter", "grpc.health.v1.Health"} <= set(listed)
