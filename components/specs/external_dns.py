"""external-dns, the publisher of Envoy's addresses."""

from .base import Spec


class ExternalDnsSpec(Spec):
    """external-dns's Deployment. In an EKS cluster it needs nothing said."""

    image: str | None = None
    """Pull from here instead of upstream's registry: repository and tag."""
    credentials_secret: str | None = None
    """Outside EKS: a Secret beside it whose keys are AWS's environment variables."""
    route53_endpoint: str | None = None
    """A Route53-compatible address to use instead of AWS's."""
