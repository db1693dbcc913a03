"""Building parts, with a stand-in for Go that fails like a real one."""

import errno
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from testbed.cluster import build, parts
from testbed.cluster.build import Builder
from testbed.cluster.errors import LocalError
from testbed.cluster.parts import GoPart, Patch

GOOD = """
case $GOTMPDIR in */cache/work/*) test -d $GOTMPDIR || exit 1 ;; *) exit 1 ;; esac
case $GOPATH in */cache/*) mkdir -p $GOPATH/pkg/sumdb ;; *) exit 1 ;; esac
case $1 in
  mod) mkdir -p module/provider/factory; printf '%s\\n' "$FACTORY" > module/provider/factory/provider.go
    chmod 444 module/provider/factory/provider.go; echo '"Dir": "'$PWD'/module",'
    echo '"GoMod": "'$PWD'/kubernetes.mod",'; printf '\\tk8s.io/api => ./staging/src/k8s.io/api\\n' > kubernetes.mod ;;
  list) echo example/a; echo example/b ;;
  build) rm -rf "$SEEN"; cp -r . "$SEEN"; shift; while [ $# -gt 0 ]; do [ "$1" = -o ] && echo built > "$2"; shift; done
    echo example/a >&2; echo example/b >&2 ;;
esac
"""  # noqa: E501
FACTORY = """\
import (
\t"sigs.k8s.io/external-dns/provider"
\t"sigs.k8s.io/external-dns/provider/aws"
\t"sigs.k8s.io/external-dns/provider/awssd"
\t"sigs.k8s.io/external-dns/provider/azure"
)
\t\texternaldns.ProviderAWS:          aws.New,
\t\texternaldns.ProviderAWSSD:        awssd.New,
\t\texternaldns.ProviderAzurePrivate: azure.NewPrivate,
"""
Go = Callable[..., Builder]


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Go]:
    """Builders of nothing on PATH whose Go is a shell script."""
    program = tmp_path / "go"
    builders: list[Builder] = []

    def with_script(script: str, wanted: Sequence[GoPart] = parts.GO_PARTS) -> Builder:
        text = f"#!/bin/sh\n{script}"
        if not (program.exists() and program.read_text() == text):  # it may be running
            program.write_text(text)
            program.chmod(0o755)
        monkeypatch.setenv("FACTORY", FACTORY)
        monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
        monkeypatch.setattr(parts, "go_program", lambda: program)
        monkeypatch.setattr(parts, "on_path", mock.Mock(return_value=None))
        builders.append(Builder(tmp_path / "cache", wanted=wanted))
        return builders[-1]

    yield with_script
    for builder in builders:
        builder.stop()


def test_every_part_is_built_and_kept(go: Go, tmp_path: Path) -> None:
    builder = go(GOOD)
    builder.start()
    for part in parts.GO_PARTS:
        assert builder.result(part.name, 30).read_text() == "built\n"
        assert builder.result(part.name).parent.name == part.key
    assert not builder.unfinished
    while (tmp_path / "cache/work").exists():  # of Go's caches the last to go
        time.sleep(0.01)
    kept = {part.key for part in parts.GO_PARTS}
    assert {path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()} == kept


def test_another_version_is_built_with_its_own_libraries_and_kept_beside(
    go: Go, tmp_path: Path
) -> None:
    other = parts.external_dns(
        {"k8s.io/kubernetes": "v1.99.1", "sigs.k8s.io/external-dns": "v9.8.7"},
        replaced=(("example.org/gone", "v3.2.1"),),
    )
    for wanted in (parts.external_dns(), other):
        builder = go(GOOD, [wanted])
        builder.start()
        builder.result(wanted.name, 30)
        builder.stop()
        assert (tmp_path / "cache" / wanted.key / wanted.name).exists()
    written = (tmp_path / "seen" / "go.mod").read_text()
    assert "sigs.k8s.io/external-dns v9.8.7" in written
    assert "k8s.io/api => k8s.io/api v0.99.1" in written
    assert "example.org/gone => example.org/gone v3.2.1" in written
    assert "projectcontour" not in written


