"""A program that ends with `await_outputs` fails as one without it."""

from pathlib import Path

import pytest

from testbed.cluster.errors import LocalError
from tests.engine.conftest import Programs

_PROGRAM = """
import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
from grpc_platform import await_outputs

zone = aws.route53.Zone("zone", name="grpc.test")
"""
_FAILURES = {
    # There is no cluster to create it in.
    "resource": """
cluster = k8s.Provider("cluster", kubeconfig="{}")
k8s.core.v1.Namespace("a", opts=pulumi.ResourceOptions(provider=cluster))
""",
    "apply": "zone.arn.apply(lambda arn: arn.missing)\n",
    "program": "raise pulumi.RunError('refused')\n",
}


@pytest.mark.parametrize("failure", _FAILURES)
def test_the_end_of_a_program_changes_no_failure(
    failure: str, programs: Programs, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.mkdir()
    (program / "Pulumi.yaml").write_text("name: failing\nruntime: python\n")
    (program / "Pulumi.dev.yaml").write_text("{}\n")
    reasons: list[str] = []
    for end in ("", "pulumi.run(await_outputs)\n"):
        (program / "__main__.py").write_text(_PROGRAM + _FAILURES[failure] + end)
        engine = programs.home(tmp_path / "home").engine(program, "dev")
        with pytest.raises(LocalError) as caught:
            engine.up()
        reasons.append(caught.value.cause)
    assert reasons[0] == reasons[1]
