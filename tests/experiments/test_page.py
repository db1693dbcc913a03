"""The page that the experiments leave, and the command."""

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

pytest.importorskip("experiments.plots", reason="needs the local group")
command: Any = importlib.import_module("experiments.__main__")
page: Any = importlib.import_module("experiments.page")
EXPERIMENTS: Any = importlib.import_module("experiments.catalogue").EXPERIMENTS

RECORD: dict[str, Any] = {
    "date": "2026-11-25 22:00",
    "commit": "abc",
    "machine": {"cpu": "A CPU", "cores": 2, "memory_gib": 24.0, "kernel": "6.1"},
    "quick": False,
    "factor": 10,
    "times": {"max_connection_duration": "30s", "record_ttl": "3s"},
    "plots": ["few_clients"],
    "findings": [
        {"claim": "it holds", "holds": True, "figure": "1", "control": False, "binding": True},
        {"claim": "it fails", "holds": False, "figure": "2", "control": True, "binding": True},
        {"claim": "a note", "holds": False, "figure": "3", "control": False, "binding": False},
    ],
    "result": {
        "envoys": 4,
        "period": 31.5,
        "periods": 5,
        "rows": [
            {
                "policy": policy,
                "clients": 1,
                "idle": {"median": 3, "low": 3, "high": 3},
                "max_over_mean": {"median": 4.0, "low": 4.0, "high": 4.0},
                "opened": 5,
                "codes": {"OK": 10},
            }
            for policy in ("pick_first", "round_robin")
        ],
    },
}


def leave(directory: Path, name: str = "few_clients", **changes: Any) -> None:
    changes |= {"plots": [name]}
    (directory / f"{name}.json").write_text(json.dumps(RECORD | changes))
    (directory / f"{name}.svg").write_text("<svg/>")


def test_the_page_tells_what_holds_and_what_does_not(tmp_path: Path) -> None:
    leave(tmp_path)
    page.write(tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "| [Few clients](#few-clients) |" in text
    assert "| 1 of 2 | 2026-11-25 22:00 |" in text
    assert "| ✓ | it holds | 1 |" in text
    assert "| ✗ | control: it fails | 2 |" in text
    assert "| – | a note | 3 |" in text
    assert "![few clients](few_clients.svg)" in text
    assert "true values / 10" in text


def test_the_page_marks_what_was_measured_on_a_busy_machine(tmp_path: Path) -> None:
    leave(tmp_path, others={"before": 0.0, "mean": 0.01})
    page.write(tmp_path)
    assert "busy" not in (tmp_path / "README.md").read_text()
    leave(tmp_path, others={"before": 1.2, "mean": 0.7})
    page.write(tmp_path)
    assert (
        "other programs used 1.2 cores before and 0.7 meanwhile"
        in (tmp_path / "README.md").read_text()
    )


def test_only_full_runs_are_published(tmp_path: Path) -> None:
    source, target = tmp_path / "build", tmp_path / "docs"
    source.mkdir()
    console = Console(record=True, width=200)
    leave(source)
    assert page.publish(source, target, ["few_clients", "herd"], console) == 1
    assert "not run: herd" in console.export_text()
    leave(source, "herd", quick=True)
    assert page.publish(source, target, ["few_clients", "herd"], console) == 1
    assert "run quickly only: herd" in console.export_text()
    assert not target.exists()


def test_the_experiments_asked_for_are_published_beside_the_others(tmp_path: Path) -> None:
    source, target = tmp_path / "build", tmp_path / "docs"
    source.mkdir()
    shutil.copytree(command.DOCS, target)
    before = {file.name: file.read_bytes() for file in target.iterdir()}
    (target / "former.svg").write_text("<svg/>")
    leave(source)
    assert page.publish(source, target, ["few_clients"], Console(quiet=True)) == 0
    after = {file.name: file.read_bytes() for file in target.iterdir()}
    assert after.keys() == before.keys()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"few_clients.json", "few_clients.svg", "README.md"}
    assert json.loads(after["few_clients.json"])["date"] == RECORD["date"]
    assert RECORD["date"] in after["README.md"].decode()


def test_an_unknown_experiment_is_refused_with_the_known_names(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["experiments", "--only", "balnce"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "no experiment balnce; there are balance, " in said


def test_the_list_shows_each_experiment_with_its_question(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["experiments", "--list"])
    assert command.main() == 0
    said = " ".join(capsys.readouterr().out.split())
    for name, experiment in EXPERIMENTS.items():
        assert f"{name} {experiment.question}" in said
