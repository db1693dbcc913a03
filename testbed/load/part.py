"""The load generator as a part for `testbed.cluster.build.Builder`."""

from pathlib import Path

from testbed.cluster.parts import GoPart

LOAD = GoPart(name="load", version="1", package=".", module=Path(__file__).parent)