def test_two_that_build_at_once_disturb_each_other_in_nothing(go: Go, tmp_path: Path) -> None:
    module, cache, hold = (tmp_path / name for name in ("module", "cache", "hold"))
    module.mkdir()
    for name in ("main.go", "go.mod", "go.sum"):
        (module / name).touch()
    hold.touch()
    own = GoPart(name="own", version="1", package=".", module=module)
    script = f"""
    case "$1 $PWD" in
      list*/own) echo >> listed; while [ -e {hold} ]; do sleep 0.01; done ;;
      build*/own) [ "$(wc -l < listed)" = 1 ] && [ -d $GOPATH ] || exit 1 ;;
    esac
    {GOOD}"""
    first, another, all_others = go(script, [own]), go(script, [own]), go(script)
    for builder in (first, another, all_others):
        builder.start()
    for part in parts.GO_PARTS:
        all_others.result(part.name, 30)
    while len(list((cache / "work").iterdir())) > 2:  # it is done
        time.sleep(0.01)
    assert (cache / "go-path").exists(), "the first still needs it"
    hold.unlink()
    for builder in (first, another):
        assert builder.result("own", 30).read_text() == "built\n"
    while (cache / "work").exists():
        time.sleep(0.01)


def test_a_module_of_our_own_is_built_alone_and_again_when_it_changes(
    go: Go, tmp_path: Path
) -> None:
    module = tmp_path / "module"
    module.mkdir()
    for name in ("main.go", "go.mod", "go.sum"):
        (module / name).write_text(name)
    part = GoPart(name="own", version="1", package=".", module=module)
    builder = go(
        f'test "$(cat main.go go.mod go.sum)" = main.gogo.modgo.sum || exit 1\n{GOOD}', [part]
    )
    builder.start()
    built = builder.result("own", 30)
    builder.stop()
    assert [progress.part for progress in builder.progress()] == ["own"]
    assert (tmp_path / "cache/work").exists()  # the other parts may be under way
    (module / "main.go").write_text("changed")
    assert built.parent.name != part.key


def test_external_dns_is_built_with_its_aws_provider_alone(go: Go, tmp_path: Path) -> None:
    external_dns = parts.GO_PARTS[-1]
    builder = go(GOOD, [external_dns])
    builder.start()
    builder.result("external-dns", 30)
    work = tmp_path / "seen"
    assert "\tsigs.k8s.io/external-dns => ./patched\n" in (work / "go.mod").read_text()
    assert (work / "patched/provider/factory/provider.go").read_text().splitlines() == [
        "import (",
        '\t"sigs.k8s.io/external-dns/provider"',
        '\t"sigs.k8s.io/external-dns/provider/aws"',
        ")",
        "\t\texternaldns.ProviderAWS:          aws.New,",
        "",
    ]


