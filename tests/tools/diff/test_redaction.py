"""Account ids leave what was recorded before anybody sees it, in whatever form they stand."""

from typing import Any

import pytest

from grpc_platform_tools.diff.redaction import Accounts, has_account

ONE, TWO = "123456789012", "210987654321"


@pytest.mark.parametrize(
    "value",
    [
        f"arn:aws:iam::{ONE}:role/x",
        f"{ONE}.dkr.ecr.eu-west-1.amazonaws.com/app:1",
        f"bucket-logs{ONE}x",
        int(ONE),
        {"ids": [ONE, {"deep": f"a {ONE} b"}]},
        {ONE: "a key"},
        "1234-5678-9012",
        f'{{"AWS": "{ONE}"}}',
    ],
)
def test_an_account_is_hidden_wherever_it_stands(value: Any) -> None:
    shown = str(Accounts().hide(value))
    assert "[account 1]" in shown
    assert ONE not in shown
    assert "5678" not in shown
    assert has_account(str(value))


def test_two_accounts_stay_two_and_each_keeps_its_name() -> None:
    accounts = Accounts()
    assert accounts.hide([ONE, TWO, ONE]) == ["[account 1]", "[account 2]", "[account 1]"]
    assert accounts.hide("2109-8765-4321") == "[account 2]"


@pytest.mark.parametrize(
    "value",
    [
        "000000000000",  # of the fixtures
        "1234567890123",
        12345678901,
        f"sha256:{'a1' * 20}{ONE}{'b2' * 6}",
        True,
        1.5,
        None,
    ],
)
def test_other_numbers_stay(value: Any) -> None:
    assert Accounts().hide(value) == value
    assert not has_account(str(value))
