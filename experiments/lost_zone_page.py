"""The plot and the text of `lost_zone`."""

from matplotlib.figure import Figure

from experiments import plots
from experiments.experiment import Result
from experiments.keepalives import FAMILIES
from experiments.lost_nodes import percent
from experiments.zone_callers import CALLERS, CONTRACT, CONTRACT_SAFE, DEFAULTS, SAFE_KEYS
from testbed.disruptions.losses import NODE_MONITOR_GRACE

ZONES = 3
"""With an Envoy and a server in each, and a Contour in two."""
SHIFT_AFTER = 60.0
"""Seconds from the loss until the shift takes the endpoints away; the nodes report all the time."""
_ZONAL_SHIFT = "https://docs.aws.amazon.com/eks/latest/userguide/zone-shift.html"
_BOOTSTRAP = (
    "https://github.com/projectcontour/contour/blob/release-1.33/internal/envoy/v3/bootstrap.go"
)


def draw(result: Result) -> dict[str, Figure]:
    """Failed calls by second after the loss, without a shift and with one."""
    cases = {
        "lost": ("A zone is lost: calls that fail", [("endpoints removed", NODE_MONITOR_GRACE)]),
        "shift after": ("Its nodes still report, and it is shifted away", [("shift", SHIFT_AFTER)]),
    }
    shown = {name: case for name, case in cases.items() if name in result}
    titles = [title for title, _ in shown.values()]
    with plots.panels(*titles, height=2.8) as (figure, axes):
        for (name, (_, events)), each in zip(shown.items(), axes, strict=True):
            series: dict[str, plots.Points] = {}
            for caller, label in (
                (DEFAULTS, "defaults"),
                (CONTRACT, "contract"),
                (CONTRACT_SAFE, "idempotent"),
            ):
                failed = result[name]["clients"][str(caller)]["by_second"]
                rate = FAMILIES[caller.family].rate
                series[label] = (list(range(len(failed))), [100 * n / rate for n in failed])
            plots.lines(
                each,
                series,
                y_label="percent",
                x_label="seconds after the loss",
                events=events,
                steps=True,
            )
    return {"lost_zone": figure}


def tell(result: Result) -> str:
    """The page's text."""
    lost, before = result["lost"], result["shift before"]
    cases = {
        "lost": f"lost: failed in {lost['period']:.0f} s",
        "shift after": f"nodes report, shifted after {SHIFT_AFTER:.0f} s: failed",
        "shift before": "shifted, then lost: failed",
    }
    shown = {name: title for name, title in cases.items() if name in result}
    lines = [
        f"{ZONES} zones, with the pods spread as the manifests ask: an Envoy and a server in each, "
        "a Contour in two. One zone is silent from one moment to the next. It is the worst one: it "
        "has the leading Contour, from which the other Envoys have their configuration, and "
        "external-dns. Its kubelets are gone too, so its endpoints go after "
        f"{NODE_MONITOR_GRACE:.0f} s. Clients are elsewhere. True times, a deadline of 14.5 s. "
        f"The `idempotent` service has `try_timeout: {SAFE_KEYS['try_timeout']}`.",
        "",
        f"| client | {' | '.join(f'{title} | the last after' for title in shown.values())} |",
        f"| --- | {' | '.join('--- | ---' for _ in shown)} |",
    ]
    for caller in CALLERS:
        cells: list[str] = []
        for name in shown:
            each = result[name]["clients"][str(caller)]
            until = f"{each['until']:.0f} s" if each["failed"] else "–"
            cells += [f"{percent(each):.2f} % ({each['failed']:,})", until]
        lines.append(f"| {caller} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_followed(result), "", *_conclusions(before["empty"])])


def _followed(result: Result) -> list[str]:
    told: list[str] = []
    for name, when in (("lost", "Without a shift"), ("shift after", "With it")):
        if name in result:
            each = result[name]
            endpoints = ", ".join(f"{seconds:.0f}" for seconds in each["endpoints"]) or "never"
            dns = (
                f"still led there {each['period']:.0f} s after"
                if each["name"] is None
                else f"left it out {each['name']:.0f} s after"
            )
            told.append(
                f"{when}, the other Envoys left out the lost servers {endpoints} s after the loss "
                f"({each['configured']} of {ZONES} Envoys had their configuration from the lost "
                f"Contour), and the name {dns}."
            )
    return told


def _conclusions(empty: float) -> list[str]:
    return [
        "Two things are lost with a zone. The connections to its Envoy: clients leave them by "
        "keepalive, else not for minutes. And the calls that the other Envoys send to its servers: "
        "only retries help, until the endpoints go. An Envoy that has its configuration from the "
        f"lost Contour notices its silence after 45 s ([TCP keepalive]({_BOOTSTRAP})) and asks "
        "another, in time for the endpoints' removal. The lost leader costs nothing more: every "
        "Contour serves. A lost external-dns leaves the names as they are until it runs elsewhere, "
        "about 6 minutes after the loss (Kubernetes waits 5 before it replaces a lost pod). "
        "Clients on the contract pass over the silent address.",
        "",
        f"[Zonal shift]({_ZONAL_SHIFT}) takes the zone's endpoints out of the EndpointSlices and "
        "stops placing pods there; pods go on running. Contour and external-dns follow as they "
        "follow any endpoint. For servers it does what the node controller does, so where nodes "
        "are silent it must come within 50 s to change anything, and within 45 s it reaches no "
        "Envoy that waits for the lost Contour. It is for the zone whose nodes still report while "
        "its network fails: there nothing else takes the endpoints away. It moves no connection. "
        "Clients leave a shifted Envoy when their connection reaches its age; before a planned "
        f"evacuation that is what one wants. The zone's Envoys had no connection {empty:.0f} s "
        "after the shift, and then the zone went without a lost call.",
        "",
        "The shift is emulated: the endpoints are taken out of the EndpointSlices, as EKS's "
        "controller does. How long EKS takes until then is not known here. CoreDNS is in no zone "
        "here; on EKS, where it has two pods, look-ups that ask the lost one time out and are "
        "tried again.",
    ]
