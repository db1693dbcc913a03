"""Values for hostile files: right ones at their limits, and absurd ones."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Yaml:
    """A piece of YAML, which is written as it is."""

    text: str


_LABEL = "a" * 63
_NAME = ".".join(["b" * 63] * 3 + ["c" * 61])
_DIGEST = f"sha256:{'a' * 64}"
TEXTS = [
    # names
    *("x", "X", "0", "-", ".", "a-", "-a", "a.b", "a..b", "a b", "a_b", "A" * 63, _LABEL, "a" * 64),
    *(_NAME, f"x.{_NAME}", "a" * 300, "a" * 100_000, "xn--a", "*.grpc.example.com", "grpc.test."),
    *("greeter", "serving", "calling", "dev", "local", "payments", "default", "kube-system"),
    *("projectcontour", "external-dns", "greeter.grpc.dev.example.com", "x.grpc.prod.example.com"),
    *(
        f"{_LABEL}.grpc.test",
        "dev.grpc.dev.example.com",
        "127.0.0.1",
        "::1",
        "spot",
        "none",
        "json",
    ),
    # times and quantities
    *("0s", "1ms", "0.4ms", "30s", "5m", "7m", "99h", "8784h", "8785h", "99999999h", "1e9s", "-5m"),
    *("9" * 400 + "h", "1" * 5000 + "s", f"0.{'1' * 5000}s", "1h" * 5000, "٣s", "infinity", "5 m"),
    *("1m", "500m", "1", "64", "2000", "2001", "999999999999", f"{'9' * 400}Gi", "1Ki", "1Mi"),
    *("67108864Mi", "65536Gi", "999999999999Gi", "0", "1.5", "1Gi"),
    # AWS
    *("10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/28", "0.0.0.0/0", "::/0", "10.0.0.1/8", "10.0.0.0/33"),
    *("255.255.255.255/32", "10.0.0.0/255.0.0.0", "010.0.0.0/8", "10.90.0.0/16", "10.20.0.0/20"),
    *("eu-west-1a", "eu-west-1b", "eu-west-1z", "us-gov-west-1a", "cn-north-1a", "eu-west-1"),
    *("vpc-0a", "sg-0a", "subnet-0a", "subnet-0b", "Z1", "ZABC", "123456789012", "٣" * 12),
    *("arn:aws:iam::123456789012:role/x", "r" * 64, f"{'p/' * 255}r", "r" * 65, "deployer"),
    *("m7g.xlarge", "m7g.large", "m7g.99xlarge", "t4g.large", "p5.48xlarge", "1.35.2-20260210"),
    *("ecr.api", "ecr.dkr", "ec2", "eks-auth", "route53", "s3", "com.amazonaws.eu-west-1.ec2"),
    # images and addresses
    *("mirror:5000/x:1", "x:1", f"x@{_DIGEST}", f"{'a' * 255}:{'b' * 128}", "\0:1", "a\u00a0b:1"),
    *(
        "😀:1",
        f"{'a' * 5000}:1",
        "http://x",
        "http://x\0y",
        "https://user:pass@x/?q#f",
        "http://[::1]",
    ),
    # keys of labels and tags
    *(f"example.com/{_LABEL}", f"{_NAME}/x", "a/b/c", "aws:x", "k" * 128, "v" * 256, "v" * 257),
    # what another program would obey
    *("", " ", "a\nb", "a\r\nb", "a\tb", " a", "a ", "\0", "\x1b[31m", "\x85", "\u2028", "\u202e"),
    *("\ufeff", "\ufffe", "é", "ß", "İ", "ﬀ", "a\u0301", "𝒳", "\ud800", "x: y", "x\nHost: evil"),
    *("x\r\nSet-Cookie: a=b", "../../etc/passwd", "/etc/passwd", "~", "%s", "{{.}}", "${HOME}"),
    *(
        "$(id)",
        "`id`",
        "'; drop",
        "<b>",
        "[x](y)",
        "|",
        "\\",
        '"',
        "#",
        "::error::x",
        "null",
        "true",
    ),
]
NUMBERS: list[Any] = [
    *(0, 1, -1, 2, 0.5, 1.0, 400, 450, 65535, 65536, 2**31, 2**32 - 1, 2**32, 2**53, 2**63, 2**64),
    *(10**30, 10**400, 1e308, -0.0, float("inf"), float("nan")),
]
CONTAINERS: list[Any] = [
    *(
        [],
        {},
        [None],
        [[]],
        [{}],
        ["x"],
        ["x", "x"],
        [_LABEL, "b"],
        {"": {}},
        {"x": {}},
        {"x": None},
    ),
    *({"a\nb": {"c\nd": 1}}, {_LABEL: {}}, {"existing": {}}, {"existing": None}, {"serves": False}),
    *(
        {"weights": {"x": 0}},
        {"weights": {"dev": 1}},
        {"secure": "v1:x:y"},
        {"x": {"secure": "v1"}},
    ),
    *({f"k{number}": {} for number in range(300)}, [f"k{number}" for number in range(300)]),
    *({f"k{number}": None for number in range(2)}, {"existing": {"context": "a\nb"}}),
]
PIECES = [
    Yaml(text)
    for text in (
        *(
            "*a",
            "&a x",
            "&a [*a]",
            "&a {b: *a}",
            "!!binary x",
            "!!binary aGk=",
            "!!set {x}",
            "!!int x",
        ),
        *(
            "!!int 08",
            "!!float .nan",
            ".nan",
            "-.inf",
            "!!bool x",
            "!!timestamp x",
            "!!omap [a: 1]",
        ),
        *("!!pairs [a: 1]", "!!str 1", "!!null x", "! 1", "!x y", "!!map []", "!x%0Ay z"),
        *("!!python/object/apply:os.system [id]", "!<tag:yaml.org,2002:int> 1", "!!js/function x"),
        *(
            "017",
            "0o17",
            "0b11",
            f"0x{'f' * 5000}",
            "1_0",
            "1:30",
            "2026-01-02",
            "1e999",
            "+1",
            "=",
        ),
        *(
            "<<",
            "? x",
            "{? [x] : y}",
            "{{a: b}: c}",
            "{[x]: y}",
            "{1: 2, a: b}",
            "{~: 1}",
            "{1.5: a}",
        ),
        *("{true: 1, 'true': 2}", "{1: a, '1': b}", "{<<: {size: 1}}", "{<<: [1]}", "{<<: 1}"),
        *("{a: 1, a: 2}", "[" * 500 + "]" * 500, "[" * 3000, "{a: " * 300 + "}" * 300, '"\\0"'),
        *('"\\ud800"', '"\\x80"', '"\\UFFFFFFFF"', "'", '"', "%", "@x", "`x", "a: b: c", "|\n  x"),
        *("|99\n x", "\n---\n", "\n...\n", "# x\n", "\t", "\0", "\ufeff", "]", "}", ","),
    )
]
ODD = [*NUMBERS, *TEXTS, *CONTAINERS, *PIECES, None, True, False]
KEYS = [*TEXTS, *PIECES, 1, "existing", "services", "zone", "<<"]
