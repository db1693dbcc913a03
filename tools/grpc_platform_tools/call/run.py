"""Takes one step after the other, up to the first that ends the way."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
from rich.console import Console

from grpc_platform_tools.call import diagnose, show
from grpc_platform_tools.call.channel import call, connected, failed, open_channel
from grpc_platform_tools.call.clock import ms_since, now
from grpc_platform_tools.call.connect import look_at_all
from grpc_platform_tools.call.diagnose_call import of_call
from grpc_platform_tools.call.methods import (
    HEALTH,
    REFLECTION,
    UnknownMethodError,
    find_method,
    message,
    services,
)
from grpc_platform_tools.call.names import look_up
from grpc_platform_tools.call.report import Report
from grpc_platform_tools.call.steps import Call, Target
from grpc_platform_tools.call.tls import Roots, read_roots
from grpc_platform_tools.progress import progress


@dataclass(frozen=True, kw_only=True)
class Run:
    """What to call, and where to show it."""

    target: Target
    method: str | None
    """`package.Service/Method`; None: health."""
    data: dict[str, Any]
    """The request."""
    list_services: bool
    """Ask for the services in place of a call."""
    ca: Path | None
    timeout: float
    """Seconds that each step may take."""
    resolver: tuple[str, int] | None
    console: Console

    def take_steps(self) -> Report:
        """Print each step as soon as it is done. Raises UserError for what the user can mend."""
        report = Report(target=self.target)
        roots = read_roots(self.ca)
        show.show_target(self.console, self.target)
        self._reach(report, roots)
        if not report.diagnosis:
            self._call(report, roots)
        show.show_end(self.console, report)
        return report

    def _reach(self, report: Report, roots: Roots) -> None:
        target, console = self.target, self.console
        with progress(f"looking up {target.host}"):
            report.lookup = look_up(target.host, self.resolver, self.timeout)
        show.show_lookup(console, report.lookup)
        report.diagnosis = diagnose.of_lookup(target.host, report.lookup)
        if report.diagnosis:
            return
        addresses = report.lookup.addresses
        with progress(f"connecting to port {target.port} of {', '.join(addresses)}"):
            report.endpoints = look_at_all(target, addresses, roots, self.timeout)
        show.show_endpoints(console, report.endpoints)
        report.diagnosis = diagnose.of_endpoints(target, report.endpoints)
        report.warning = diagnose.of_some(report.endpoints)

    def _call(self, report: Report, roots: Roots) -> None:
        address = next(one.address for one in report.endpoints if one.usable)
        what = REFLECTION if self.list_services else self.method or HEALTH.name
        with (
            progress(f"calling {what} through {address}"),
            open_channel(self.target, address, roots, self.timeout) as channel,
        ):
            connected_ms = connected(channel, self.timeout)
            if connected_ms is None:
                answer = Call(method=what, address=address, status="UNAVAILABLE")
            else:
                answer = self._answer(channel, address, report)
        report.call = replace(answer, connected_ms=connected_ms)
        show.show_call(self.console, report.call)
        if report.services is not None:
            show.show_services(self.console, report.services)
        report.diagnosis = of_call(self.target, report.call, self.timeout)

    def _answer(self, channel: Any, address: str, report: Report) -> Call:
        started = now()
        try:
            if self.list_services:
                report.services = services(channel)
                ms = ms_since(started)
                return Call(method=REFLECTION, address=address, status="OK", ms=ms)
            method = find_method(channel, self.method or HEALTH.name)
        except UnknownMethodError as error:
            return Call(
                method=self.method or "",
                address=address,
                status="UNIMPLEMENTED",
                message=str(error),
            )
        except grpc.RpcError as error:
            return failed(REFLECTION, address, error, started)
        return call(channel, method, message(method, self.data), address)
