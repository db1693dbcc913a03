"""Turns a pod's manifest into the launcher's plans: identity, command, namespaces and files. Pure,
except that it looks up executables."""

import sys
from pathlib import Path

import testbed
from testbed.linux.kernel import CAPABILITIES
from testbed.node_agent import Json
from testbed.node_agent.env import ConfigError, expand
from testbed.node_agent.launch import Command, Credentials
from testbed.node_agent.root import HOST_DIRECTORIES, Bind

PARTS = "/parts"
ALWAYS_READ_ONLY = ("configMap", "secret", "downwardAPI", "projected")

# The capabilities that container runtimes keep by default (containerd and Docker).
_DEFAULT_CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID",
    "SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
)  # fmt: skip
# An image's USER is not known here; this one replaces it when root is forbidden.
_NOBODY_IN_PARTICULAR = 65532


class MissingPart(Exception):  # noqa: N818  (a state to wait in, not an error)
    """There is no executable for this image yet."""


def executable(name_or_path: str, image: str, parts: Path) -> str:
    """The path of a declared command inside the container: a part with that base name, or else a
    program of the host, by its path or by PATH. A part called `NAME:TAG` stands for images with
    that tag.
    """
    name = name_or_path.rsplit("/", 1)[-1]
    for part in (f"{name}:{_tag(image)}", name):
        if (parts / part).exists():
            return f"{PARTS}/{part}"
    return name_or_path


def _tag(image: str) -> str:
    return image.split("@")[0].rsplit("/", 1)[-1].partition(":")[2]


def argv(container: Json, env: dict[str, str], parts: Path) -> list[str]:
    """The command to run; raises MissingPart when no file in ``parts`` or on the host has its
    name."""
    declared: tuple[list[str], list[str]] = (
        container.get("command") or [],
        container.get("args") or [],
    )
    words, args = ([expand(word, env) for word in each] for each in declared)
    image = str(container.get("image", ""))
    if not words:
        words = [image.split("@")[0].rsplit("/", 1)[-1].split(":")[0]]
        if not (parts / words[0]).exists():
            raise MissingPart(f"no executable {words[0]!r} in {parts} for {image}")
    first = executable(words[0], image, parts)
    if not (first.startswith(PARTS + "/") or _on_host(first)):
        raise MissingPart(f"no executable {words[0]!r} in {parts} or on the host")
    return [first, *words[1:], *args]


def _on_host(name: str) -> bool:
    if "/" in name:
        inside = name.startswith(tuple(f"{top}/" for top in HOST_DIRECTORIES))
        # Another path may come from a volume or the agent's own Python: exec will fail if not.
        return Path(name).exists() if inside else True
    places = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin")
    return any((Path(place) / name).exists() for place in places)


def credentials(pod: Json, container: Json) -> Credentials:
    """The user and groups of the container; raises ConfigError when runAsNonRoot forbids them."""
    outer = pod["spec"].get("securityContext", {})
    inner = container.get("securityContext", {})
    both = {**outer, **inner}
    uid = both.get("runAsUser")
    if both.get("runAsNonRoot"):
        if uid == 0:
            raise ConfigError("container has runAsNonRoot and runAsUser is 0 (root)")
        uid = uid if uid is not None else _NOBODY_IN_PARTICULAR
    uid = uid or 0
    changes = inner.get("capabilities", {})
    add, drop = (
        [str(name).removeprefix("CAP_") for name in changes.get(verb, [])]
        for verb in ("add", "drop")
    )
    kept: set[str] = set(CAPABILITIES if inner.get("privileged") else _DEFAULT_CAPABILITIES)
    kept = set() if "ALL" in drop else kept - set(drop)
    kept |= set(CAPABILITIES if "ALL" in add else add)
    groups = [*outer.get("supplementalGroups", [])]
    if "fsGroup" in outer:
        groups.append(outer["fsGroup"])
    return {
        "uid": uid,
        "gid": both.get("runAsGroup", 0),
        "groups": groups,
        "capabilities": sorted(kept),
        "no_new_privileges": inner.get("allowPrivilegeEscalation") is False,
    }


def command(pod: Json, container: Json, env: dict[str, str], words: list[str]) -> Command:
    """A command to run with the container's identity, environment and working directory."""
    return {
        "argv": words,
        "env": env,
        "directory": container.get("workingDir") or "/",
        "credentials": credentials(pod, container),
    }


