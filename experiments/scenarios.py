"""The scenarios of `nothing_lost`: disruptions of a platform in use."""

from dataclasses import dataclass

from experiments import steps
from experiments.steps import Step


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A disruption; no calls are made during `prepare` and `restore`."""

    name: str
    what: str
    act: Step
    lossless: bool = True
    """The goal: no call fails, none is late."""
    control: bool = False
    """Something is wrong on purpose, so calls must fail."""
    prepare: Step = steps.nothing
    restore: Step = steps.nothing


SCENARIOS = (
    Scenario(
        name="scale-in",
        what="the HPA takes an Envoy away",
        act=steps.scale_in,
        restore=steps.scale_out,
    ),
    Scenario(
        name="scale-out",
        what="the HPA adds an Envoy",
        act=steps.scale_out,
        prepare=steps.scale_in_and_settle,
    ),
    Scenario(name="rollout", what="every Envoy is replaced by a rollout", act=steps.roll_envoys),
    Scenario(
        name="eviction", what="every Envoy is evicted, as a node drain does", act=steps.drain_nodes
    ),
    Scenario(name="contour-rollout", what="a Contour rollout", act=steps.roll_contour),
    Scenario(name="contour-killed", what="the leading Contour is killed", act=steps.kill_leader),
    Scenario(name="renewal", what="certificates are renewed", act=steps.renew),
    Scenario(
        name="renewal-scale-out",
        what="certificates are renewed while an Envoy is added",
        act=steps.renew_and_scale_out,
        prepare=steps.scale_in_and_settle,
    ),
    Scenario(
        name="renewal-contour",
        what="certificates are renewed during a Contour rollout",
        act=steps.renew_and_roll_contour,
    ),
    Scenario(name="server-rollout", what="every server is replaced", act=steps.roll_servers),
    Scenario(
        name="server-scale-in",
        what="a server is scaled away",
        act=steps.scale_servers(2),
        prepare=steps.scale_servers(3),
    ),
    Scenario(name="no-external-dns", what="external-dns is away", act=steps.without_external_dns),
    Scenario(
        name="rollout-no-external-dns",
        what=f"external-dns is away for {steps.OUTAGE} s while every Envoy is replaced",
        act=steps.roll_envoys_without_external_dns,
    ),
    Scenario(
        name="no-api-server",
        what=f"the API server is away for {steps.API_SERVER_AWAY} s",
        act=steps.without_api_server,
    ),
    Scenario(
        name="envoy-killed",
        what="an Envoy is killed (SIGKILL)",
        act=steps.kill_envoy,
        lossless=False,
    ),
    Scenario(
        name="envoy-black-hole",
        what=f"an Envoy answers nothing for {steps.BLACK_HOLE} s",
        act=steps.black_hole_envoy,
        lossless=False,
    ),
    Scenario(
        name="drain-killed",
        what="an Envoy's shutdown-manager is killed while it drains",
        act=steps.kill_drain,
        lossless=False,
        restore=steps.scale_out,
    ),
    Scenario(
        name="server-killed",
        what="a server is killed (SIGKILL)",
        act=steps.kill_server,
        lossless=False,
    ),
    Scenario(
        name="server-killed-retries",
        what=f"a server is killed, with retry-on: {steps.RETRY_ANNOTATIONS[steps.RETRY_ON]}",
        act=steps.kill_server,
        lossless=False,
        prepare=steps.retries(True),
        restore=steps.retries(False),
    ),
    Scenario(
        name="no-drain-delay",
        what="every Envoy is replaced, with a drain delay of 0",
        act=steps.roll_envoys,
        lossless=False,
        prepare=steps.change_envoy(steps.without_drain_delay),
        restore=steps.restore_envoy,
    ),
    Scenario(
        name="no-pre-stop",
        what="every Envoy is replaced, without preStop hooks",
        act=steps.roll_envoys,
        control=True,
        prepare=steps.change_envoy(steps.without_hooks),
        restore=steps.restore_envoy,
    ),
    Scenario(
        name="long-ttl",
        what=f"every Envoy is replaced, with a TTL of {steps.LONG_TTL} drain delays",
        act=steps.roll_envoys,
        lossless=False,
        prepare=steps.long_ttl,
        restore=steps.restore_envoy,
    ),
    Scenario(
        name="server-no-pre-stop",
        what="every server is replaced, without its preStop sleep",
        act=steps.roll_servers_without_pre_stop,
        lossless=False,
        restore=steps.scale_servers(2),
    ),
)
QUICK = ("scale-in", "server-rollout", "no-pre-stop")
