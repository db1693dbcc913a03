"""`grpc-platform rights`: what a stack's deployer and previewer must be allowed, as files."""

import json
from pathlib import Path

from rich.console import Console

from grpc_platform_tools.errors import UserError
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.manifests import clusters, yaml_text
from grpc_platform_tools.preview.stack_file import read_project, read_stack_file
from grpc_platform_tools.progress import progress
from grpc_platform_tools.rights.iam import iam_policy
from grpc_platform_tools.rights.rbac import rbac

ROLES = {"deployer": True, "previewer": False}
"""The roles, and whether each may change anything."""


def run_rights(stack: str, directory: Path, output: Path | None) -> None:
    """Write the rights for `stack` of the program in `directory`, and name the files.

    Raises whatever carries `problems` (grpc_platform_tools.errors) instead of printing it.
    """
    project, _ = read_project(directory)
    stack_file = read_stack_file(directory, stack)
    with progress(f"previewing {stack}"):
        from grpc_platform_tools.preview.program import run_program

        graph = run_program(directory, stack, stack_file)
    region = stack_file.config.get("aws:region")
    target = output or directory / "build" / "rights" / stack
    console = Console(highlight=False)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, text in rights(graph, f"{project}-{stack}", region).items():
            (target / name).write_text(text)
            console.print(f"Wrote {target / name}", markup=False, soft_wrap=True)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}") from error


def rights(graph: Graph, name: str, region: str | None) -> dict[str, str]:
    """The files by name: for each role a policy of IAM, and Kubernetes objects for each cluster.

    `name` begins the names of the roles in Kubernetes.
    """
    files: dict[str, str] = {}
    for role, write in ROLES.items():
        if policy := iam_policy(graph, region, write=write):
            files[f"{role}-iam.json"] = json.dumps(policy, indent=2) + "\n"
        for provider, cluster in clusters(graph).items():
            objects = rbac(graph, provider, f"{name}-{role}", write=write)
            files[f"{role}-{cluster}.yaml"] = "---\n".join(map(yaml_text, objects))
    return files
