"""The policies under the real engine, with the policy.yaml of this repository's program."""

from pathlib import Path

from grpc_platform_tools.policy.crossguard import serve

serve(Path(__file__).resolve().parents[1])
