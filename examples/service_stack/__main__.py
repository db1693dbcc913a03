"""Two gRPC services of one team on the platform; their Deployments may follow in this program."""

from datetime import timedelta

import pulumi
import pulumi_kubernetes as k8s

from grpc_platform import GrpcService, PlatformStack, kubeconfig, service_args
from grpc_platform.specs import ServiceSpec

config = pulumi.Config()
platform = PlatformStack.from_reference(config.require("platform"))
# A cluster that was there before the platform has no kubeconfig to export.
access = config.get("kubeconfig") or kubeconfig(platform)
# The identifier stands for the cluster: another kubeconfig for it then replaces nothing in it.
cluster = k8s.Provider("cluster", kubeconfig=access, cluster_identifier="platform")
services = {
    "billing": ServiceSpec(namespace="payments", deadline=timedelta(seconds=30)),
    "ledger": ServiceSpec(namespace="payments", streaming=True),
}
for name, spec in services.items():
    args = service_args(platform, spec)
    service = GrpcService(name, args, pulumi.ResourceOptions(provider=cluster))
    pulumi.export(name, service.client_contract)
