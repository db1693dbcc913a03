"""A service team's stack beside the platform's own, deployed with that team's rights alone."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from grpc_platform_tools.graph import Graph
from testbed.cluster import deploy, pki, readiness
from testbed.cluster.cluster import Cluster
from testbed.cluster.errors import LocalError
from testbed.cluster.place import FIRST
from testbed.program import ROOT, preview
from tests.local.stack import Platform

SERVICE_STACK = ROOT / "examples" / "service_stack"
NAMESPACE = "payments"
ACCOUNT = "payments-engineers"


@dataclass(frozen=True)
class Team:
    """The cluster as the team may use it, and what the team previewed for it."""

    cluster: Cluster
    program: Path
    graph: Graph


@pytest.fixture(scope="module")
def team(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """The service stack, deployed on the platform as it is, and the team's Deployments."""
    program = tmp_path_factory.mktemp("payments") / "payments"
    shutil.copytree(SERVICE_STACK, program, ignore=shutil.ignore_patterns("build"))
    (program / "platform-local.json").write_text(json.dumps(platform.graph.exports))
    graph = preview("local", program / "build" / "preview", program)
    kubeconfig = program / "kubeconfig"
    grant(platform.cluster, kubeconfig)
    cluster = replace(platform.cluster, kubeconfig=kubeconfig)
    deployed = deploy.deploy(cluster, graph)
    apps = list(yaml.safe_load_all((program / "apps.yaml").read_text()))
    deploy.apply(cluster, apps)
    for app in apps:
        readiness.wait_until_ready(cluster, app)
    yield Team(cluster, program, graph)
    deploy.deploy(cluster, Graph(()), deployed)
    host = target(graph, "billing").partition(":")[0]
    cluster.wait("its name to go", lambda: not cluster.published(host, "CNAME"))


def grant(cluster: Cluster, kubeconfig: Path) -> None:
    """The rights that `access.teams` grants on EKS: the role `edit` in one existing namespace."""
    metadata = {"name": ACCOUNT, "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    rbac = "rbac.authorization.k8s.io/v1"
    subject = {"kind": "ServiceAccount", **metadata}
    deploy.apply(
        cluster,
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
            {
                "apiVersion": rbac,
                "kind": "RoleBinding",
                "metadata": metadata,
                "roleRef": role,
                "subjects": [subject],
            },
        ],
    )
    token = cluster.kubectl("create", "token", "-n", NAMESPACE, ACCOUNT, "--duration=1h").strip()
    server = f"https://{FIRST.kubernetes_address}"
    pki.write_kubeconfig(kubeconfig, cluster.state / "pki", server, token)


def target(graph: Graph, service: str) -> str:
    return graph.exports[service]["target_uri"].removeprefix("dns:///")


def test_both_services_of_a_team_answer_by_name_beside_the_platforms_own(
    platform: Platform, team: Team
) -> None:
    for service, app in (("billing", "greeter"), ("ledger", "ticker")):
        name = target(team.graph, service)
        platform.cluster.wait(
            f"{name} to be served",
            lambda name=name, asked=f"--service={app}": (
                platform.served_by_each(name, asked)
                and "OK" in platform.call(name, asked, "--calls=1")["codes"]
            ),
        )
        report = platform.call(name, f"--service={app}", "--channels=8", "--calls=5")
        assert report["codes"] == {"OK": 40}
        assert {pod.rpartition("-")[0].rpartition("-")[0] for pod in report["pods"]} == {service}
        own = platform.call(platform.services[app].target, f"--service={app}", "--calls=5")
        assert own["codes"] == {"OK": 5}
        assert not set(own["pods"]) & set(report["pods"])


def test_the_team_can_deploy_to_no_other_namespace(team: Team, tmp_path: Path) -> None:
    shutil.copytree(team.program, tmp_path / "elsewhere")
    main = tmp_path / "elsewhere" / "__main__.py"
    main.write_text(main.read_text().replace(f'namespace="{NAMESPACE}"', 'namespace="default"'))
    graph = preview("local", tmp_path / "preview", main.parent)
    with pytest.raises(LocalError, match=rf'{ACCOUNT}" cannot .* in the namespace "default"'):
        deploy.deploy(team.cluster, graph)


@pytest.mark.parametrize(
    "command",
    [
        ("get", "secrets", "-n", "projectcontour"),
        ("get", "deployments", "-n", "default"),
        ("delete", "ingress", "greeter", "-n", "default"),
        ("create", "namespace", "payments-two"),
        ("get", "nodes"),
    ],
)
def test_the_team_can_touch_nothing_else(team: Team, command: tuple[str, ...]) -> None:
    with pytest.raises(LocalError, match=rf'Forbidden.*{ACCOUNT}" cannot'):
        team.cluster.kubectl(*command)
