"""`make scan`: what checkov finds in the manifests of prod, and our answers.

A finding without an answer fails, and so does an answer to something that is no longer found.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

ROOT = Path(__file__).parents[1]
_ANSWERS = Path(__file__).with_name("answers.yaml")
_CHECKOV = Path(__file__).with_name(".venv") / "bin" / "checkov"
_MANIFESTS = ROOT / "build/preview/prod/manifests"


@dataclass(frozen=True, order=True)
class Finding:
    """One check that one object fails."""

    check: str
    """Its id, such as CKV_K8S_43."""
    object: str
    """Kind, namespace and name, with dots between them."""
    title: str = ""


class Answer(BaseModel):
    """Why the findings of one check are no faults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    objects: tuple[str, ...] = Field(min_length=1)
    """Patterns of objects; `*` stands for any text."""
    reason: str = Field(min_length=1)


def unanswered(findings: Sequence[Finding], answers: Sequence[Answer]) -> Iterator[str]:
    """One line for each finding without an answer, and for each pattern that matches no finding."""
    used: set[tuple[str, str]] = set()
    for finding in sorted(findings):
        answering = {
            (answer.check, pattern)
            for answer in answers
            for pattern in answer.objects
            if answer.check == finding.check and fnmatchcase(finding.object, pattern)
        }
        if not answering:
            yield f"{finding.check} {finding.object}: {finding.title}"
        used |= answering
    for answer in answers:
        for pattern in answer.objects:
            if (answer.check, pattern) not in used:
                yield f"{answer.check} {pattern}: is answered in {_ANSWERS.name}, but not found"


def read_answers(text: str) -> list[Answer]:
    """The answers of a file in YAML."""
    return [Answer.model_validate(each) for each in yaml.safe_load(text)]


def read_report(text: str) -> list[Finding]:
    """The findings of checkov's report in JSON. Raises ValueError if it could not read a file."""
    report: dict[str, Any] = json.loads(text)
    # Without a file to check, the report has no results.
    results = report.get("results", {"parsing_errors": "any file"})
    if results["parsing_errors"]:
        raise ValueError(f"checkov could not read {results['parsing_errors']}")
    return [
        Finding(each["check_id"], each["resource"], each["check_name"])
        for each in results["failed_checks"]
    ]


def _checkov() -> str:
    """Checkov's report on the manifests."""
    options = ("--framework", "kubernetes", "--skip-download", "--output", "json")
    command = [_CHECKOV, "--directory", _MANIFESTS, *options]
    # Its exit status says whether it found something.
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout


def main() -> int:
    """Print what has no answer; the exit status is 1 if there is any."""
    preview = [Path(sys.executable).with_name("grpc-platform"), "preview", "prod"]
    subprocess.run(preview, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    findings = read_report(_checkov())
    lines = list(unanswered(findings, read_answers(_ANSWERS.read_text())))
    print(*lines, f"{len(findings)} findings, {len(lines)} without an answer", sep="\n")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
