"""contour.yaml: the mission's five settings, the access log's fields, the circuit breakers that an
experiment chose, and nothing else."""

import re

import yaml

from grpc_platform.contour.access_log import JSON_FIELDS, TEXT_FORMAT
from grpc_platform.contour.config import contour_yaml
from grpc_platform.specs import ContourSpec
from tests.tree import ROOT


def test_by_default_contour_yaml_holds_these_settings_and_nothing_else() -> None:
    assert yaml.safe_load(contour_yaml(ContourSpec())) == {
        "disablePermitInsecure": False,
        "accesslog-format": "envoy",
        "accesslog-format-string": TEXT_FORMAT,
        "compression": {"algorithm": "disabled"},
        "timeouts": {
            "max-connection-duration": "5m",
            "connection-shutdown-grace-period": "15s",
        },
        "cluster": {
            "dns-lookup-family": "v4",
            "circuit-breakers": {"max-pending-requests": 10_000, "max-requests": 10_000},
        },
    }


def test_every_option_lands_under_the_key_contour_reads() -> None:
    # This very text was accepted by `contour serve` 1.33.8, which refuses keys it does not know.
    spec = ContourSpec.model_validate(
        {
            "disable_permit_insecure": True,
            "accesslog_format": "json",
            "accesslog_level": "error",
            "timeouts": {
                "max_connection_duration": "10m",
                "connection_shutdown_grace_period": "20s",
                "connection_idle_timeout": "1h",
                "stream_idle_timeout": "1h30m",
                "delayed_close_timeout": "1s",
                "connect_timeout": "250ms",
            },
            "cluster": {
                "dns_lookup_family": "all",
                "max_requests_per_connection": 10,
                "max_connections": 1,
                "max_pending_requests": 2,
                "max_requests": 3,
                "max_retries": 4,
            },
            "listener": {
                "connection_balancer": "exact",
                "max_requests_per_connection": 5,
                "http2_max_concurrent_streams": 100,
            },
            "network": {"num_trusted_hops": 1, "strip_trailing_host_dot": True},
        }
    )
    assert yaml.safe_load(contour_yaml(spec)) == {
        "disablePermitInsecure": True,
        "accesslog-format": "json",
        "json-fields": [f"{name}={operator}" for name, operator in JSON_FIELDS.items()],
        "accesslog-level": "error",
        "compression": {"algorithm": "disabled"},
        "timeouts": {
            "max-connection-duration": "10m",
            "connection-shutdown-grace-period": "20s",
            "connection-idle-timeout": "1h",
            "stream-idle-timeout": "1h30m",
            "delayed-close-timeout": "1s",
            "connect-timeout": "250ms",
        },
        "cluster": {
            "dns-lookup-family": "all",
            "max-requests-per-connection": 10,
            "circuit-breakers": {
                "max-connections": 1,
                "max-pending-requests": 2,
                "max-requests": 3,
                "max-retries": 4,
            },
        },
        "listener": {
            "connection-balancer": "exact",
            "max-requests-per-connection": 5,
            "http2-max-concurrent-streams": 100,
        },
        "network": {"num-trusted-hops": 1, "strip-trailing-host-dot": True},
    }


def test_every_field_is_documented_and_no_other() -> None:
    page = (ROOT / "docs" / "logs.md").read_text()
    assert re.findall(r"^\| `([@a-z_]+)` \|", page, re.MULTILINE) == list(JSON_FIELDS)


def test_the_text_is_one_line_and_begins_as_envoys_own() -> None:
    assert TEXT_FORMAT.startswith('[%START_TIME%] "%REQ(:METHOD)% ')
    assert TEXT_FORMAT.count("\n") == 1, "Contour refuses one without a newline at its end"
    assert TEXT_FORMAT.endswith("\n")


OPERATOR = re.compile(r"%(?:REQ\(:?(?:X-)?)?([A-Z_-]+)\)?%")


def test_a_field_has_the_name_of_what_envoy_logs_in_it() -> None:
    """So that whoever knows Envoy's operators or a header finds it. Envoy's START_TIME is what
    Elasticsearch and Loki take for the time of a line under the name @timestamp."""
    for name, operator in JSON_FIELDS.items():
        logged = OPERATOR.fullmatch(operator)
        assert logged
        named = logged[1].lower().replace("-", "_")
        assert name == {"start_time": "@timestamp"}.get(named, named)


def test_the_text_has_the_fields_that_the_page_says() -> None:
    page = " ".join((ROOT / "docs" / "logs.md").read_text().split())
    (told,) = re.findall(r"then `name=value` for (.*?)\. ", page)
    added = re.findall(r" ([a-z_]+)=(%\S+%)", TEXT_FORMAT)
    assert [name for name, _ in added] == re.findall(r"`([a-z_]+)`", told)
    assert all(JSON_FIELDS[name] == operator for name, operator in added)
