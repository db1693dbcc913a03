"""The load generator as a part for `grpc_platform.local.build.Builder`."""

from pathlib import Path

from grpc_platform.local.parts import GoPart

LOAD = GoPart(name="load", version="1", package=".", module=Path(__file__).parent)
