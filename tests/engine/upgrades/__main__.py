"""Upgrades tried under load: `python -m tests.engine.upgrades [NAME...]`, all of them unless named.

Each leaves docs/upgrades/NAME.json, the log of its steps; docs/upgrades.md has their table. They
need other versions built beside the testbed's own: the first run takes some 20 CPU-minutes more.
"""

import argparse
import contextlib
import sys
from collections.abc import Generator, Sequence

from experiments.lab import Lab, open_lab
from testbed.cluster import parts
from testbed.cluster.build import Builder
from testbed.cluster.errors import LocalError
from testbed.cluster.parts import GoPart
from testbed.engine.home import Home
from testbed.engine.parts import ENGINE_PARTS, KUBERNETES_PLUGIN, PULUMI
from testbed.load.part import LOAD
from tests.engine.conftest import FACTOR
from tests.engine.earlier import earlier_program, last_release
from tests.engine.platform import NOTHING, Platform, Recorded, deploy_first
from tests.engine.upgrades import others, sequences
from tests.engine.upgrades.log import save
from tests.engine.upgrades.sequences import CHANGED_IMAGES, change_images

_OTHERS = ("components", "kubernetes", "node-image")
_NODES = 3
_BUILT = {"contour": (others.CONTOUR_BEFORE,), "external-dns": (others.EXTERNAL_DNS_NEXT,)}
"""The programs of other versions that an upgrade needs; those of today's run with any other tag."""
_ENVOYS = {"contour": others.ENVOY_BEFORE, "envoy-next": others.ENVOY_NEXT}


def main(names: Sequence[str]) -> int:
    """Run these upgrades; 1 as soon as one fails or loses a call."""
    try:
        images = [name for name in names if name in CHANGED_IMAGES]
        if images or "components" in names:
            _on_one_node(images, components="components" in names)
        if "kubernetes" in names:
            _control_plane()
        if "node-image" in names:
            _nodes()
    except LocalError as error:
        sys.stderr.write("\n".join([error.cause, *error.log_end()]) + "\n")
        return 1
    return 0


def _on_one_node(images: Sequence[str], *, components: bool) -> None:
    more = [part for name in images for part in _BUILT.get(name, ())]
    with (
        _built(*more) as built,
        _built(*parts.GO_PARTS, LOAD, *ENGINE_PARTS) as builder,
        open_lab(builder, factor=FACTOR, quick=True) as lab,
    ):
        for part in more:
            lab.cluster.link(f"{part.name}:v{part.version}", built.result(part.name))
        for version in filter(None, map(_ENVOYS.get, images)):
            lab.cluster.link(f"envoy:distroless-v{version}", others.envoy(version))
        program = lab.program()
        if components:
            program = earlier_program(lab, last_release(), lab.directory / "earlier")
        platform = deploy_first(lab, _home(lab, builder), Recorded.of(program))
        lab.wait_for_name()
        if components:
            save("components", "the components", sequences.components(platform))
        for name in images:
            wanted = CHANGED_IMAGES[name]
            save(name, wanted.what, change_images(platform, wanted))


def _control_plane() -> None:
    before = {part.name for part in others.CONTROL_PLANE_BEFORE}
    kept = (part for part in parts.GO_PARTS if part.name not in before)
    with (
        _built(*others.CONTROL_PLANE_AFTER) as built,
        _built(*others.CONTROL_PLANE_BEFORE, *kept, LOAD, *ENGINE_PARTS) as builder,
        open_lab(builder, factor=FACTOR, quick=True, nodes=_NODES) as lab,
    ):
        platform = _platform(lab, builder, sequences.FEWER)
        log = sequences.kubernetes(platform, built, builder)
        save("kubernetes", "a minor version of Kubernetes: its control plane", log)


def _nodes() -> None:
    with (
        _built(*parts.GO_PARTS, others.SCHEDULER, LOAD, *ENGINE_PARTS) as builder,
        open_lab(builder, factor=FACTOR, quick=True, nodes=_NODES) as lab,
    ):
        platform = _platform(lab, builder, sequences.FLEET)
        save("node-image", "the nodes' image", sequences.node_image(platform))


def _platform(lab: Lab, builder: Builder, envoys: int) -> Platform:
    first = Recorded.of(lab.program(**sequences.sized(NOTHING, envoys)))
    platform = deploy_first(lab, _home(lab, builder), first)
    lab.wait_until_settled()
    return platform


@contextlib.contextmanager
def _built(*wanted: GoPart) -> Generator[Builder]:
    """These parts, which have a builder of their own: names of parts are unique in one."""
    builder = Builder(wanted=wanted)
    builder.start()
    try:
        for part in wanted:
            builder.result(part.name)
        yield builder
    finally:
        builder.stop()


def _home(lab: Lab, builder: Builder) -> Home:
    return Home(
        lab.directory / "home",
        pulumi=builder.result(PULUMI.name),
        plugin=builder.result(KUBERNETES_PLUGIN.name),
        cluster=lab.cluster,
    )


if __name__ == "__main__":
    known = [*CHANGED_IMAGES, *_OTHERS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    named = parser.parse_args().names
    if unknown := set(named) - set(known):
        parser.error(f"no such upgrade: {', '.join(sorted(unknown))}")
    sys.exit(main(named or known))
