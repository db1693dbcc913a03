"""Prints each step on a terminal as soon as it is done, and the diagnosis at the end."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from grpc_platform_tools.call.report import Report
from grpc_platform_tools.call.steps import Call, Diagnosis, Endpoint, Lookup, Target
from grpc_platform_tools.diff.lines import one_line

_LABEL = 9  # columns
_MOST_REPLY = 2000  # characters
_NO_ADDRESS = {"empty": "no address", "dangling": "no address", "silent": "no answer"}
_REACHED = {
    "refused": "refused, nothing listens",
    "silent": "silent, nothing comes back",
    "unreachable": "no route",
}
_SPEAKS = {
    "h2": "HTTP/2",
    "http/1.1": "HTTP/1.1",
    "tls": "TLS",
    "closed": "closes the connection",
    "silent": "says nothing",
    "other": "neither HTTP nor TLS",
}


def show_target(console: Console, target: Target) -> None:
    """The first line: where, and how."""
    text = Text().append(f"{target.host}:{target.port}", style="bold")
    text.append(" over TLS" if target.tls else " in plaintext")
    if target.authority != f"{target.host}:{target.port}":
        text.append(f", authority {target.authority}")
    _print(console, text)


def show_lookup(console: Console, lookup: Lookup) -> None:
    """The chain of names, down to the addresses."""
    if lookup.outcome == "given":
        return
    labels = _labels("name")
    names = max((len(one.name) for one in lookup.records), default=0)
    values = max((len(one.value) for one in lookup.records), default=0)
    before = ""
    for one in lookup.records:
        name = one.name if one.name != before else ""
        text = next(labels).append(f"{name:{names}}  {one.type:5}  {one.value:{values}}")
        _print(console, text.append(f"  TTL {one.ttl} s", style="dim"))
        before = one.name
    text = next(labels)
    if lookup.server is None:
        text.append(f"{', '.join(lookup.addresses)}  ")
    elif lookup.outcome != "found":
        text.append(f"{_NO_ADDRESS.get(lookup.outcome, lookup.code)}  ", style="red")
    told = f"asked {lookup.server}" if lookup.server else "by /etc/hosts or a search domain"
    _print(console, text.append(told, style="dim"), lookup.ms)


def show_endpoints(console: Console, endpoints: Sequence[Endpoint]) -> None:
    """Each address, then the certificate."""
    labels = _labels("connect")
    width = max(len(one.address) for one in endpoints)
    for one in endpoints:
        text = next(labels).append(f"{one.address:{width}}  ")
        if one.reached == "open":
            text.append(*_spoken(one))
        else:
            text.append(_REACHED[one.reached], style="red")
            if not any(other.usable for other in endpoints):
                _append_others(text, one)
        _print(console, text, one.ms if one.reached in ("open", "refused") else None)
    shaken = next((one.handshake for one in endpoints if one.handshake), None)
    if shaken and (certificate := shaken.certificate):
        labels = _labels("TLS")
        text = next(labels)
        good = shaken.outcome == "verified"
        text.append(shaken.outcome, style="green" if good else "red")
        if good:
            text.append(f"  {shaken.version}, {'HTTP/2' if shaken.http2 else 'no HTTP/2'}")
        _print(console, text, shaken.ms if good else None)
        _print(console, next(labels).append(f"for {', '.join(certificate.names) or 'no name'}"))
        _print(console, next(labels).append(f"issued by {certificate.issuer}"))
        _print(console, next(labels).append(_dates(certificate.not_after)))


def show_call(console: Console, call: Call) -> None:
    """The call, who answered, and what."""
    labels = _labels("call")
    text = next(labels).append(f"{call.method}  ")
    text.append(call.status, style="green" if call.status == "OK" else "red")
    _print(console, text, call.ms or None)
    if call.message:
        _print(console, next(labels).append(one_line(call.message)))
    if answered := _answered_by(call):
        _print(console, next(labels).append(answered))
    if call.pod:
        _print(console, next(labels).append(f"by the pod {one_line(call.pod)}"))
    if call.reply is not None:
        reply = json.dumps(call.reply, ensure_ascii=False)
        cut = f"{reply[:_MOST_REPLY]} ..." if len(reply) > _MOST_REPLY else reply
        _print(console, next(labels).append(one_line(cut), style="cyan"))


def show_services(console: Console, services: Sequence[str]) -> None:
    """One a line."""
    labels = _labels("services")
    for service in services or ["none"]:
        _print(console, next(labels).append(one_line(service)))


def show_end(console: Console, report: Report) -> None:
    """Whether it works; what is wrong and what to do."""
    if report.diagnosis:
        console.print()
        _show_diagnosis(console, "Problem", "bold red", report.diagnosis)
        return
    if report.call and report.services is None:
        console.print()
        _print(console, _label("Works", "bold green").append(_summary(report.call)))
    if report.warning:
        console.print()
        _show_diagnosis(console, "Warning", "bold yellow", report.warning)


def _summary(call: Call) -> str:
    through = f"Envoy {call.address}" if call.by_envoy else f"{call.address}, which is no Envoy,"
    return f"{call.method} through {through} in {call.ms:.1f} ms."


def _show_diagnosis(console: Console, label: str, style: str, diagnosis: Diagnosis) -> None:
    rows = ((label, style, diagnosis.problem), ("Remedy", "bold", diagnosis.remedy))
    for name, name_style, sentence in rows:
        # A pipe gets a line each.
        width = console.width - _LABEL if console.is_terminal else 10_000
        first, *more = textwrap.wrap(
            one_line(sentence), max(width, 20), break_long_words=False, break_on_hyphens=False
        )
        _print(console, _label(name, name_style).append(first))
        for line in more:
            _print(console, Text(" " * _LABEL + line))


def _spoken(endpoint: Endpoint) -> tuple[str, str]:
    shaken = endpoint.handshake
    if endpoint.usable:
        return ("TLS, HTTP/2" if shaken else "HTTP/2"), "green"
    if shaken and shaken.outcome == "verified":
        return "TLS without HTTP/2", "red"
    if shaken and shaken.outcome == "failed":
        return f"no TLS ({_SPEAKS[endpoint.speaks or 'closed']})", "red"
    if shaken:
        return f"TLS, certificate {shaken.outcome}", "red"
    return _SPEAKS[endpoint.speaks or "closed"], "red"


def _append_others(text: Text, endpoint: Endpoint) -> None:
    by_outcome: dict[str, list[str]] = {}
    for port, reached in endpoint.other_ports.items():
        by_outcome.setdefault(reached, []).append(str(port))
    told = "; ".join(f"{', '.join(ports)}: {reached}" for reached, ports in by_outcome.items())
    text.append(f"  (other ports: {told})" if told else "", style="dim")


def _answered_by(call: Call) -> str | None:
    if call.by_upstream:
        spent = call.metadata["x-envoy-upstream-service-time"]
        return f"by Envoy {call.address} and the server behind it (there: {one_line(spent)} ms)"
    if call.by_envoy:
        return f"by Envoy {call.address} itself"
    return f"by {call.address}, without an Envoy" if call.metadata or call.reply else None


def _dates(not_after: datetime) -> str:
    left = not_after - datetime.now(UTC)
    if left.days >= 0:
        return f"expires {not_after:%Y-%m-%d} (in {left.days} days)"
    return f"expired {not_after:%Y-%m-%d} ({(-left).days} days ago)"


def _labels(label: str) -> Iterator[Text]:
    """The label of a step's first line, and the indent of its others."""
    yield _label(label, "bold")
    while True:
        yield _label("", "")


def _label(label: str, style: str) -> Text:
    return Text().append(f"{label:{_LABEL}}", style=style)


def _print(console: Console, text: Text, ms: float | None = None) -> None:
    if ms is not None:
        text.append(f"  {ms:.1f} ms", style="dim")
    console.print(text, soft_wrap=True)
