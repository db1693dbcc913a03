"""Which of several broken things an alert is charged to."""

from contextlib import nullcontext

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")

from experiments.breaks import Break, Broken, judged
from grpc_platform.monitoring.alert import Scope
from testbed.monitoring.watch import Fired


def broken(alert: str, service: str, **follows: str) -> Broken:
    cause = Break(alert=alert, what=service, act=lambda _, __: nullcontext({}), follows=follows)
    return Broken(cause, {"service": service}, at=100.0)


def fired(name: str, **labels: str) -> Fired:
    return Fired(name, tuple(labels.items()), at=130.0)


SLOW = broken("GrpcLatencyHigh", "slow")
TIGHT = broken("EnvoyCircuitBreakerOverflow", "tight", GrpcFailureRateHigh="refused calls fail")
FAILING = broken("GrpcFailureRateHigh", "failing")
TOGETHER = (SLOW, TIGHT, FAILING)
MEANT = (
    fired("GrpcLatencyHigh", service="slow"),
    fired("EnvoyCircuitBreakerOverflow", service="tight"),
    fired("GrpcFailureRateHigh", service="failing", grpc_status="UNAVAILABLE"),
)


def others(*more: Fired) -> list[list[tuple[str, str | None]]]:
    """What else fired for each, with the reasons."""
    found = [judged(one, TOGETHER, [*MEANT, *more], Scope()) for one in TOGETHER]
    assert [each["after"] for each in found] == [30.0] * 3
    return [[(other["name"], other["why"]) for other in each["others"]] for each in found]


def test_the_alert_of_another_thing_is_its_own() -> None:
    assert others() == [[], [], []]


def test_what_follows_is_charged_with_its_reason() -> None:
    followed = fired("GrpcFailureRateHigh", service="tight")
    assert others(followed) == [[], [("GrpcFailureRateHigh", "refused calls fail")], []]


def test_an_alert_about_something_else_is_charged_to_the_one_of_its_name() -> None:
    elsewhere = fired("GrpcLatencyHigh", service="failing")
    assert others(elsewhere) == [[("GrpcLatencyHigh", None)], [], []]


def test_an_alert_that_nobody_meant_is_charged_to_all() -> None:
    strange = fired("EnvoyNotReady", pod="envoy-1")
    assert others(strange) == [[("EnvoyNotReady", None)]] * 3


def test_an_alert_that_does_not_fire_is_told() -> None:
    assert judged(SLOW, TOGETHER, [], Scope())["after"] is None
