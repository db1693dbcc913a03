"""`python -m grpc_platform_tools`: the same command from any checkout."""

from grpc_platform_tools.cli import app

app(prog_name="grpc-platform")
