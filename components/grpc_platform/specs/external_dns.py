"""external-dns, the publisher of Envoy's addresses."""

from typing import Annotated

from pydantic import Field

from .base import Image, ObjectName, Spec

_URL = r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9/._~%-]*)?$"


class ExternalDnsSpec(Spec):
    """external-dns's Deployment. In an EKS cluster it needs no settings."""

    image: Image | None = None
    """Image to pull instead of upstream's: repository with a tag, a digest, or both."""
    credentials_secret: ObjectName | None = None
    """Outside EKS: a Secret in namespace `external-dns` whose keys are AWS's environment
    variables."""
    route53_endpoint: Annotated[str, Field(pattern=_URL)] | None = None
    """A Route53-compatible endpoint to use instead of AWS's, without user and password: it is no
    secret in the cluster."""
