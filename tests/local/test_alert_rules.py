"""Every alert fires for its reason, and not for what is next to it, by Prometheus's own promtool
and with the real durations."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from grpc_platform.monitoring.rules import alerts, groups
from testbed.cluster.build import Builder
from testbed.monitoring.parts import PROMTOOL
from tests.monitoring.cases import CASES, promtool_tests


@pytest.fixture(scope="module")
def promtool() -> Iterator[Path]:
    builder = Builder(wanted=(PROMTOOL,))
    builder.start()
    try:
        yield builder.result(PROMTOOL.name)
    finally:
        builder.stop()


def test_each_alert_fires_for_its_reason_and_only_then(promtool: Path, tmp_path: Path) -> None:
    severities = {alert.name: alert.severity for alert in alerts()}
    rules, tests = tmp_path / "rules.yaml", tmp_path / "tests.yaml"
    rules.write_text(yaml.safe_dump({"groups": groups()}))
    tests.write_text(yaml.safe_dump(promtool_tests(severities, rules.name)))
    for command in (["check", "rules", rules.name], ["test", "rules", tests.name]):
        said = subprocess.run(
            [promtool, *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert said.returncode == 0, said.stdout + said.stderr


def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    names = {alert.name for alert in alerts()}
    assert {case.alert for case in CASES if case.fires} == names
    assert {case.alert for case in CASES if not case.fires} == names
