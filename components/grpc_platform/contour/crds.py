"""The CRDs that Contour cannot start without, although it serves only Ingresses."""

import pulumi
import pulumi_kubernetes as k8s

# Contour starts an informer for each, whether or not an object exists. --disable-feature switches
# off the informer of a third kind, extensionservices. Names, versions and scope are upstream's:
# https://github.com/projectcontour/contour/blob/v1.33.8/examples/contour/01-crds.yaml
_KINDS = {"httpproxies": "HTTPProxy", "tlscertificatedelegations": "TLSCertificateDelegation"}
_GROUP = "projectcontour.io"


def contour_crds(
    name: str, opts: pulumi.ResourceOptions
) -> list[k8s.apiextensions.v1.CustomResourceDefinition]:
    """Both CRDs, without a schema: creating them fetches nothing, and no objects of them are used.

    They stay in the cluster when the stack no longer has them. Upstream's CRDs have the same names,
    and deleting a CRD deletes all objects of its kind.
    """
    opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(retain_on_delete=True))
    return [
        k8s.apiextensions.v1.CustomResourceDefinition(
            f"{name}-{plural}",
            metadata=k8s.meta.v1.ObjectMetaArgs(name=f"{plural}.{_GROUP}"),
            spec=k8s.apiextensions.v1.CustomResourceDefinitionSpecArgs(
                group=_GROUP,
                scope="Namespaced",
                names=k8s.apiextensions.v1.CustomResourceDefinitionNamesArgs(
                    kind=kind, list_kind=f"{kind}List", plural=plural, singular=kind.lower()
                ),
                versions=[_version()],
            ),
            opts=opts,
        )
        for plural, kind in _KINDS.items()
    ]


def _version() -> k8s.apiextensions.v1.CustomResourceDefinitionVersionArgs:
    anything = k8s.apiextensions.v1.JSONSchemaPropsArgs(
        type="object", x_kubernetes_preserve_unknown_fields=True
    )
    return k8s.apiextensions.v1.CustomResourceDefinitionVersionArgs(
        name="v1",
        served=True,
        storage=True,
        schema=k8s.apiextensions.v1.CustomResourceValidationArgs(
            open_apiv3_schema=k8s.apiextensions.v1.JSONSchemaPropsArgs(
                type="object", properties={"spec": anything, "status": anything}
            )
        ),
        subresources=k8s.apiextensions.v1.CustomResourceSubresourcesArgs(status={}),
    )
