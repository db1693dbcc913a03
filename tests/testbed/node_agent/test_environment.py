"""A container's environment variables."""

import base64

import pytest

from testbed.node_agent import Json
from testbed.node_agent.env import (
    ConfigError,
    Surroundings,
    environment,
    expand,
    field,
    quantity,
    resource,
)

AROUND = Surroundings("10.0.0.9", "10.0.0.1", "10.96.0.1", "443", 4.0, 8 * 2**30)
POD: Json = {
    "metadata": {
        "name": "web-1",
        "namespace": "apps",
        "uid": "u-1",
        "labels": {"app": "web", "tier": 'the "front"'},
    },
    "spec": {"nodeName": "local", "serviceAccountName": "web", "containers": []},
}
OBJECTS: dict[tuple[str, str], Json] = {
    ("configmaps", "settings"): {"data": {"LEVEL": "info", "PORT": "8080"}},
    ("secrets", "keys"): {"data": {"TOKEN": base64.b64encode(b"s3cret").decode()}},
}


def variables(**container: object) -> dict[str, str]:
    container = {"name": "main", **container}
    return environment(POD, container, lambda kind, name: OBJECTS.get((kind, name)), AROUND)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)-$(B)", "1-2"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A $ (A)", "$A $ (A)"),
    ],
)
def test_references_expand_as_kubernetes_documents_them(text: str, expected: str):
    assert expand(text, {"A": "1", "B": "2"}) == expected


def test_a_variable_refers_only_to_those_before_it():
    env = [
        {"name": "FIRST", "value": "$(SECOND)"},
        {"name": "SECOND", "value": "2"},
        {"name": "THIRD", "value": "<$(SECOND)>"},
    ]
    values = variables(env=env)
    assert values["FIRST"] == "$(SECOND)"
    assert values["THIRD"] == "<2>"


def test_env_wins_over_env_from_and_may_refer_to_it():
    values = variables(
        envFrom=[{"configMapRef": {"name": "settings"}, "prefix": "APP_"}],
        env=[{"name": "APP_LEVEL", "value": "debug, was $(APP_LEVEL)"}],
    )
    assert values["APP_PORT"] == "8080"
    assert values["APP_LEVEL"] == "debug, was info"


def test_secrets_are_decoded():
    source = {"secretKeyRef": {"name": "keys", "key": "TOKEN"}}
    assert variables(env=[{"name": "T", "valueFrom": source}])["T"] == "s3cret"


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"envFrom": [{"secretRef": {"name": "none"}}]}, 'secret "none" not found'),
        (
            {
                "env": [
                    {
                        "name": "A",
                        "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "x"}},
                    }
                ]
            },
            "couldn't find key x in configmap settings",
        ),
    ],
)
def test_a_reference_without_a_target_is_reported(container: Json, message: str):
    with pytest.raises(ConfigError) as told:
        variables(**container)
    assert str(told.value) == message


def test_optional_references_leave_nothing_behind():
    source = {"configMapKeyRef": {"name": "none", "key": "x", "optional": True}}
    values = variables(
        env=[{"name": "A", "valueFrom": source}],
        envFrom=[{"secretRef": {"name": "none", "optional": True}}],
    )
    assert "A" not in values


def test_the_api_server_is_named_by_its_real_address():
    values = variables()
    assert (values["KUBERNETES_SERVICE_HOST"], values["KUBERNETES_SERVICE_PORT"]) == (
        "10.96.0.1",
        "443",
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "web-1"),
        ("metadata.labels['app']", "web"),
        ("metadata.annotations['none']", ""),
        ("metadata.labels", 'app="web"\ntier="the \\"front\\""'),
        ("status.podIP", "10.0.0.9"),
        ("spec.nodeName", "local"),
    ],
)
def test_fields_of_the_pod(path: str, expected: str):
    assert field(POD, path, AROUND) == expected


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"resource": "limits.cpu"}, "2"),
        ({"resource": "limits.cpu", "divisor": "1m"}, "1500"),
        ({"resource": "limits.memory", "divisor": "1Mi"}, "8192"),
        ({"resource": "requests.cpu"}, "0"),
    ],
)
def test_resources_round_up_and_absent_limits_are_the_nodes(reference: Json, expected: str):
    container: Json = {"name": "main", "resources": {"limits": {"cpu": "1500m"}}}
    assert resource(POD, reference, container, AROUND) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("250m", 0.25), ("1.5", 1.5), ("64Mi", 64 * 2**20), ("1e3", 1000)]
)
def test_quantities(text: str, expected: float):
    assert quantity(text) == expected
