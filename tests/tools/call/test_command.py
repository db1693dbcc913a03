"""The command's face: mistakes, the missing extra, colours."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from grpc_platform_tools.cli import app
from tests.tools.call.greeter import grpc_server


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("http://greeter.test",), "give HOST[:PORT]"),
        (("::1",), "give HOST[:PORT]"),
        ((":8080",), "the host is missing"),
        (("greeter.test:http",), "the port must be a number from 1 to 65535"),
        (("greeter.test:65536",), "the port must be a number from 1 to 65535"),
        (("greeter.test:" + "9" * 5000,), "the port must be a number from 1 to 65535"),
        (("a..b",), "'a..b' is no DNS name"),
        (("a b.test",), "'a b.test' is no DNS name"),
        (("gr\u00fc\u00dfe.test",), "(others as xn--...)"),
        (("a" * 64 + ".test",), "is no DNS name"),
        ((".".join(["a" * 60] * 5), "--resolver", "127.0.0.1"), "is no DNS name"),
        (("127.0.0.1", "--authority", ""), "--authority '': give NAME or NAME:PORT"),
        (("127.0.0.1:8443", "--authority", ":443"), "--authority ':443': give NAME"),
        (("127.0.0.1:8443", "--authority", ".test"), "--authority '.test': give NAME"),
        (("127.0.0.1", "--authority", "a\nb"), "--authority 'a\\nb': give NAME"),
        (("127.0.0.1", "--authority", "[::1]:80"), "--authority '[::1]:80': give NAME"),
        (("127.0.0.1", "--authority", "a.test:0"), "--authority 'a.test:0': give NAME"),
        (("a.test", "--resolver", "ns.test"), "--resolver ns.test: give the IPv4 address"),
        (("a.test", "--timeout", "0"), "--timeout 0: give seconds"),
        (("a.test", "--timeout", "nan"), "--timeout nan: give seconds"),
        (("a.test", "Greet"), "Greet: give the method as package.Service/Method"),
        (("a.test", "a.Greeter/Greet", "--data", "{"), "--data is not JSON"),
        (("a.test", "a.Greeter/Greet", "--data", "[]"), "--data must be a JSON object"),
        (("a.test", "a.Greeter/Greet", "--data", "[" * 100_000), "--data is not JSON"),
        (("a.test", "--data", '{"a": 1}'), "--data is the request of a METHOD"),
        (("a.test", "a.Greeter/Greet", "--list"), "leave METHOD out"),
        (("127.0.0.1", "--ca", "ca.pem"), "--ca ca.pem: this call is in plaintext"),
        (
            ("127.0.0.1", "--tls", "--ca", "/nowhere.pem"),
            "--ca /nowhere.pem: no certificates",
        ),
    ],
)
def test_a_mistake_is_one_line_and_status_2(arguments: tuple[str, ...], told: str) -> None:
    result = CliRunner().invoke(app, ["call", *arguments])
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_request_that_does_not_fit_the_method_is_a_mistake() -> None:
    with grpc_server() as port:
        command = ["call", f"127.0.0.1:{port}", "test.v1.Greeter/Greet", "--data", '{"nam": ""}']
        result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "--data does not fit test.v1.Name" in result.stderr
    assert result.stderr.count("\n") == 1


def test_without_the_extra_one_line_says_what_to_install() -> None:
    program = (
        "import sys\nsys.modules['dns'] = None\n"
        "from grpc_platform_tools.cli import app\napp(['call', 'greeter.test'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        "grpc-platform call needs more packages: pip install 'grpc-platform-tools[call]'\n"
    )


def test_help_and_a_mistake_load_none_of_the_libraries() -> None:
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom grpc_platform_tools.cli import app\n"
        "for arguments in (['--help'], ['call', '--help'], ['call', 'a:b']):\n"
        "    CliRunner().invoke(app, arguments)\n"
        "sys.exit(any(name in sys.modules for name in ('grpc', 'dns', 'google.protobuf')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_port_decides_whether_tls_is_used() -> None:
    for host, where in {
        "127.0.0.9": "127.0.0.9:8080 in plaintext",
        "127.0.0.9:443": "127.0.0.9:443 over TLS",
        "127.0.0.9:8443": "127.0.0.9:8443 over TLS",
    }.items():
        assert CliRunner().invoke(app, ["call", host]).stdout.startswith(where)
    said = CliRunner().invoke(app, ["call", "127.0.0.9", "--tls"]).stdout
    assert said.startswith("127.0.0.9:8443 over TLS")


def test_the_call_does_not_go_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps before it did not either."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with grpc_server() as port:
        result = CliRunner().invoke(app, ["call", f"127.0.0.1:{port}", "--timeout", "10"])
    assert result.exit_code == 0, result.output


def test_colours_are_for_a_terminal_that_wants_them() -> None:
    def run(**environment: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "grpc_platform_tools", "call", f"127.0.0.1:{port}"],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    with grpc_server() as port:
        assert "\x1b[32mHTTP/2" in run(FORCE_COLOR="1", NO_COLOR="")
        assert "\x1b[3" not in run(FORCE_COLOR="1", NO_COLOR="1")
        assert "\x1b" not in run(PYTHONIOENCODING="ascii", COLUMNS="30")
