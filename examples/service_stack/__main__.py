"""A team's two gRPC services on the platform; this program could also make their Deployments."""

from datetime import timedelta

import pulumi
import pulumi_kubernetes as k8s

from grpc_platform import GrpcService, PlatformStack, kubeconfig, service_args
from grpc_platform.specs import ServiceSpec

config = pulumi.Config()
platform = PlatformStack.from_reference(config.require("platform"))
# The platform exports no kubeconfig of an existing cluster.
access = config.get("kubeconfig") or kubeconfig(platform)
# The identifier stands for the cluster, so that a changed kubeconfig replaces nothing in it.
cluster = k8s.Provider("cluster", kubeconfig=access, cluster_identifier="platform")
services = {
    "billing": ServiceSpec(namespace="payments", deadline=timedelta(seconds=30)),
    "ledger": ServiceSpec(namespace="payments", streaming=True),
}
for name, spec in services.items():
    args = service_args(platform, spec)
    service = GrpcService(name, args, pulumi.ResourceOptions(provider=cluster))
    pulumi.export(name, service.client_contract)