def own_binds(parts: Path) -> list[Bind]:
    """The mounts of the parts, and for Python programs the agent's interpreter and package."""
    binds: list[Bind] = [{"source": str(parts), "target": PARTS, "read_only": True}]
    package = Path(testbed.__file__).parent
    own = (sys.prefix, sys.base_prefix, str(package))
    binds.extend(
        {"source": path, "target": path, "read_only": True}
        for path in own
        if not f"{path}/".startswith("/usr/")
    )
    # A part may be a link to its build, or to a folder: mount the target at the same path.
    binds.extend(
        {"source": str(real), "target": str(real), "read_only": True}
        for part in parts.iterdir()
        if part.is_symlink()
        and (real := part.resolve()).exists()
        and not str(real).startswith(tuple(f"{bind['target']}/" for bind in binds))
    )
    return binds


def volume_binds(
    pod: Json, container: Json, env: dict[str, str], directory: Path, termination_log: Path
) -> list[Bind]:
    """The container's volume mounts; ``directory`` holds one directory per volume."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
    binds: list[Bind] = []
    for mount in container.get("volumeMounts", []):
        volume = volumes[mount["name"]]
        source = directory / mount["name"]
        below = mount.get("subPath") or expand(mount.get("subPathExpr", ""), env)
        if below:
            source = source / below
            if "emptyDir" in volume:
                source.mkdir(parents=True, exist_ok=True)
            if not source.exists():
                raise ConfigError(f"volume {mount['name']!r} has no {below!r}")
        read_only = bool(mount.get("readOnly")) or any(kind in volume for kind in ALWAYS_READ_ONLY)
        binds.append(
            {
                "source": str(source),
                "target": mount["mountPath"].rstrip("/"),
                "read_only": read_only,
            }
        )
    path = container.get("terminationMessagePath", "/dev/termination-log")
    binds.append({"source": str(termination_log), "target": path, "read_only": False})
    return binds


def etc_files(pod: Json, who: Credentials, address: str, dns: str, domain: str) -> dict[str, str]:
    """hosts, resolv.conf and the user database of a container."""
    spec, meta = pod["spec"], pod["metadata"]
    hostname = host_name(pod)
    names = hostname
    if spec.get("subdomain"):
        names = f"{hostname}.{spec['subdomain']}.{meta['namespace']}.svc.{domain} {hostname}"
    hosts = ["127.0.0.1 localhost", "::1 localhost ip6-localhost", f"{address} {names}"]
    hosts += [
        f"{alias['ip']} {' '.join(alias['hostnames'])}" for alias in spec.get("hostAliases", [])
    ]
    users = ["root:x:0:0:root:/root:/bin/sh", "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin"]
    if who["uid"] not in (0, 65534):
        users.append(f"user:x:{who['uid']}:{who['gid']}:user:/:/bin/sh")
    groups = ["root:x:0:", "nogroup:x:65534:"]
    return {
        "/etc/hostname": f"{hostname}\n",
        "/etc/hosts": "\n".join(hosts) + "\n",
        "/etc/resolv.conf": _resolv_conf(spec, meta["namespace"], dns, domain),
        "/etc/passwd": "\n".join(users) + "\n",
        "/etc/group": "\n".join(groups) + "\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }


def host_name(pod: Json) -> str:
    """The host name in the pod, cut to Linux's limit."""
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"])[:63].rstrip("-.")


def _resolv_conf(spec: Json, namespace: str, dns: str, domain: str) -> str:
    servers, search = [dns], [f"{namespace}.svc.{domain}", f"svc.{domain}", domain]
    options = {"ndots": "5"}
    if spec.get("dnsPolicy") == "None":
        servers, search, options = [], [], {}
    elif spec.get("dnsPolicy") == "Default":
        search, options = [], {}
    extra = spec.get("dnsConfig", {})
    servers = list(dict.fromkeys(servers + extra.get("nameservers", [])))
    search = list(dict.fromkeys(search + extra.get("searches", [])))
    options |= {option["name"]: option.get("value", "") for option in extra.get("options", [])}
    lines = [f"nameserver {server}" for server in servers]
    lines += [f"search {' '.join(search)}"] if search else []
    flat = " ".join(f"{name}:{value}" if value else name for name, value in options.items())
    lines += [f"options {flat}"] if flat else []
    return "\n".join(lines) + "\n"
