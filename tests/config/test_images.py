"""Images by digest reach the pods as they are written."""

import pytest

from config.check import check
from config.mistakes import ConfigError
from grpc_platform import versions
from tests.config.stack import changed

DIGEST = f"sha256:{'a1' * 32}"
IMAGES = {
    "contour": versions.contour_image(versions.CONTOUR),
    "envoy": versions.envoy_image(versions.ENVOY),
    "external_dns": versions.EXTERNAL_DNS_IMAGE,
}


@pytest.mark.parametrize("part", IMAGES)
@pytest.mark.parametrize("digest", [DIGEST, DIGEST[:-1]])
def test_an_image_takes_a_digest_behind_its_tag(part: str, digest: str) -> None:
    image = f"{IMAGES[part]}@{digest}"
    stack = changed({f"{part}.image": image})
    if digest == DIGEST:
        assert getattr(check(stack), part).image == image
    else:
        with pytest.raises(ConfigError, match=rf"{part}\.image"):
            check(stack)
