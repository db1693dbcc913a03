"""The SBOM of each wheel: the packages it asks for, as locked, and the images it deploys.

`make docs` writes them; with `--check` it names the stale ones.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grpc_platform import versions

ROOT = Path(__file__).parents[1]
IMAGES = (
    versions.contour_image(versions.CONTOUR),
    versions.envoy_image(versions.ENVOY),
    versions.EXTERNAL_DNS_IMAGE,
)
"""What the components deploy by default."""
_DEPLOYED = {"components": IMAGES, "tools": ()}
"""The images of each distribution, by its folder."""

_LOCKED = re.compile(r"^([\w.-]+)==([^\s;]+).*\n(?: .*\n)*", re.MULTILINE)


@dataclass(frozen=True)
class Locked:
    """One package of a lock."""

    version: str
    parents: frozenset[str]
    """The packages that ask for it."""


def read_lock(text: str) -> dict[str, Locked]:
    """The packages of a lock by name, read from uv's lines and its comments `# via`."""
    return {
        found[1]: Locked(found[2], frozenset(_parents(found[0])))
        for found in _LOCKED.finditer(text)
    }


def _parents(entry: str) -> Iterator[str]:
    for line in entry.splitlines():
        comment = line.partition("#")[2].split("(")[0].strip().removeprefix("via")
        if comment.strip():
            yield comment.strip()


def needed(root: str, lock: Mapping[str, Locked]) -> dict[str, set[str]]:
    """What `root` needs, with what that needs itself, by name."""
    asked_for: dict[str, set[str]] = {root: set()}
    waiting = [root]
    while waiting:
        parent = waiting.pop()
        for name, locked in lock.items():
            if parent in locked.parents:
                asked_for[parent].add(name)
                if name not in asked_for:
                    asked_for[name] = set()
                    waiting.append(name)
    return asked_for


def sbom(project: Mapping[str, str], lock: Mapping[str, Locked], images: Sequence[str]) -> str:
    """The SBOM of one distribution in the JSON of CycloneDX, without date or random number, so that
    it changes with its content only."""
    name = project["name"]
    asked_for = needed(name, lock)
    packages = {
        each: _package(each, lock[each].version) for each in sorted(asked_for.keys() - {name})
    }
    deployed = [_image(image) for image in images]
    licences = [{"license": {"id": project["license"]}}]
    itself = {**_package(name, project["version"]), "licenses": licences}
    known = {**packages, name: itself}
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": itself},
        "components": [*packages.values(), *deployed],
        "dependencies": [
            {
                "ref": known[parent]["bom-ref"],
                "dependsOn": [
                    *(packages[each]["bom-ref"] for each in sorted(children)),
                    *(each["bom-ref"] for each in deployed if parent == name),
                ],
            }
            for parent, children in sorted(asked_for.items())
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _package(name: str, version: str) -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{version}"
    return {"type": "library", "name": name, "version": version, "bom-ref": purl, "purl": purl}


def _image(image: str) -> dict[str, Any]:
    name, _, tag = image.partition(":")
    registry, _, path = name.partition("/")
    purl = f"pkg:docker/{path}@{tag}?repository_url={registry}"
    return {"type": "container", "name": name, "version": tag, "bom-ref": purl, "purl": purl}


def generated() -> dict[Path, str]:
    """The text of each SBOM, by path."""
    lock = read_lock((ROOT / "requirements.lock").read_text())
    return {
        ROOT / folder / "sbom.cdx.json": sbom(
            tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"], lock, images
        )
        for folder, images in _DEPLOYED.items()
    }


def main(arguments: Sequence[str]) -> int:
    """Write the SBOMs, or with --check name the stale ones; returns the exit status."""
    wanted = generated()
    stale = [p for p, text in wanted.items() if not p.exists() or p.read_text() != text]
    for path in stale:
        if "--check" in arguments:
            sys.stderr.write(f"{path} is stale: make docs\n")
        else:
            path.write_text(wanted[path])
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
