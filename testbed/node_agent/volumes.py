"""A pod's volumes on disk, kept up to date while it runs.

ConfigMap, Secret, downward API and projected volumes are written as the kubelet writes them: the
files are links through `..data`, and one rename of that link swaps all of them at once, so a
reader never sees half of a new certificate.
"""

import os
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from testbed.linux import kernel
from testbed.node_agent import Json
from testbed.node_agent.env import ConfigError, Lookup, Surroundings, payload, quantity, resource
from testbed.node_agent.env import field as field_value

Files = dict[str, tuple[bytes, int]]
"""Relative path -> content and mode."""

_WRITTEN = ("configMap", "secret", "downwardAPI", "projected")


@dataclass
class _Token:
    text: str
    renew_at: float


@dataclass
class Volumes:
    """The volumes of one pod under ``directory``, one directory each.

    ``request_token`` turns the spec of a TokenRequest for the pod's account into its status.
    """

    request_token: Callable[[Json], Awaitable[Json]]
    lookup: Lookup
    directory: Path
    _tokens: dict[tuple[str, str], _Token] = field(default_factory=dict[tuple[str, str], _Token])
    _tmpfs: list[Path] = field(default_factory=list[Path])

    async def prepare(self, pod: Json, around: Surroundings) -> None:
        """Create every volume; raises ConfigError when an object that one refers to does not
        exist."""
        group = pod["spec"].get("securityContext", {}).get("fsGroup")
        for volume in pod["spec"].get("volumes", []):
            place = self.directory / volume["name"]
            if any(kind in volume for kind in _WRITTEN):
                files = await self._files(volume, pod, around)
                place.mkdir(parents=True, exist_ok=True)
                swap(place, files, group)
            elif "emptyDir" in volume:
                if not place.exists():
                    self._empty(place, volume["emptyDir"] or {}, group)
            else:
                kinds = ", ".join(key for key in volume if key != "name")
                raise ConfigError(f"volume {volume['name']!r}: {kinds} volumes are not available")

    async def refresh(self, pod: Json, around: Surroundings) -> None:
        """Write changed content; files of deleted objects keep their last content."""
        group = pod["spec"].get("securityContext", {}).get("fsGroup")
        for volume in pod["spec"].get("volumes", []):
            if any(kind in volume for kind in _WRITTEN):
                try:
                    files = await self._files(volume, pod, around)
                except ConfigError:
                    continue
                swap(self.directory / volume["name"], files, group)

    def token_due(self) -> bool:
        return any(token.renew_at <= time.time() for token in self._tokens.values())

    def remove(self) -> None:
        for place in self._tmpfs:
            kernel.unmount(str(place))
        shutil.rmtree(self.directory, ignore_errors=True)

    def _empty(self, place: Path, spec: Json, group: int | None) -> None:
        place.mkdir(parents=True)
        if spec.get("medium") == "Memory":
            limit = f"size={int(quantity(str(spec['sizeLimit'])))}" if "sizeLimit" in spec else ""
            kernel.mount("emptydir", str(place), "tmpfs", kernel.MS_NOSUID, limit)
            self._tmpfs.append(place)
        place.chmod(0o777)
        if group is not None:
            _give(place, group)
            place.chmod(0o2777)

    async def _files(self, volume: Json, pod: Json, around: Surroundings) -> Files:
        if "projected" in volume:
            sources: list[Json] = volume["projected"].get("sources", [])
            mode: int = volume["projected"].get("defaultMode", 0o644)
        else:
            kind = next(kind for kind in _WRITTEN if kind in volume)
            spec = dict(volume[kind])
            if "secretName" in spec:
                spec["name"] = spec["secretName"]
            sources, mode = [{kind: spec}], spec.get("defaultMode", 0o644)
        files: Files = {}
        for source in sources:
            if "configMap" in source:
                files |= _from_object("configmaps", source["configMap"], self.lookup, mode)
            elif "secret" in source:
                files |= _from_object("secrets", source["secret"], self.lookup, mode)
            elif "downwardAPI" in source:
                files |= downward(source["downwardAPI"], pod, around, mode)
            elif "serviceAccountToken" in source:
                path = source["serviceAccountToken"]["path"]
                text = await self._token(source["serviceAccountToken"], pod)
                files[path] = (text.encode(), mode)
            else:
                raise ConfigError(f"projected source {', '.join(source)} is not available")
        return files

    async def _token(self, source: Json, pod: Json) -> str:
        meta = pod["metadata"]
        key = (source.get("audience", ""), source["path"])
        held = self._tokens.get(key)
        if held is not None and held.renew_at > time.time():
            return held.text
        spec: Json = {
            "audiences": [source["audience"]] if source.get("audience") else [],
            "expirationSeconds": source.get("expirationSeconds", 3600),
            "boundObjectRef": {
                "kind": "Pod",
                "apiVersion": "v1",
                "name": meta["name"],
                "uid": meta["uid"],
            },
        }
        answer = await self.request_token(spec)
        ends = datetime.fromisoformat(answer["expirationTimestamp"]).timestamp()
        # The kubelet renews after 80 % of a token's life, or a day.
        renew = time.time() + min((ends - time.time()) * 0.8, 86400)
        self._tokens[key] = _Token(answer["token"], renew)
        return self._tokens[key].text


