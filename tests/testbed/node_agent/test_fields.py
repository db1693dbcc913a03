"""Exactly the fields that are not honoured are reported."""

from testbed.node_agent import Json, fields


def pod(container: Json | None = None, **spec: object) -> Json:
    main: Json = {"name": "main", "image": "x", **(container or {})}
    return {"metadata": {"name": "p"}, "spec": {"containers": [main], **spec}}


def test_an_ordinary_pod_is_honoured_whole():
    container: Json = {
        "command": ["a"],
        "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [{"containerPort": 80}],
        "readinessProbe": {"grpc": {"port": 1}},
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "resources": {"requests": {"cpu": "1"}},
        "securityContext": {"readOnlyRootFilesystem": True, "privileged": False},
        "volumeMounts": [{"name": "e", "mountPath": "/e"}],
    }
    volumes: list[Json] = [{"name": "e", "emptyDir": {}}, {"name": "c", "configMap": {"name": "c"}}]
    honoured = pod(
        container,
        volumes=volumes,
        hostNetwork=False,
        tolerations=[{"key": "a"}],
        topologySpreadConstraints=[{"maxSkew": 1}],
    )
    assert fields.not_honoured(honoured) == []


def test_fields_that_are_relied_on_are_told_with_the_container_and_the_reason():
    relied: Json = {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}, "tty": True}
    assert fields.not_honoured(pod(relied, hostNetwork=True)) == [
        "containers[main].resources.limits (processes share the machine without cgroups)",
        "containers[main].tty (there is no terminal)",
        "hostNetwork (pods here always have namespaces of their own)",
    ]


def test_an_unknown_field_is_reported():
    told = fields.not_honoured(pod({"newThing": {"a": 1}}, alsoNew=3))
    assert told == [
        "containers[main].newThing.a (unknown to this agent)",
        "alsoNew (unknown to this agent)",
    ]


def test_unavailable_volumes_are_reported():
    told = fields.not_honoured(pod(volumes=[{"name": "d", "hostPath": {"path": "/x"}}]))
    assert told == ["volumes[d] (the pod does not start: no such volumes here)"]


def test_the_list_for_people_names_every_field_that_is_not_honoured():
    listed = fields.describe()
    for path, why in fields.TABLE.items():
        if why and not path.startswith("initContainers"):
            assert path in listed
