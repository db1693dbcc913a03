"""A small program of the shape the tools serve: clusters, proxies, services, names."""

import os

import pulumi
import pulumi_kubernetes as k8s
from pulumi import ResourceOptions
from pulumi_aws import route53

config = pulumi.Config()
zone_name = config.require("zone")

# A preview must hide these from a program; else the result would depend on the machine.
for name in os.environ:
    if name.startswith(("AWS_", "PULUMI_", "KUBE")):
        pulumi.log.warn(f"the program sees {name}")
if pulumi.Config("aws").get("region"):
    pulumi.log.warn("the program sees a region from nowhere")


class Component(pulumi.ComponentResource):
    """A group."""

    def __init__(self, kind, name, opts=None):
        super().__init__(f"toy:index:{kind}", name, {}, opts)


names = Component("Zone", "zone")
zone = route53.Zone("zone", name=zone_name, opts=ResourceOptions(parent=names))

for cluster in config.require_object("clusters"):
    holder = Component("Cluster", cluster)
    provider = k8s.Provider(cluster, kubeconfig="{}", opts=ResourceOptions(parent=holder))
    fleet = Component("Envoy", f"{cluster}-envoy", ResourceOptions(providers=[provider]))
    child = ResourceOptions(parent=fleet)
    namespace = k8s.core.v1.Namespace(f"{cluster}-ns", metadata={"name": "edge"}, opts=child)
    inside = namespace.metadata["name"]
    labels = {"app": "envoy"}
    deployment = k8s.apps.v1.Deployment(
        f"{cluster}-envoy",
        metadata={
            "name": "envoy",
            "namespace": inside,
            "annotations": {"pulumi.com/skipAwait": "true", "kept": "yes"},
        },
        spec={
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "envoy", "image": "envoy:1"}]},
            },
        },
        opts=child,
    )
    k8s.autoscaling.v2.HorizontalPodAutoscaler(
        f"{cluster}-scaler",
        metadata={"name": "envoy", "namespace": inside},
        spec={
            "minReplicas": 2,
            "maxReplicas": 5,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "envoy"},
        },
        opts=ResourceOptions(parent=fleet, depends_on=[deployment]),
    )
    k8s.core.v1.ConfigMap(
        f"{cluster}-config",
        metadata={"name": "envoy", "namespace": inside},
        data={"envoy.yaml": "a: 1\nb: 2\n", "revision": "12e5", "on": "y"},
        opts=child,
    )
    k8s.core.v1.Service(
        f"{cluster}-pods",
        metadata={
            "name": "envoy",
            "namespace": inside,
            "annotations": {
                "external-dns.alpha.kubernetes.io/hostname": f"{cluster}.{zone_name}",
                "external-dns.alpha.kubernetes.io/ttl": "30",
            },
        },
        spec={
            "clusterIP": "None",
            "selector": labels,
            "ports": [{"name": "http", "port": 8080, "targetPort": 8080}],
        },
        opts=child,
    )
    token, database = config.get_secret("token"), config.get_secret_object("database")
    if token is not None and database is not None:
        k8s.core.v1.Secret(
            f"{cluster}-credentials",
            metadata={"name": "credentials", "namespace": inside},
            string_data={"token": token, "password": database["password"]},
            opts=child,
        )
    if cluster != "main":
        continue
    for service in config.require_object("services"):
        bundle = Component("Service", service, ResourceOptions(providers=[provider]))
        k8s.networking.v1.Ingress(
            service,
            metadata={"name": service, "namespace": "default"},
            spec={
                "rules": [
                    {
                        "host": f"{service}.{zone_name}",
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "Prefix",
                                    "backend": {
                                        "service": {"name": service, "port": {"number": 50051}}
                                    },
                                }
                            ]
                        },
                    }
                ]
            },
            opts=ResourceOptions(parent=bundle),
        )
        route53.Record(
            service,
            zone_id=zone.zone_id,
            name=f"{service}.{zone_name}",
            type="CNAME",
            ttl=60,
            records=[f"{cluster}.{zone_name}."],
            opts=ResourceOptions(parent=bundle, depends_on=[fleet]),
        )

pulumi.log.warn("one thing to know")
pulumi.export("timing", {"drain_delay": "2m5s", "rebalance_time": "7m20s"})
