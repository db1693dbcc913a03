"""From a manifest to the launcher's plans."""

from pathlib import Path

import pytest

from testbed.node_agent import Json, plan
from testbed.node_agent.env import ConfigError


def pod(**spec: object) -> Json:
    return {"metadata": {"name": "web-1", "namespace": "apps"}, "spec": spec}


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    (tmp_path / "contour").touch()
    (tmp_path / "greeter").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"command": ["contour", "serve"], "args": ["-c"]}, ["/parts/contour", "serve", "-c"]),
        ({"command": ["/bin/contour"]}, ["/parts/contour"]),
        ({"image": "a.example/b/greeter:v1@sha256:0", "args": ["x"]}, ["/parts/greeter", "x"]),
        ({"command": ["sh", "-c", "$(SAY)"]}, ["sh", "-c", "hello"]),
        ({"command": ["/app/run"]}, ["/app/run"]),
    ],
)
def test_the_command_or_else_the_image_names_the_executable(
    parts: Path, container: Json, expected: list[str]
):
    assert plan.argv(container, {"SAY": "hello"}, parts) == expected


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("a.example/contour:v2", "/parts/contour:v2"),
        ("localhost:5000/contour:v2@sha256:0", "/parts/contour:v2"),
        ("a.example/contour:v1", "/parts/contour"),
        ("localhost:5000/contour", "/parts/contour"),
    ],
)
def test_a_part_may_stand_for_images_with_one_tag(parts: Path, image: str, expected: str):
    (parts / "contour:v2").touch()
    container = {"image": image, "command": ["contour", "serve"]}
    assert plan.argv(container, {}, parts) == [expected, "serve"]
    assert plan.argv({"image": image}, {}, parts) == [expected]


@pytest.mark.parametrize(
    "container", [{"image": "a.example/other:1"}, {"command": ["no-such-program"]}]
)
def test_an_executable_that_is_nowhere_is_waited_for(parts: Path, container: Json):
    with pytest.raises(plan.MissingPart, match="no executable"):
        plan.argv(container, {}, parts)


def test_the_containers_identity_wins_over_the_pods():
    both = pod(securityContext={"runAsUser": 1, "runAsGroup": 2, "fsGroup": 3})
    who = plan.credentials(both, {"securityContext": {"runAsUser": 9}})
    assert (who["uid"], who["gid"], who["groups"]) == (9, 2, [3])


def test_root_is_refused_where_the_manifest_forbids_it():
    with pytest.raises(ConfigError, match="runAsNonRoot"):
        plan.credentials(pod(securityContext={"runAsNonRoot": True, "runAsUser": 0}), {})
    assert plan.credentials(pod(securityContext={"runAsNonRoot": True}), {})["uid"] == 65532


def test_capabilities_are_the_runtimes_default_with_the_manifests_changes():
    def kept(**changes: list[str]) -> list[str]:
        return plan.credentials(pod(), {"securityContext": {"capabilities": changes}})[
            "capabilities"
        ]

    assert "CHOWN" in kept()
    assert "SYS_ADMIN" not in kept()
    assert kept(drop=["ALL"]) == []
    assert kept(drop=["ALL"], add=["NET_BIND_SERVICE"]) == ["NET_BIND_SERVICE"]
    assert "SYS_PTRACE" in kept(add=["CAP_SYS_PTRACE"])


def test_volumes_of_data_are_read_only_whatever_the_mount_says(tmp_path: Path):
    volumes: list[Json] = [{"name": "c", "configMap": {}}, {"name": "e", "emptyDir": {}}]
    spec = pod(volumes=volumes)
    mounts = [{"name": "c", "mountPath": "/c/"}, {"name": "e", "mountPath": "/e"}]
    binds = plan.volume_binds(spec, {"volumeMounts": mounts}, {}, tmp_path, tmp_path / "log")
    assert {bind["target"]: bind["read_only"] for bind in binds} == {
        "/c": True,
        "/e": False,
        "/dev/termination-log": False,
    }


def test_a_sub_path_expands_and_is_made_in_an_empty_directory(tmp_path: Path):
    volumes: list[Json] = [{"name": "e", "emptyDir": {}}, {"name": "c", "configMap": {}}]
    spec = pod(volumes=volumes)
    mount = {"name": "e", "mountPath": "/e", "subPathExpr": "of/$(WHO)"}
    binds = plan.volume_binds(spec, {"volumeMounts": [mount]}, {"WHO": "me"}, tmp_path, tmp_path)
    assert binds[0]["source"] == str(tmp_path / "e/of/me")
    assert Path(binds[0]["source"]).is_dir()
    mount = {"name": "c", "mountPath": "/c", "subPath": "none"}
    with pytest.raises(ConfigError, match="has no 'none'"):
        plan.volume_binds(spec, {"volumeMounts": [mount]}, {}, tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {},
            "nameserver 10.96.0.10\n"
            "search apps.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n",
        ),
        (
            {
                "dnsPolicy": "None",
                "dnsConfig": {"nameservers": ["1.2.3.4"], "options": [{"name": "use-vc"}]},
            },
            "nameserver 1.2.3.4\noptions use-vc\n",
        ),
        (
            {"dnsConfig": {"options": [{"name": "ndots", "value": "1"}], "searches": ["x.y"]}},
            "nameserver 10.96.0.10\n"
            "search apps.svc.cluster.local svc.cluster.local cluster.local x.y\noptions ndots:1\n",
        ),
    ],
)
def test_resolv_conf_follows_the_dns_policy(spec: Json, expected: str):
    who = plan.credentials(pod(), {})
    files = plan.etc_files(pod(**spec), who, "10.0.0.9", "10.96.0.10", "cluster.local")
    assert files["/etc/resolv.conf"] == expected


def test_hosts_name_the_pod_and_its_aliases():
    spec = pod(
        hostname="a", subdomain="b", hostAliases=[{"ip": "10.1.1.1", "hostnames": ["x", "y"]}]
    )
    hosts = plan.etc_files(spec, plan.credentials(spec, {}), "10.0.0.9", "d", "cluster.local")[
        "/etc/hosts"
    ]
    assert "10.0.0.9 a.b.apps.svc.cluster.local a\n" in hosts
    assert "10.1.1.1 x y\n" in hosts


def test_a_part_that_is_a_link_is_shown_with_its_target(tmp_path: Path):
    built = tmp_path / "cache/contour"
    built.parent.mkdir()
    built.touch()
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "contour").symlink_to(built)
    (parts / "folder").symlink_to(built.parent)
    (parts / "gone").symlink_to(tmp_path / "none")
    binds = plan.own_binds(parts)
    for shown in (built, built.parent):
        assert {"source": str(shown), "target": str(shown), "read_only": True} in binds
    assert all(Path(bind["source"]).exists() for bind in binds)
