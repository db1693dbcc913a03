"""Added latency: the same calls alternately through Envoy and directly, in one run."""

from typing import Any

from matplotlib.figure import Figure

from experiments import plots
from experiments.experiment import Experiment, Finding, Result, count_failed
from experiments.lab import ZONE, Lab, spread
from grpc_platform.specs import EnvoySpec
from testbed.load.certificate import provide_certificate
from testbed.load.clients import DIRECT
from testbed.load.sampler import Sampler, answered, cores

PROMISED_MS = 0.3
"""The design's estimate for the extra hop."""
_CONTROL_MS = 2
"""The control's server is this much slower."""
_QUANTILES = ("p50", "p99", "p99.9")
_CONCURRENCIES = (10, 100)
_RATES = (100, 500, 1000, 2000)
_SECURE = "secure"


def run(lab: Lab) -> Result:
    """One server and one Envoy, so that all calls take one path. Every client calls its targets in
    turn, so that other load on the machine affects all targets alike."""
    selector = {"app.kubernetes.io/name": "load"}
    ca = provide_certificate(lab.cluster, f"{_SECURE}-tls", f"{_SECURE}.{ZONE}")
    lab.deploy(
        envoy={"min_replicas": 1, "max_replicas": 1},
        services={_SECURE: {"tls_secret": f"{_SECURE}-tls", "selector": selector}},
    )
    lab.serve(1)
    direct_envoy = {"direct": DIRECT, "envoy": lab.target()}
    seconds, repeats = (5, 2) if lab.quick else (10, 3)

    def measure(*arguments: str, **targets: str) -> Result:
        """Quantiles by target, and the difference of each from the first, over repeats."""
        each: list[dict[str, dict[str, float]]] = []
        for _ in range(repeats):
            client = lab.client(f"--duration={seconds}s", *arguments, targets=targets)
            reports = client.report()["targets"]
            each.append({name: report["milliseconds"] for name, report in reports.items()})
        base, *others = targets
        return {
            "milliseconds": {
                name: {q: spread([one[name][q] for one in each]) for q in _QUANTILES}
                for name in targets
            },
            "added": {
                name: {q: spread([one[name][q] - one[base][q] for one in each]) for q in _QUANTILES}
                for name in others
            },
        }

    found: dict[str, Any] = {"seconds": seconds, "repeats": repeats}
    lab.say("one call at a time")
    found["one"] = measure(**direct_envoy)
    lab.say("over TLS and in plaintext, one call at a time")
    secure = f"{_SECURE}.{ZONE}:{EnvoySpec().https_port}"
    found["tls"] = _tls(lab, secure, ca, seconds, repeats)
    found["concurrent"] = {}
    for concurrency in _CONCURRENCIES if not lab.quick else ():
        lab.say(f"{concurrency} calls at a time on one connection")
        found["concurrent"][str(concurrency)] = measure(
            f"--concurrency={concurrency}", **direct_envoy
        )
    found["rates"] = {}
    for rate in _RATES if not lab.quick else ():
        lab.say(f"{rate} calls/s each way")
        found["rates"][str(rate)] = measure(f"--rate={2 * rate}", "--channels=10", **direct_envoy)
    lab.say("saturation")
    found["saturation"] = {
        way: _saturate(lab, target, seconds) for way, target in direct_envoy.items()
    }
    lab.say(f"control: a server that takes {_CONTROL_MS} ms longer")
    lab.serve(1, f"--delay={_CONTROL_MS}ms")
    found["control"] = measure(direct=DIRECT)
    return found


def _tls(lab: Lab, secure: str, ca: str, seconds: int, repeats: int) -> Result:
    """A client uses TLS for all its targets or for none, so two clients run at a time, one call
    each."""
    each: dict[str, list[dict[str, float]]] = {"plain": [], "tls": []}
    for _ in range(repeats):
        clients = {
            "plain": lab.client(f"--duration={seconds}s", targets={"envoy": lab.target()}),
            "tls": lab.client(f"--duration={seconds}s", f"--ca={ca}", targets={"envoy": secure}),
        }
        for name, client in clients.items():
            each[name].append(client.report()["targets"]["envoy"]["milliseconds"])
    return {
        "milliseconds": {
            name: {q: spread([one[q] for one in found]) for q in _QUANTILES}
            for name, found in each.items()
        },
        "added": {
            q: spread([a[q] - b[q] for a, b in zip(each["tls"], each["plain"], strict=True)])
            for q in _QUANTILES
        },
    }


