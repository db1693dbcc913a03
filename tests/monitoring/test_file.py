"""`python -m grpc_platform.monitoring` prints the same rules as the PrometheusRule has."""

import pytest
import yaml

from grpc_platform.monitoring.__main__ import main
from grpc_platform.monitoring.rules import groups


def test_the_file_has_the_rules_with_the_given_links(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runbook-url", "https://a/runbooks/", "--dashboard-url", "https://g"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed == {
        "groups": groups(runbook_url="https://a/runbooks", dashboard_url="https://g")
    }
