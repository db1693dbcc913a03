"""An `up` that does not come to its end, and the `up` after it."""

import contextlib

import pytest

from testbed.cluster.errors import LocalError
from testbed.disruptions import losses
from testbed.engine.outcome import Step
from testbed.engine.running import Running
from tests.engine.life.conftest import Life
from tests.engine.load import Load
from tests.engine.platform import Recorded

MORE = {"services": {"more": {"selector": {"app.kubernetes.io/name": "load"}}}}


def test_after_a_kill_the_documented_commands_bring_the_stack_up(life: Life) -> None:
    assert "locked by another update" in life.refused
    assert "local-contour-deployment" in {urn.rpartition("::")[2] for urn in life.pending}
    assert life.recovered.changed.keys() == {"create"}
    assert life.engine().pending() == []
    life.assert_whole()


@pytest.mark.prove
def test_ctrl_c_while_contour_rolls_out_and_up_again(life: Life) -> None:
    wanted = Recorded.of(life.lab.program(contour={"accesslog_level": "error"}, **MORE))
    engine = life.platform.home.engine(wanted.program, "local")

    def interrupt(step: Step, running: Running) -> None:
        if step.urn.endswith("::local-contour-deployment") and step.op == "update":
            running.interrupt()

    with Load(life.lab, rate=25) as load:
        with pytest.raises(LocalError, match="cancel"):
            engine.up(when=interrupt)
        life.platform.replace_by(wanted)
        life.lab.wait_until_settled()
    load.assert_nothing_lost()
    life.assert_whole()


@pytest.mark.prove
def test_the_api_server_goes_away_in_the_middle_and_up_again(life: Life) -> None:
    wanted = Recorded.of(life.lab.program())
    engine = life.platform.home.engine(wanted.program, "local")
    with Load(life.lab, rate=25) as load:
        with contextlib.ExitStack() as away:
            lost: list[Step] = []

            def lose_it(step: Step, _: Running) -> None:
                # The provider has spoken to the cluster by then.
                if step.type.startswith("kubernetes:") and not lost:
                    lost.append(step)
                    away.enter_context(losses.without_api_server(life.lab.cluster))

            with pytest.raises(LocalError, match="connection refused"):
                engine.up(when=lose_it)
        life.platform.replace_by(wanted)
        life.lab.wait_until_settled()
    load.assert_nothing_lost()
    life.assert_whole()