def _from_object(collection: str, source: Json, lookup: Lookup, mode: int) -> Files:
    name, optional = source["name"], bool(source.get("optional"))
    found = lookup(collection, name)
    if found is None:
        if optional:
            return {}
        raise ConfigError(f'{collection[:-1]} "{name}" not found')
    data = payload(found, collection)
    if "items" not in source:
        return {key: (content, mode) for key, content in data.items()}
    files: Files = {}
    for item in source["items"]:
        if item["key"] in data:
            files[item["path"]] = (data[item["key"]], item.get("mode", mode))
        elif not optional:
            raise ConfigError(f'{collection[:-1]} "{name}" has no key {item["key"]!r}')
    return files


def downward(source: Json, pod: Json, around: Surroundings, mode: int) -> Files:
    """The files of a downward API volume."""
    files: Files = {}
    for item in source.get("items", []):
        if "fieldRef" in item:
            text = field_value(pod, item["fieldRef"]["fieldPath"], around)
        else:
            text = resource(pod, item["resourceFieldRef"], None, around)
        files[item["path"]] = (text.encode(), item.get("mode", mode))
    return files


def swap(place: Path, files: Files, group: int | None = None) -> bool:
    """Switch a directory to exactly these files, all at once; False if it has them already."""
    if group is not None:
        files = {path: (content, mode | 0o440) for path, (content, mode) in files.items()}
    if _shown(place) == files:
        return False
    fresh = place / f"..{time.strftime('%Y_%m_%d_%H_%M_%S')}.{time.monotonic_ns()}"
    fresh.mkdir(mode=0o755)
    fresh.chmod(0o755)
    for path, (content, mode) in files.items():
        file = fresh / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(mode)
        if group is not None:
            _give(file, group)
    data = place / "..data"
    before = data.readlink() if data.is_symlink() else None
    link = place / "..data_tmp"
    link.unlink(missing_ok=True)
    link.symlink_to(fresh.name)
    link.rename(data)
    wanted = {path.split("/", 1)[0] for path in files}
    for name in wanted:
        if not (place / name).is_symlink():
            (place / name).symlink_to(Path("..data", name))
    for entry in place.iterdir():
        if not entry.name.startswith("..") and entry.name not in wanted:
            entry.unlink()
    if before is not None:
        shutil.rmtree(place / before, ignore_errors=True)
    return True


def _shown(place: Path) -> Files | None:
    data = place / "..data"
    if not data.exists():
        return None
    inside = data.resolve()
    return {
        str(file.relative_to(inside)): (file.read_bytes(), file.stat().st_mode & 0o777)
        for file in inside.rglob("*")
        if file.is_file()
    }


def _give(path: Path, group: int) -> None:
    """Set the group, if this sandbox maps it; a plain user's sandbox does not."""
    if kernel.is_mapped(group, "/proc/self/gid_map"):
        os.chown(path, -1, group)
