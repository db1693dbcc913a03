"""`make scan`: every finding has an answer, and every answer a finding."""

import json

import pytest

from supply_chain.scan import Answer, Finding, read_checkov, read_trivy, unanswered

DIGEST = Finding("CKV_K8S_43", "Deployment.edge.envoy", "Image should use digest")
ANSWER = Answer(checks=("CKV_K8S_43",), objects=("Deployment.edge.*",), reason="No source has any.")
FILE = "serving/001-deployment-edge-envoy.yaml"


def test_a_finding_is_told_with_its_object_unless_an_answer_names_both() -> None:
    assert list(unanswered([DIGEST], [ANSWER])) == []
    other_object = Finding(DIGEST.check, "Job.edge.envoy", "Image should use digest")
    other_check = Finding("CKV_K8S_8", DIGEST.object, "Liveness Probe Should be Configured")
    assert list(unanswered([DIGEST, other_object, other_check], [ANSWER])) == [
        "CKV_K8S_43 Job.edge.envoy: Image should use digest",
        "CKV_K8S_8 Deployment.edge.envoy: Liveness Probe Should be Configured",
    ]


def test_an_answer_to_something_that_is_not_found_is_told_pattern_by_pattern() -> None:
    answer = Answer(
        checks=(DIGEST.check,), objects=(DIGEST.object, "CronJob.*"), reason="As above."
    )
    assert list(unanswered([DIGEST], [answer])) == [
        "CKV_K8S_43 CronJob.*: is answered in answers.yaml, but not found"
    ]


def test_an_answer_to_several_checks_answers_each() -> None:
    answer = Answer(checks=("CKV_K8S_11", "KSV-0011"), objects=("Job.*",), reason="It is short.")
    found = [Finding(check, "Job.edge.certgen") for check in answer.checks]
    assert list(unanswered(found, [answer])) == []
    assert list(unanswered(found[:1], [answer])) == [
        "KSV-0011 Job.*: is answered in answers.yaml, but not found"
    ]


def test_an_answer_gives_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        Answer(checks=("CKV_K8S_43",), objects=("*",), reason="")


@pytest.mark.parametrize(
    "report",
    [
        {"passed": 0, "failed": 0},  # what checkov prints for a folder without manifests
        {"results": {"failed_checks": [], "parsing_errors": ["/serving/pod.yaml"]}},
    ],
)
def test_a_report_of_checkov_on_files_that_were_not_read_is_no_success(report: object) -> None:
    with pytest.raises(ValueError, match="could not read"):
        read_checkov(json.dumps(report))


def test_a_report_of_trivy_names_an_object_once_for_all_its_containers() -> None:
    fault = {"ID": "KSV-0011", "Title": "CPU not limited", "Message": "Container 'a' should"}
    other = {**fault, "Message": "Container 'b' should"}
    report = {"Results": [{"Target": FILE, "Misconfigurations": [fault, other]}]}
    assert read_trivy(json.dumps(report), {FILE: DIGEST.object}) == [
        Finding("KSV-0011", DIGEST.object, "CPU not limited")
    ]


@pytest.mark.parametrize("report", [{}, {"Results": [{"Target": "another.yaml"}]}])
def test_a_report_of_trivy_that_lacks_a_file_is_no_success(report: object) -> None:
    with pytest.raises(ValueError, match=f"could not read .*{FILE}"):
        read_trivy(json.dumps(report), {FILE: DIGEST.object})
