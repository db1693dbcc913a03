"""A small program of the shape that a diff serves; the cases change it."""

import json

import pulumi
import pulumi_kubernetes as k8s
import yaml
from pulumi import ResourceOptions
from pulumi_aws import ec2, iam, route53

config = pulumi.Config()
zone_name = config.require("zone")
envoy = config.require_object("envoy")
ACCOUNT = "111122223333"


class Component(pulumi.ComponentResource):
    """A group."""

    def __init__(self, kind, name, opts=None):
        super().__init__(f"shop:index:{kind}", name, {}, opts)
        self.child = ResourceOptions(parent=self)


network = Component("Network", "network")
vpc = ec2.Vpc("vpc", cidr_block="10.0.0.0/16", opts=network.child)
subnet = ec2.Subnet(
    "subnet",
    vpc_id=vpc.id,
    cidr_block="10.0.1.0/24",
    availability_zone="eu-west-1a",
    tags={"team": "shop"},
    opts=network.child,
)
names = Component("Zone", "zone")
zone = route53.Zone("zone", name=zone_name, vpcs=[{"vpc_id": vpc.id}], opts=names.child)
publisher = iam.Role(
    "publisher",
    name="publisher",
    assume_role_policy=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Pods",
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                    "Action": ["sts:AssumeRole", "sts:TagSession"],
                }
            ],
        }
    ),
    opts=ResourceOptions(parent=names, protect=pulumi.get_stack() == "prod"),
)

kubeconfig = {
    "clusters": [{"name": "one", "cluster": {"server": "https://one.example.com"}}],
    "contexts": [{"name": "one", "context": {"cluster": "one", "user": "me"}}],
    "current-context": "one",
}
cluster = k8s.Provider("cluster", kubeconfig=json.dumps(kubeconfig))
edge = Component("Edge", "edge", ResourceOptions(providers=[cluster]))
namespace = k8s.core.v1.Namespace("edge", metadata={"name": "edge"}, opts=edge.child)
inside = namespace.metadata["name"]
settings = k8s.core.v1.ConfigMap(
    "settings",
    metadata={"name": "settings", "namespace": inside},
    data={
        "contour.yaml": yaml.safe_dump(
            {
                "timeouts": {"max-connection-duration": envoy["max_connection_duration"]},
                "accesslog-format": "envoy",
            }
        ),
        "start.sh": "set -e\necho starting\nexec envoy\n",
    },
    opts=edge.child,
)
credentials = k8s.core.v1.Secret(
    "credentials",
    metadata={"name": "credentials", "namespace": inside},
    string_data={"user": "reader", "password": "swordfish-one"},
    opts=edge.child,
)
k8s.apps.v1.Deployment(
    "envoy",
    metadata={"name": "envoy", "namespace": inside},
    spec={
        "selector": {"matchLabels": {"app": "envoy"}},
        "template": {
            "metadata": {"labels": {"app": "envoy"}},
            "spec": {
                "containers": [
                    {
                        "name": "shutdown-manager",
                        "image": "contour:1.33.8",
                        "args": ["--drain-delay=127s", "--check-interval=5s"],
                    },
                    {
                        "name": "envoy",
                        "image": "envoy:1.38.9",
                        "args": ["--concurrency", "2"],
                        "env": [
                            {"name": "ZONE", "value": "a"},
                            {"name": "LOG_LEVEL", "value": "info"},
                        ],
                        "resources": {"requests": {"cpu": envoy["cpu"]}},
                    },
                ]
            },
        },
    },
    opts=edge.child,
)
token = config.get_secret("token")
if token is not None:
    k8s.core.v1.ConfigMap(
        "token",
        metadata={"name": "token", "namespace": inside},
        data={"token": token},
        opts=edge.child,
    )

for name in config.require_object("services"):
    service = Component("Service", name, ResourceOptions(providers=[cluster]))
    k8s.core.v1.Service(
        name,
        metadata={"name": name, "namespace": "shop", "labels": {"app": name}},
        spec={
            "clusterIP": "None",
            "selector": {"app": name},
            "ports": [{"name": "grpc", "port": 50051}],
        },
        opts=service.child,
    )
    k8s.networking.v1.Ingress(
        f"{name}-ingress",
        metadata={
            "name": name,
            "namespace": "shop",
            "annotations": {"projectcontour.io/response-timeout": "15s"},
        },
        spec={"ingressClassName": "contour", "rules": [{"host": f"{name}.{zone_name}"}]},
        opts=service.child,
    )
    route53.Record(
        f"{name}-cname",
        zone_id=zone.zone_id,
        name=f"{name}.{zone_name}",
        type="CNAME",
        ttl=30,
        records=[f"edge.{zone_name}"],
        opts=service.child,
    )

pulumi.export("timing", {"drain_delay": "2m7s", "rebalance_time": "7m22s"})
pulumi.export("edge", {"name": f"edge.{zone_name}", "port": 8080})
