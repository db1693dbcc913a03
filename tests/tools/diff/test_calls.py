"""The calls that an update loses because clients dial what is no longer there."""

from typing import Any

import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pytest

from tests.tools.diff.test_compare import change, diff, recording

LOST = "loses the calls to"


def service(
    *,
    host: str | None = "greeter.test",
    namespace: str = "default",
    port: int = 50051,
    tls: bool = False,
    only_tls: bool = False,
    name: str = "greeter",
) -> Any:
    """A Service, and for a host an Ingress to it."""

    def program() -> None:
        metadata: Any = {"name": "greeter", "namespace": namespace}
        ports: Any = {"ports": [{"port": port}]}
        k8s.core.v1.Service("service", metadata=metadata, spec=ports)
        if host is None:
            return
        backend: Any = {"service": {"name": "greeter", "port": {"number": port}}}
        path: Any = {"path": "/", "pathType": "Prefix", "backend": backend}
        annotations = {"kubernetes.io/ingress.allow-http": "false"} if only_tls else None
        spec: Any = {
            "rules": [{"host": host, "http": {"paths": [path]}}],
            "tls": [{"hosts": [host], "secretName": "s"}] if tls else None,
        }
        own: Any = {**metadata, "annotations": annotations}
        k8s.networking.v1.Ingress(name, metadata=own, spec=spec)

    return program


def lost(old: Any, new: Any) -> set[str]:
    """What the diff says of calls."""
    changes = diff(recording(old), recording(new)).resources
    return {note for change in changes for note in change.notes if note.startswith("loses")}


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"host": "other.test"}, f"{LOST} greeter.test"),
        ({"host": None}, f"{LOST} greeter.test"),
        ({"tls": True, "only_tls": True}, f"{LOST} greeter.test in plaintext"),
        (
            {"namespace": "elsewhere"},
            "loses calls to greeter.test for a moment: it moves to another namespace",
        ),
    ],
)
def test_what_clients_dial_is_gone(other: dict[str, Any], told: str) -> None:
    assert lost(service(), service(**other)) == {told}


def test_tls_is_gone() -> None:
    before = service(tls=True, only_tls=True)
    assert lost(before, service()) == {f"{LOST} greeter.test over TLS"}


def test_an_ingress_under_another_urn_serves_the_host() -> None:
    assert lost(service(), service(name="renamed")) == set()


def test_clients_of_a_service_without_an_ingress_dial_its_port() -> None:
    assert lost(service(host=None), service(host=None, port=8080)) == {f"{LOST} port 50051"}


def test_clients_of_an_ingress_do_not() -> None:
    (told,) = lost(service(), service(port=8080))
    assert told.startswith("loses calls for a moment")


def test_nothing_is_lost_of_what_is_added() -> None:
    assert lost(service(host=None), service(tls=True)) == set()
    assert lost(service(), service(tls=True)) == set()


@pytest.mark.parametrize(("sets", "refused"), [(("a", "a"), True), (("a", "b"), False)])
def test_a_record_that_is_created_before_the_same_one_is_deleted_is_refused(
    sets: tuple[str, str], refused: bool
) -> None:
    def cname(name: str, identifier: str) -> Any:
        return lambda: aws.route53.Record(
            name, zone_id="Z1", name="a.test", type="CNAME", ttl=30, set_identifier=identifier
        )

    found = diff(*(recording(cname(*each)) for each in zip(("old", "new"), sets, strict=True)))
    assert ("Route53 refuses it" in change(found, "new").refused) is refused
