"""One command of the real engine, by Pulumi's Automation API, in a process of its own.

Standard input: the order, as `testbed.engine.home` writes it. Standard output: a JSON line for each
step of the plan or the update and for each message, and one more for the result. Exit status 1 with
a last line ``{"failed": ...}`` where the engine refused or an update failed.

The program runs inline: the engine calls back into this process in place of the Python language
host, which is not to be had here.
"""

import json
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pulumi import automation
from pulumi.automation import EngineEvent, OpType

Say = Callable[[str, Any], None]
_PASS_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR")


def main() -> int:
    order: dict[str, Any] = json.load(sys.stdin)
    # The program may print; what is said here is not to be mixed with that.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(kind: str, value: Any) -> None:
        out.write(json.dumps({kind: value}) + "\n")
        out.flush()

    kept = {key: os.environ[key] for key in _PASS_ON if key in os.environ}
    os.environ.clear()
    os.environ.update(kept | order["environment"])
    directory = Path(order["directory"])
    os.chdir(directory)
    components = directory / "components"
    # Before release 0.2 they were at the top.
    own = [str(components)] if (components / "grpc_platform").is_dir() else []
    # The testbed's own tree is not the program's.
    sys.path[:] = [str(directory), *own, *(p for p in sys.path if p != order["testbed"])]
    try:
        say("result", _run(order, directory, say))
    except automation.ConcurrentUpdateError as error:
        say("failed", {"kind": "locked", "said": str(error)})
    except automation.CommandError as error:
        say("failed", {"kind": "failed", "said": str(error)})
    else:
        return 0
    return 1


def _run(order: dict[str, Any], directory: Path, say: Say) -> Any:
    def program() -> None:
        runpy.run_path(str(directory / "__main__.py"), run_name="__main__")

    stack = automation.create_or_select_stack(
        stack_name=order["stack"],
        project_name=order["project"],
        program=program,
        opts=automation.LocalWorkspaceOptions(work_dir=str(directory)),
    )

    if order["events"]:
        _keep_events(Path(order["events"]))
    broken: list[Exception] = []

    def on_event(event: EngineEvent) -> None:
        try:
            _tell(event, say)
        except Exception as error:  # the Automation API would only warn of it, and go on
            broken.append(error)

    result = _command(stack, order, on_event)
    if broken:
        raise broken[0]
    return result


def _command(
    stack: automation.Stack, order: dict[str, Any], on_event: Callable[[EngineEvent], None]
) -> Any:
    match order["command"]:
        case "preview":
            stack.preview(
                on_event=on_event, refresh=order["refresh"], policy_packs=order["policy_packs"]
            )
        case "up":
            stack.up(on_event=on_event, show_secrets=False, refresh=order["refresh"])
        case "refresh":
            stack.refresh(on_event=on_event, show_secrets=False)
        case "destroy":
            stack.destroy(on_event=on_event, show_secrets=False)
        case "export":
            return stack.export_stack().deployment
        case "import":
            stack.import_stack(automation.Deployment(3, order["state"]))
        case other:
            raise ValueError(other)
    return None


def _keep_events(log: Path) -> None:
    """Write the engine's events as they are, as `--event-log` does: the Automation API keeps that
    file to itself."""
    events: Any = EngineEvent  # typed without what its values are
    read = events.from_json

    def keep(data: dict[str, Any]) -> EngineEvent:
        with log.open("a") as file:
            file.write(json.dumps(data) + "\n")
        return read(data)

    events.from_json = keep


def _tell(event: EngineEvent, say: Say) -> None:
    if found := event.resource_pre_event:
        step = found.metadata
        state = step.new or step.old
        say(
            "step",
            {
                "op": OpType(step.op).value,
                "urn": step.urn,
                "type": step.type,
                "custom": bool(state and state.custom),
                "parent": (state and state.parent) or None,
                "provider": step.provider.rpartition("::")[0] or None,
                "inputs": (state and state.inputs) or {},
                "differs": list(step.detailed_diff or step.diffs or ()),
                "replaces": list(step.keys or ()),
            },
        )
    elif summary := event.summary_event:
        say("changes", {OpType(op).value: n for op, n in summary.resource_changes.items()})
    elif (message := event.diagnostic_event) and message.severity in ("error", "warning"):
        say("message", {"severity": message.severity, "text": message.message.strip()})
    elif broken := event.policy_event:
        severity = "error" if broken.enforcement_level == "mandatory" else "warning"
        say("message", {"severity": severity, "text": broken.message.strip()})


if __name__ == "__main__":
    sys.exit(main())