def _saturate(lab: Lab, target: str, seconds: int) -> Result:
    """Saturation: as many calls as this machine can make with all programs on it."""
    client = lab.client(
        "--channels=8", "--concurrency=16", f"--duration={seconds + 5}s", targets={"it": target}
    )
    lab.wait_until_running(client)
    lab.pause(2)
    with Sampler(lab.cluster) as sampler:
        lab.pause(seconds)
    report = client.report()["targets"]["it"]
    rate = answered(report["windows"], sampler.samples)
    return {
        "calls_per_second": rate,
        "codes": report["codes"],
        "milliseconds": report["milliseconds"],
        "microseconds_of_cpu": {
            kind: 1e6 * cores(sampler.samples, kind) / rate for kind in ("client", "envoy", "load")
        },
    }


def findings(result: Result) -> list[Finding]:
    """The claims about the extra hop."""
    added = result["one"]["added"]["envoy"]["p50"]
    direct = result["one"]["milliseconds"]["direct"]["p50"]["median"]
    envoy = result["one"]["milliseconds"]["envoy"]["p50"]["median"]
    tls = result["tls"]["added"]["p50"]["median"]
    slower = result["control"]["milliseconds"]["direct"]["p50"]["median"] - direct
    failed = count_failed(*(way["codes"] for way in result["saturation"].values()))
    return [
        Finding(
            f"the extra hop adds about {PROMISED_MS} ms to a call (p50)",
            added["median"] <= PROMISED_MS * 1.5,
            f"{_ms(added)}; direct {direct:.2f} ms",
            # An absolute time depends on this machine.
            binding=False,
        ),
        Finding(
            "a call through Envoy takes less than five times a direct one",
            envoy <= 5 * direct,
            f"{envoy / direct:.1f} times, on loopback; a network's own time shrinks the ratio",
        ),
        Finding(
            "TLS adds little to a call on a connection that is up",
            tls <= envoy / 2,
            f"{tls:+.2f} ms (p50)",
            binding=False,
        ),
        Finding(
            f"a server that takes {_CONTROL_MS} ms longer is seen to",
            slower >= _CONTROL_MS / 2,
            f"{slower:+.2f} ms (p50)",
            control=True,
        ),
        Finding("no call fails at saturation", not failed, f"{failed} failed"),
    ]


def _ms(spread_: dict[str, float]) -> str:
    return f"{spread_['median']:.2f} ms ({spread_['low']:.2f} to {spread_['high']:.2f})"


def _rows(result: Result) -> dict[str, Result]:
    rows = {"one at a time": result["one"]}
    rows |= {f"{n} at a time": found for n, found in result["concurrent"].items()}
    return rows | {f"{int(rate):,}/s": found for rate, found in result["rates"].items()}


def draw(result: Result) -> dict[str, Figure]:
    """The added latency by load."""
    rows = _rows(result)
    with plots.panels("What Envoy adds to a call") as (figure, (axes,)):
        plots.bars(
            axes,
            [name.replace(" at a time", "\nat a time") for name in rows],
            {q: [plots.bar(r["added"]["envoy"][q]) for r in rows.values()] for q in ("p50", "p99")},
            y_label="ms (median of the repeats, least and most)",
        )
        scaled: Any = axes
        scaled.set_yscale("symlog", linthresh=1)
    return {"latency": figure}


def tell(result: Result) -> str:
    """The page's text."""
    lines = [
        f"One server, one Envoy; {result['repeats']} repeats of {result['seconds']} s each, every "
        "client calling directly and through Envoy in turn (of 100 at a time some wait on the one, "
        "some on the other). Client, server and Envoy share the machine's cores, so at high load "
        "these times are of queues for the processor.",
        "",
        "| load | direct p50 | p99 | p99.9 | Envoy adds p50 | p99 | p99.9 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in _rows(result).items():
        direct = found["milliseconds"]["direct"]
        cells = [f"{direct[q]['median']:.2f} ms" for q in _QUANTILES]
        cells += [_ms(found["added"]["envoy"][q]) for q in _QUANTILES]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    tls = result["tls"]["added"]
    lines += [
        "",
        f"TLS, beside plaintext at the same time: {_ms(tls['p50'])} at p50, {_ms(tls['p99'])} at "
        "p99, once the connection is up.",
        "",
        "| saturation | calls/s | p50 | p99 | CPU a call: client | Envoy | server |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for way, found in result["saturation"].items():
        cpu, ms = found["microseconds_of_cpu"], found["milliseconds"]
        lines.append(
            f"| {way} | {found['calls_per_second']:,.0f} | {ms['p50']:.1f} ms | {ms['p99']:.1f} ms "
            f"| {cpu['client']:.0f} µs | {cpu['envoy']:.0f} µs | {cpu['load']:.0f} µs |"
        )
    return "\n".join(lines)


LATENCY = Experiment(
    title="Added latency",
    question="What does the hop through Envoy cost a call?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
