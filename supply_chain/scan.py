"""`make scan`: what checkov and trivy find in the manifests of prod, and our answers.

A finding without an answer fails, and so does an answer to something that is no longer found.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

ROOT = Path(__file__).parents[1]
_ANSWERS = Path(__file__).with_name("answers.yaml")
_CHECKOV = Path(__file__).with_name(".venv") / "bin" / "checkov"
_TRIVY = Path(sys.executable).with_name("trivy")
_MANIFESTS = ROOT / "build/preview/prod/manifests"


@dataclass(frozen=True, order=True)
class Finding:
    """One check that one object fails."""

    check: str
    """Its id: CKV_K8S_43 is one of checkov's, KSV-0013 one of trivy's."""
    object: str
    """Kind, namespace and name, with dots between them."""
    title: str = ""


class Answer(BaseModel):
    """Why the findings of some checks of the same thing are no faults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checks: tuple[str, ...] = Field(min_length=1)
    objects: tuple[str, ...] = Field(min_length=1)
    """Patterns of objects; `*` stands for any text."""
    reason: str = Field(min_length=1)


def unanswered(findings: Sequence[Finding], answers: Sequence[Answer]) -> Iterator[str]:
    """One line for each finding without an answer, and for each pattern that matches no finding."""
    answered = [
        (check, pattern)
        for answer in answers
        for check in answer.checks
        for pattern in answer.objects
    ]
    used: set[tuple[str, str]] = set()
    for finding in sorted(findings):
        answering = {
            (check, pattern)
            for check, pattern in answered
            if check == finding.check and fnmatchcase(finding.object, pattern)
        }
        if not answering:
            yield f"{finding.check} {finding.object}: {finding.title}"
        used |= answering
    for check, pattern in answered:
        if (check, pattern) not in used:
            yield f"{check} {pattern}: is answered in {_ANSWERS.name}, but not found"


def read_answers(text: str) -> list[Answer]:
    """The answers of a file in YAML."""
    return [Answer.model_validate(each) for each in yaml.safe_load(text)]


def read_checkov(text: str) -> list[Finding]:
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


def read_trivy(text: str, objects: Mapping[str, str]) -> list[Finding]:
    """The findings of trivy's report in JSON, of files that hold these objects.

    Raises ValueError if it passed over a file, which it does in silence with what it cannot read.
    """
    report: dict[str, Any] = json.loads(text)
    results: dict[str, Any] = {each["Target"]: each for each in report.get("Results", ())}
    if unread := sorted(objects.keys() - results.keys()):
        raise ValueError(f"trivy could not read {unread}")
    # It tells of each container; a finding is of the object.
    return sorted(
        {
            Finding(each["ID"], objects[file], each["Title"])
            for file, result in results.items()
            for each in result.get("Misconfigurations", ())
        }
    )


def _checkov() -> str:
    """Checkov's report on the manifests."""
    options = ("--framework", "kubernetes", "--skip-download", "--output", "json")
    command = [_CHECKOV, "--directory", _MANIFESTS, *options]
    # Its exit status says whether it found something.
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout


def _trivy() -> str:
    """Trivy's report on the manifests, by the checks that it was built with."""
    # An empty cache: it would prefer checks that it once downloaded.
    cache = ROOT / "build/trivy"
    options = ("--skip-check-update", "--skip-version-check", "--disable-telemetry", "--quiet")
    command = [_TRIVY, "config", "--format", "json", "--cache-dir", cache, *options, _MANIFESTS]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def _objects() -> dict[str, str]:
    """The object in each file of the manifests, named as checkov names it."""
    objects: dict[str, str] = {}
    for file in _MANIFESTS.rglob("*.yaml"):
        manifest: dict[str, Any] = yaml.safe_load(file.read_text())
        metadata: dict[str, str] = manifest["metadata"]
        name = (manifest["kind"], metadata.get("namespace", "default"), metadata["name"])
        objects[str(file.relative_to(_MANIFESTS))] = ".".join(name)
    return objects


def main() -> int:
    """Print what has no answer; the exit status is 1 if there is any."""
    preview = [Path(sys.executable).with_name("grpc-platform"), "preview", "prod"]
    subprocess.run(preview, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    findings = [*read_checkov(_checkov()), *read_trivy(_trivy(), _objects())]
    lines = list(unanswered(findings, read_answers(_ANSWERS.read_text())))
    print(*lines, f"{len(findings)} findings, {len(lines)} without an answer", sep="\n")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
