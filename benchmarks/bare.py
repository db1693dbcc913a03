"""The least cost of many services: the same resources, straight on the SDK.

`python -m benchmarks.bare N` registers the resources of N services (a component, a Service, an
Ingress and a CNAME each), with plain values and the SDK's typed classes, on the SDK's own mocks. It
does nothing with them.
"""

import sys
from typing import Any, cast

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks


class _Mocks(Mocks):
    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        given: Any = args  # its type omits the inputs' type
        return f"{args.name}-id", given.inputs

    def call(self, args: MockCallArgs) -> Any:
        del args  # nothing is looked up
        return {}


def register(name: str, cluster: k8s.Provider, ingress: pulumi.Resource) -> None:
    """One service, with the inputs and options that GrpcService gives its children."""
    component = pulumi.ComponentResource(
        "bare:index:Service",
        name,
        opts=pulumi.ResourceOptions(providers=[cluster], depends_on=[ingress]),
    )
    child = pulumi.ResourceOptions(parent=component)
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "grpc-platform"}
    host = f"{name}.grpc.test"
    k8s.core.v1.Service(
        name,
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=name,
            namespace="default",
            labels=labels,
            annotations={
                "projectcontour.io/upstream-protocol.h2c": "50051",
                "pulumi.com/skipAwait": "true",
            },
        ),
        spec=k8s.core.v1.ServiceSpecArgs(
            cluster_ip="None",
            selector={"app.kubernetes.io/name": name},
            ports=[
                k8s.core.v1.ServicePortArgs(
                    name="grpc", port=50051, target_port=50051, protocol="TCP"
                )
            ],
        ),
        opts=child,
    )
    backend = k8s.networking.v1.IngressBackendArgs(
        service=k8s.networking.v1.IngressServiceBackendArgs(
            name=name, port=k8s.networking.v1.ServiceBackendPortArgs(number=50051)
        )
    )
    path = k8s.networking.v1.HTTPIngressPathArgs(path="/", path_type="Prefix", backend=backend)
    route = k8s.networking.v1.Ingress(
        f"{name}-ingress",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=name,
            namespace="default",
            labels=labels,
            annotations={
                "projectcontour.io/response-timeout": "15s",
                "pulumi.com/skipAwait": "true",
            },
        ),
        spec=k8s.networking.v1.IngressSpecArgs(
            ingress_class_name="contour",
            rules=[
                k8s.networking.v1.IngressRuleArgs(
                    host=host, http=k8s.networking.v1.HTTPIngressRuleValueArgs(paths=[path])
                )
            ],
        ),
        opts=child,
    )
    aws.route53.Record(
        f"{name}-cname",
        zone_id="Z-grpc.test",
        name=host,
        type="CNAME",
        ttl=30,
        records=["local.grpc.test"],
        set_identifier="local",
        weighted_routing_policies=[aws.route53.RecordWeightedRoutingPolicyArgs(weight=100)],
        opts=pulumi.ResourceOptions(parent=component, depends_on=[route, ingress]),
    )
    component.register_outputs({"host": host})


def register_all(count: int, cluster: k8s.Provider) -> None:
    """So many services behind one ingress."""
    ingress = k8s.core.v1.Namespace("ingress", opts=pulumi.ResourceOptions(provider=cluster))
    for number in range(count):
        register(f"service-{number:04}", cluster, ingress)


def main() -> None:
    count = int(sys.argv[1])
    pulumi.runtime.set_mocks(_Mocks())
    test = cast("Any", pulumi.runtime).test  # it has no types
    test(lambda: register_all(count, k8s.Provider("cluster", kubeconfig="{}")))()


if __name__ == "__main__":
    main()