def test_a_version_without_the_lines_to_leave_out_is_refused(
    go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = go(GOOD, [parts.GO_PARTS[-1]])
    monkeypatch.setenv("FACTORY", "rewritten upstream")
    builder.start()
    with pytest.raises(LocalError, match=r"external-dns.*: no line of provider/factory"):
        builder.result("external-dns", 30)


def test_a_part_is_built_again_when_its_flags_or_its_patch_change() -> None:
    patch = Patch(module="example@v1", file="a.go", without="b")
    part = GoPart(name="own", version="1", package="example", patch=patch)
    others = [
        replace(part, stamp=(("main.version", "2"),)),
        replace(part, patch=replace(patch, without="c")),
        replace(part, patch=replace(patch, module="example@v2")),
    ]
    assert len({part.key, *(other.key for other in others)}) == 4


def test_what_is_kept_is_not_built_again(go: Go) -> None:
    first = go(GOOD)
    first.start()
    for part in parts.GO_PARTS:
        first.result(part.name, 30)
    second = go("exit 1")
    second.start()
    assert [progress.state for progress in second.progress()] == ["ready"] * len(parts.GO_PARTS)


def test_what_another_installed_is_used_where_it_is(go: Go, tmp_path: Path) -> None:
    installed = tmp_path / "plugins" / "own"
    part = GoPart(name="own", version="1", package=".", module=tmp_path, installed=installed)
    installed.parent.mkdir()
    installed.touch()
    builder = go("exit 1", [part])
    builder.start()
    assert builder.result("own", 30) == installed


def test_without_a_go_what_cannot_be_built_is_named(
    go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = GoPart(name="own", version="1.2.3", package=".", module=tmp_path)
    builder = go(GOOD, [part])
    monkeypatch.setattr(parts, "go_program", lambda: tmp_path / "none")
    with pytest.raises(LocalError, match=r"neither own 1\.2\.3 here nor a Go"):
        builder.start()


@pytest.mark.parametrize("where", ["", ">&2"])
@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("dial tcp: lookup proxy.example: no such host", "could not be fetched"),
        ("reading https://proxy.example/x.mod: 403 Forbidden", "could not be fetched"),
        ("write $WORK/b001/_pkg_.a: no space left on device", "disk was full"),
        ("./main.go:3:1: undefined: plugin", "could not be built"),
    ],
)
def test_a_failed_build_names_its_cause_and_its_log(
    go: Go, said: str, cause: str, where: str
) -> None:
    builder = go(f"echo '{said}' {where}; exit 1")
    builder.start()
    with pytest.raises(LocalError, match=cause) as caught:
        builder.result("kube-apiserver", 30)
    assert said in caught.value.log_end()
    builder.stop()


def test_a_disk_that_fills_while_something_is_built_is_named(
    go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Builder, "_read", write)
    builder = go(GOOD)
    builder.start()
    with pytest.raises(LocalError, match="disk was full") as caught:
        builder.result("kube-apiserver", 30)
    assert str(tmp_path / "cache") in str(caught.value.advice)


def test_stopping_ends_the_running_build_and_its_compilers(go: Go, tmp_path: Path) -> None:
    note = tmp_path / "compiler"
    builder = go(f"case $1 in mod) sleep 600 & echo $! > {note}; wait ;; esac")
    builder.start()
    while not (note.exists() and note.read_text()):
        time.sleep(0.01)
    builder.stop()
    with pytest.raises(LocalError, match="was stopped"):
        builder.result("kube-apiserver", 10)
    assert builder.unfinished
    compiler = Path("/proc", note.read_text().strip(), "stat")
    while compiler.exists() and " Z " not in compiler.read_text():
        time.sleep(0.01)


def test_a_disk_too_small_is_reported_before_anything_is_built(
    go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=10**9)
    monkeypatch.setattr(build.shutil, "disk_usage", mock.Mock(return_value=usage))
    with pytest.raises(LocalError, match="GiB free"):
        go(GOOD).start()


def test_a_go_mod_replaces_every_library_that_kubernetes_holds_itself() -> None:
    kubernetes = "replace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n)\n"
    text = parts.go_mod(parts.GO_PARTS[0], kubernetes)
    minor = parts.KUBERNETES.split(".", 1)[1]
    assert f"\tk8s.io/api => k8s.io/api v0.{minor}" in text
    for module, version in parts.MODULES.items():
        assert f"\t{module} {version}" in text


def test_a_program_on_path_is_used_in_its_very_version_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "true"
    shutil.copy(shutil.which("true") or "", program)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = program.parent / "version"
    said.write_text("")
    version = "1.35.4"

    def says(version: str) -> None:
        done = parts.subprocess.CompletedProcess([], 0, f"Kubernetes v{version}", "")
        monkeypatch.setattr(parts.subprocess, "run", mock.Mock(return_value=done))

    says("1.35.40")
    assert parts.on_path("true", version, ("--version",)) is None
    says(version)
    assert parts.on_path("true", version, ("--version",)) == program
