"""`make scan`: every finding has an answer, and every answer a finding."""

import json

import pytest

from supply_chain.scan import Answer, Finding, read_report, unanswered

DIGEST = Finding("CKV_K8S_43", "Deployment.edge.envoy", "Image should use digest")
ANSWER = Answer(check="CKV_K8S_43", objects=("Deployment.edge.*",), reason="No source has any.")


def test_a_finding_is_told_with_its_object_unless_an_answer_names_both() -> None:
    assert list(unanswered([DIGEST], [ANSWER])) == []
    other_object = Finding(DIGEST.check, "Job.edge.envoy", "Image should use digest")
    other_check = Finding("CKV_K8S_8", DIGEST.object, "Liveness Probe Should be Configured")
    assert list(unanswered([DIGEST, other_object, other_check], [ANSWER])) == [
        "CKV_K8S_43 Job.edge.envoy: Image should use digest",
        "CKV_K8S_8 Deployment.edge.envoy: Liveness Probe Should be Configured",
    ]


def test_an_answer_to_something_that_is_not_found_is_told_pattern_by_pattern() -> None:
    answer = Answer(check=DIGEST.check, objects=(DIGEST.object, "CronJob.*"), reason="As above.")
    assert list(unanswered([DIGEST], [answer])) == [
        "CKV_K8S_43 CronJob.*: is answered in answers.yaml, but not found"
    ]


def test_an_answer_gives_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        Answer(check="CKV_K8S_43", objects=("*",), reason="")


@pytest.mark.parametrize(
    "report",
    [
        {"passed": 0, "failed": 0},  # what checkov prints for a folder without manifests
        {"results": {"failed_checks": [], "parsing_errors": ["/serving/pod.yaml"]}},
    ],
)
def test_a_report_on_files_that_were_not_read_is_no_success(report: object) -> None:
    with pytest.raises(ValueError, match="could not read"):
        read_report(json.dumps(report))
