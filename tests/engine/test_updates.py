"""What a user changes, by a real `pulumi up` while calls flow: the engine plans what the diff told,
and no call is lost. One change of each kind; `make engine-matrix` makes all of them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from experiments.lab import STACK, Lab
from grpc_platform_tools.rights.iam import iam_policy
from tests.engine.accounts import Account, open_account
from tests.engine.conftest import Programs
from tests.engine.keys import CHANGES
from tests.engine.load import Load
from tests.engine.platform import NOTHING, Platform, Recorded, deployed
from tests.rights import asked_of_route53, calls, told

KINDS = {
    "an update in place": CHANGES["envoy.max_replicas"],
    "contour.yaml": CHANGES["contour.accesslog_level"],
    "a service's Ingress": CHANGES["services.*.deadline"],
    "a service more, and one less": {
        "services": {"more": {"selector": {"app.kubernetes.io/name": "load"}}}
    },
}


@pytest.fixture(scope="module")
def first(lab: Lab) -> Recorded:
    return Recorded.of(lab.program())


@pytest.fixture(scope="module")
def deployer(lab: Lab, first: Recorded) -> Account:
    return open_account(lab.cluster, first.graph, "deployer")


@pytest.fixture(scope="module")
def platform(
    lab: Lab, programs: Programs, first: Recorded, deployer: Account
) -> Iterator[Platform]:
    """Deployed with the rights of its deployer, and no others."""
    home = replace(programs.home(lab.directory / "home", lab.cluster), token=deployer.token)
    with deployed(lab, home, first) as platform:
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


def test_a_previewer_sees_what_the_deployer_does(
    platform: Platform, first: Recorded, deployer: Account
) -> None:
    """Also where the API server refuses it the dry run of a change."""
    cluster = platform.lab.cluster
    previewer = open_account(cluster, first.graph, "previewer")
    reader = replace(platform, home=replace(platform.home, token=previewer.token))
    engine = reader.home.engine(first.program, STACK)
    assert engine.preview(refresh=True).changed == {}
    changed = Recorded.of(platform.lab.program(**KINDS["contour.yaml"]))
    assert reader.planned(changed) == platform.planned(changed) != {}

    made = calls(cluster, previewer.name)
    assert made.unused(previewer.rights) == set()
    assert {call.verb for call in made.refused} == {"patch"}


def test_a_deployers_rights_are_enough_until_the_end_and_all_used(
    platform: Platform, first: Recorded, deployer: Account
) -> None:
    """What else of AWS a deployer may do was never run: the AWS provider here is a stand-in."""
    platform.home.engine(first.program, STACK).destroy()
    made = calls(platform.lab.cluster, deployer.name)
    assert made.unused(told(deployer.rights)) == set()
    assert sorted(map(str, made.refused)) == []

    policy = iam_policy(first.graph, None, write=True)
    assert policy
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    asked = {f"route53:{each.action}" for each in asked_of_route53(platform.lab.cluster, "Boto3")}
    assert "route53:DeleteHostedZone" in asked
    assert asked <= allowed
