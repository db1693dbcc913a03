"""The rules for a service and its platform."""

from collections.abc import Iterator
from datetime import timedelta

from ..conventions import PLATFORM_NAMESPACES
from ..specs import ServiceSpec
from ..timing import DEFAULT_DEADLINE, format_duration
from .mistake import Mistake, Path
from .zone import host_in_zone


def service_on_platform(
    service: str,
    spec: ServiceSpec,
    *,
    zone_name: str,
    max_deadline: timedelta,
    path: Path = (),
) -> Iterator[Mistake]:
    """One service, whatever its cluster."""
    yield from host_of_service(service, spec, zone_name, path)
    yield from deadline_fits(spec, max_deadline, path)
    yield from tries_fit(spec, path)
    if spec.namespace in PLATFORM_NAMESPACES:
        yield Mistake((*path, "namespace"), spec.namespace, "is the platform's own; choose another")


def host_of_service(
    service: str, spec: ServiceSpec, zone_name: str, path: Path = ()
) -> Iterator[Mistake]:
    """The host that clients dial."""
    yield from host_in_zone(spec.host_of(service, zone_name), zone_name, (*path, "host"))


def deadline_fits(spec: ServiceSpec, max_deadline: timedelta, path: Path = ()) -> Iterator[Mistake]:
    """The deadline after which Envoy ends a call."""
    path = (*path, "deadline")
    if spec.streaming:
        if isinstance(spec.deadline, timedelta):
            given = format_duration(spec.deadline)
            yield Mistake(path, given, "ends every stream; a streaming service needs infinity")
        return
    deadline = spec.deadline or DEFAULT_DEADLINE
    if isinstance(deadline, timedelta) and deadline > max_deadline:
        yield Mistake(
            path,
            format_duration(deadline),
            f"exceeds envoy.max_deadline ({format_duration(max_deadline)}), which Envoy's drain "
            "waits for; shorten it, or raise max_deadline in the platform's stack",
            against=("envoy", "max_deadline"),
        )


def tries_fit(spec: ServiceSpec, path: Path = ()) -> Iterator[Mistake]:
    """The time after which Envoy tries a call again."""
    if spec.try_timeout is None:
        return
    given, path = format_duration(spec.try_timeout), (*path, "try_timeout")
    if not spec.idempotent:
        yield Mistake(path, given, "runs calls again; say idempotent: true if each may run twice")
    deadline = spec.deadline or DEFAULT_DEADLINE
    if spec.streaming or not isinstance(deadline, timedelta):
        return
    if spec.try_timeout >= deadline:
        yield Mistake(
            path,
            given,
            f"leaves no time for another try before the deadline ({format_duration(deadline)})",
        )
