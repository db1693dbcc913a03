"""The manifests of stack files that nobody would write, but that load, are what a real API server
takes."""

from pathlib import Path
from typing import Any

from hypothesis import given

from config.load import load_settings
from config.mistakes import ConfigError
from grpc_platform_tools.errors import UserError
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.record import record
from grpc_platform_tools.preview.stack_file import read_stack_file
from testbed.cluster.cluster import Cluster
from tests.hostile.cases import cases
from tests.hostile.stack_files import trees, written
from tests.local.test_manifests import apply_dry
from tests.tree import ROOT


@cases(12)
@given(trees(plausible=True))
def test_the_api_server_takes_the_manifests_of_an_extreme_stack_file(
    cluster: Cluster, tmp_path_factory: Any, case: tuple[str, Any]
) -> None:
    folder: Path = tmp_path_factory.mktemp("hostile")
    (folder / "Pulumi.yaml").write_text("name: grpc-platform\n")
    text = written(case[1], escaped=True)
    (folder / "Pulumi.dev.yaml").write_bytes(text.encode(errors="surrogatepass"))
    try:
        read = read_stack_file(folder, "dev")
        record(load_settings, config=read.config, secret_keys=read.secret_keys)
    except (UserError, ConfigError):
        return
    # `pulumi up` may have its region from the environment, a preview has not.
    if "aws:region" not in read.config:
        return
    graph = run_program(ROOT, "dev", read)
    # This API server has no CRDs of the Prometheus operator.
    apply_dry(cluster, Graph(tuple(r for r in graph if "monitoring.coreos.com" not in r.type)))
