"""One gRPC service on the platform; its Deployment may follow in this same program."""

from datetime import timedelta

import pulumi
import pulumi_kubernetes as k8s

from grpc_platform.components.grpc_service import GrpcService
from grpc_platform.components.platform_stack import PlatformStack, kubeconfig, service_args
from grpc_platform.components.specs import ServiceSpec

platform = PlatformStack.from_reference(pulumi.Config().require("platform"))
cluster = k8s.Provider("cluster", kubeconfig=kubeconfig(platform))
spec = ServiceSpec(namespace="payments", deadline=timedelta(seconds=30))
args = service_args(platform, spec)
billing = GrpcService("billing", args, pulumi.ResourceOptions(provider=cluster))
pulumi.export("client", billing.client_contract)
