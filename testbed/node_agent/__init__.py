"""The node agent: runs the pods of its nodes as plain processes in namespaces of their own.

It registers the Nodes, binds pending pods to them unless there is a scheduler, runs them, reports
their status and serves metrics.k8s.io. `python -m testbed.node_agent --help` lists its flags,
`--unsupported` the pod fields that it does not honour.
"""

from typing import Any

Json = dict[str, Any]
"""A Kubernetes object or a part of one, as the API server sends it."""
