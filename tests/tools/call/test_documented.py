"""docs/operations.md lists every diagnosis."""

import re

from tests.tree import ROOT

CODE = ROOT / "tools" / "grpc_platform_tools" / "call"


def test_the_documented_diagnoses_are_those_of_the_code() -> None:
    source = "".join(file.read_text() for file in CODE.glob("diagnose*.py"))
    page = (ROOT / "docs" / "operations.md").read_text()
    section = page.partition("\n## A call fails\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    documented = [code for cell in cells for code in re.findall(r"`([\w-]+)`", cell)]
    assert sorted(documented) == sorted(set(re.findall(r'code="([\w-]+)"', source)))
