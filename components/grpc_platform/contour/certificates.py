"""The certificates with which Contour and Envoy authenticate: `contour certgen`, in the cluster.

Each run makes its own CA and two Secrets, valid for 365 days. Upstream does not renew them:
https://github.com/projectcontour/contour/issues/5556
"""

from collections.abc import Sequence
from typing import Final

import pulumi
import pulumi_kubernetes as k8s

from .. import pods
from ..conventions import CONTOUR
from ..names import named_after
from ..network_policy import admit_only
from .rbac import bound_role

CONTOUR_SECRET: Final = "contourcert"
ENVOY_SECRET: Final = "envoycert"

RENEWAL_SCHEDULE: Final = "0 3 1 */3 *"
"""At 03:00 on the first day of each quarter, so that up to three renewals may fail unnoticed."""

_CERTGEN = "contour-certgen"


def contour_certificates(
    name: str,
    namespace: pulumi.Input[str],
    image: pulumi.Input[str],
    image_pull_secrets: Sequence[pulumi.Input[str]],
    child: pulumi.ResourceOptions,
) -> k8s.batch.v1.Job:
    """A Job creates the first certificates, a CronJob renews them.

    The Job is done when both Secrets exist, and does not overwrite existing ones: a new CA would
    disconnect every Envoy until both sides have read it. The finished Job stays, because otherwise
    each update of the stack would recreate it. A Job cannot be changed, so another image gets a Job
    with another name.
    """
    account = k8s.core.v1.ServiceAccount(
        f"{name}-account", metadata=pods.metadata(_CERTGEN, namespace, CONTOUR), opts=child
    )
    binding = bound_role(name, account, namespace, _write_both_secrets(), child)
    # Nothing connects to these pods.
    admit_only(
        f"{name}-network-policy",
        pods.metadata(_CERTGEN, namespace, CONTOUR),
        _CERTGEN,
        [],
        child,
    )
    after_binding = pulumi.ResourceOptions.merge(
        child, pulumi.ResourceOptions(depends_on=[binding])
    )
    once = _job(image, image_pull_secrets, account, namespace, [])
    job = k8s.batch.v1.Job(
        name,
        metadata=pods.metadata(
            named_after(_CERTGEN, once),
            namespace,
            CONTOUR,
            # Otherwise a failed Job would stay failed, however often the stack is updated:
            # https://github.com/pulumi/pulumi-kubernetes/pull/1575
            {"pulumi.com/replaceUnready": "true"},
        ),
        spec=once,
        opts=after_binding,
    )
    k8s.batch.v1.CronJob(
        f"{name}-renewal",
        metadata=pods.metadata(f"{_CERTGEN}-renewal", namespace, CONTOUR),
        spec=k8s.batch.v1.CronJobSpecArgs(
            schedule=RENEWAL_SCHEDULE,
            concurrency_policy="Forbid",
            job_template=k8s.batch.v1.JobTemplateSpecArgs(
                spec=_job(image, image_pull_secrets, account, namespace, ["--overwrite"])
            ),
        ),
        opts=after_binding,
    )
    return job


def _write_both_secrets() -> list[k8s.rbac.v1.PolicyRuleArgs]:
    rule = k8s.rbac.v1.PolicyRuleArgs
    return [
        # RBAC cannot restrict `create` by an object's name.
        rule(api_groups=[""], resources=["secrets"], verbs=["create"]),
        rule(
            api_groups=[""],
            resources=["secrets"],
            resource_names=[CONTOUR_SECRET, ENVOY_SECRET],
            verbs=["update"],
        ),
    ]


def _job(
    image: pulumi.Input[str],
    image_pull_secrets: Sequence[pulumi.Input[str]],
    account: k8s.core.v1.ServiceAccount,
    namespace: pulumi.Input[str],
    flags: list[str],
) -> k8s.batch.v1.JobSpecArgs:
    container = k8s.core.v1.ContainerArgs(
        name="certgen",
        image=image,
        command=["contour"],
        args=[
            "certgen",
            "--kube",
            "--incluster",
            pulumi.Output.concat("--namespace=", namespace),
            "--secrets-format=compact",
            *flags,
        ],
        resources=k8s.core.v1.ResourceRequirementsArgs(
            requests={"cpu": "50m", "memory": "64Mi"}, limits={"memory": "128Mi"}
        ),
        security_context=pods.CONTAINER_SECURITY,
    )
    return k8s.batch.v1.JobSpecArgs(
        backoff_limit=4,
        template=k8s.core.v1.PodTemplateSpecArgs(
            # Not the labels of Contour's pods, or Contour's Service and budget would select these
            # pods.
            metadata=k8s.meta.v1.ObjectMetaArgs(labels=pods.labels(_CERTGEN)),
            spec=k8s.core.v1.PodSpecArgs(
                containers=[container],
                image_pull_secrets=pods.pull_secrets(image_pull_secrets),
                restart_policy="Never",
                service_account_name=account.metadata["name"],
                security_context=pods.pod_security(),
            ),
        ),
    )
