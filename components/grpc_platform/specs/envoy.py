"""The Envoy fleet: its size, resources and ports."""

from typing import Annotated, Literal

from pydantic import Field

from .. import versions
from ..timing import Timing
from .base import Cpu, Duration, Image, Memory, Port, Spec


class EnvoySpec(Spec):
    """Envoy's Deployment and its autoscaler."""

    version: Literal["1.38.3", "1.38.9"] = versions.ENVOY
    """Envoy's release; must be the one `contour.version` was released with."""
    image: Image | None = None
    """Image to pull instead of upstream's: repository with a tag, a digest, or both."""
    min_replicas: Annotated[int, Field(ge=1, le=400)] = 2
    """The smallest fleet; at least two in production."""
    max_replicas: Annotated[int, Field(ge=1, le=400)] = 10
    """The largest fleet. Route53 allows 400 addresses under one name."""
    target_cpu_utilization: Annotated[int, Field(ge=10, le=90)] = 60
    """Percent of `cpu` that the autoscaler aims at, in the envoy container alone."""
    cpu: Cpu = "1"
    """CPU request and limit of each Envoy: whole cores unless `concurrency` is given."""
    memory: Memory = "1Gi"
    """Memory request and limit of each Envoy."""
    concurrency: Annotated[int, Field(ge=1, le=64)] | None = None
    """Worker threads (Envoy does not read the container's CPU limit); derived from `cpu`."""
    http_port: Port = 8080
    """The port that clients dial for plaintext gRPC, on the pod itself."""
    https_port: Port = 8443
    """The port that clients dial for gRPC over TLS."""
    pod_startup_time: Duration = Timing.pod_startup_time
    """How long a new Envoy pod on a node with room takes to become ready. It is part of
    `rebalance_time`, which the autoscaler waits before it removes an Envoy."""
    max_deadline: Duration = Timing.max_deadline
    """The longest finite deadline of any service, those of other stacks included."""
    max_connections: Annotated[int, Field(ge=100, le=2**32 - 1)] = 50_000
    """Client connections per Envoy, on both ports together; it refuses more."""
