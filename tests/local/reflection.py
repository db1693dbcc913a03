"""Prints the services that a gRPC server lists by reflection: `reflection TARGET`."""

import sys

import grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

if __name__ == "__main__":
    with grpc.insecure_channel(sys.argv[1]) as channel:
        print(*ProtoReflectionDescriptorDatabase(channel).get_services())
