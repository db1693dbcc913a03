"""A stack with monitors, in a cluster that does not know the Prometheus operator yet."""

from pathlib import Path

import pytest

from experiments.lab import STACK, Lab
from testbed.cluster import deploy, run
from testbed.cluster.errors import LocalError
from testbed.engine import agreement
from tests.engine.conftest import Programs
from tests.engine.platform import Recorded

MONITORING = {
    "pod_monitors": True,
    "rules": {"runbook_url": "https://example.com", "dashboard_url": "https://example.com"},
}
GROUP, VERSION = "monitoring.coreos.com", "v1"
KINDS = {"podmonitors": "PodMonitor", "prometheusrules": "PrometheusRule"}


def definition(plural: str, kind: str) -> deploy.Object:
    """A CRD that allows everything; the operator's own are thousands of lines."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": anything},
                }
            ],
        },
    }


@pytest.mark.prove
def test_without_the_operators_crds_an_update_fails_on_the_monitors_alone(
    lab: Lab, programs: Programs, tmp_path: Path
) -> None:
    wanted = Recorded.of(lab.program(monitoring=MONITORING))
    monitors = {r.urn for r in wanted.graph if f"kubernetes:{GROUP}/{VERSION}:" in r.type}
    zones = [str(zone.inputs["name"]) for zone in wanted.graph.of_type(deploy.ZONE)]
    lab.cluster.start_resolver(zones)
    run.prepare(lab.cluster)
    engine = programs.home(tmp_path / "home", lab.cluster).engine(wanted.program, STACK)
    try:
        with pytest.raises(LocalError) as caught:
            engine.up()
        assert 'no matches for kind "' in caught.value.cause
        assert f'in version "{GROUP}/{VERSION}"' in caught.value.cause
        lab.wait_for_name()
        missing = agreement.operations(engine.preview())
        assert missing == dict.fromkeys(monitors, "create")

        deploy.apply(lab.cluster, [definition(*names) for names in KINDS.items()])
        for plural in KINDS:
            crd = f"crd/{plural}.{GROUP}"
            lab.cluster.kubectl("wait", "--for=condition=Established", crd)
        assert agreement.operations(engine.up()) == dict.fromkeys(monitors, "create")
        assert agreement.operations(engine.preview()) == {}
    finally:
        engine.destroy()
