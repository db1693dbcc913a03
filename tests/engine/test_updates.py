"""What a user changes, by a real `pulumi up` while calls flow: the engine plans what the diff told,
and no call is lost. One change of each kind; `make engine-matrix` makes all of them."""

from collections.abc import Iterator

import pytest

from experiments.lab import STACK, Lab
from tests.engine.conftest import Programs
from tests.engine.keys import CHANGES
from tests.engine.load import Load
from tests.engine.platform import NOTHING, Platform, Recorded, deployed

KINDS = {
    "an update in place": CHANGES["envoy.max_replicas"],
    "contour.yaml": CHANGES["contour.accesslog_level"],
    "a service's Ingress": CHANGES["services.*.deadline"],
    "a service more, and one less": {
        "services": {"more": {"selector": {"app.kubernetes.io/name": "load"}}}
    },
}


@pytest.fixture(scope="module")
def platform(lab: Lab, programs: Programs) -> Iterator[Platform]:
    home = programs.home(lab.directory / "home", lab.cluster)
    with deployed(lab, home, Recorded.of(lab.program())) as platform:
        yield platform


def test_what_was_deployed_is_not_changed_again(platform: Platform) -> None:
    engine = platform.home.engine(platform.now.program, STACK)
    assert engine.preview().changed == {}
    assert engine.refresh().changed == {}


@pytest.mark.parametrize("kind", KINDS)
def test_plan_and_diff_agree_and_no_call_is_lost(kind: str, platform: Platform) -> None:
    changed = Recorded.of(platform.lab.program(**KINDS[kind]))
    planned = platform.planned(changed)
    with Load(platform.lab) as load:
        there, back = platform.replace_by(changed), platform.bring_to(NOTHING)
        platform.lab.wait_until_settled()
    assert planned == there.told
    for step in (there, back):
        assert step.did == step.told
        assert step.did
    load.assert_nothing_lost()
