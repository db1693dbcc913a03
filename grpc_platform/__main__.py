"""`python -m grpc_platform`: the same command from any checkout."""

from grpc_platform.cli import app

app(prog_name="grpc-platform")
