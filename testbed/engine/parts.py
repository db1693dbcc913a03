"""The engine and the Kubernetes provider as parts for `testbed.cluster.build.Builder`."""

import os
from importlib import metadata
from pathlib import Path

from testbed.cluster.parts import GoPart, Patch, required

_HERE = Path(__file__).parent

_VERSION = required(_HERE / "pulumi", "github.com/pulumi/pulumi/pkg/v3")
_PLUGIN = "pulumi-resource-kubernetes"
# The newest provider that is a Go module: its releases are only binaries.
_PLUGIN_VERSION = required(_HERE / "kubernetes", "github.com/pulumi/pulumi-kubernetes/provider/v4")


def _plugin_folder() -> Path:
    """Where Pulumi itself keeps plugins."""
    return Path(os.environ.get("PULUMI_HOME") or Path("~/.pulumi").expanduser()) / "plugins"


def installed_plugin() -> Path:
    """Where Pulumi installs the provider that the SDK asks for; it need not be there."""
    release = metadata.version("pulumi-kubernetes")
    return _plugin_folder() / f"resource-kubernetes-v{release}" / _PLUGIN


PULUMI = GoPart(
    name="pulumi",
    version=_VERSION,
    package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    version_command=("version",),
    stamp=(("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version", f"v{_VERSION}"),),
    module=_HERE / "pulumi",
)
KUBERNETES_PLUGIN = GoPart(
    name=_PLUGIN,
    version=_PLUGIN_VERSION,
    package=".",
    stamp=(("main.version", _PLUGIN_VERSION),),
    module=_HERE / "kubernetes",
    patch=Patch(
        module="github.com/pulumi/pulumi-kubernetes/sdk/v4@v4.24.0",
        file="go/kubernetes/yaml/v2/kinds.go",
        source=_HERE / "kubernetes" / "patch" / "kinds.go",
    ),
    installed=installed_plugin(),
)
ENGINE_PARTS = (PULUMI, KUBERNETES_PLUGIN)
"""Built only when asked for: some 15 CPU-minutes."""
