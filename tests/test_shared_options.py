"""What commands share: the version, the store's address from the environment, and answers as JSON."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from command_line import call, write_fleet

import prebuilds
from prebuilds.cli import main


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """In Python, on the command line, and in the metadata."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"prebuilds {prebuilds.__version__}\n")
    assert prebuilds.__version__ == version("prebuilds")


def test_the_store_may_stand_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An option wins over it."""
    fleet, here, there = write_fleet(tmp_path, {"id": "web", "desired_instances": 1}), tmp_path / "a", tmp_path / "b"
    monkeypatch.setenv("PREBUILDS_STORE", f"sqlite:{here}")
    assert main(["run", "--fleet", str(fleet), "--once"]) == 0
    assert main(["run", "--fleet", str(fleet), "--once", "--store", f"sqlite:{there}"]) == 0
    assert main(["claim", "web", "--owner", "ann", "--name", "dev"]) == 0
    assert main(["claim", "web", "--owner", "ann", "--name", "dev", "--store", f"sqlite:{there}"]) == 0
    capsys.readouterr()


@pytest.mark.parametrize(("value", "problem"), [("web", "'web' is not sqlite:FILE"), ("", "--store")])
def test_an_address_in_the_environment_must_be_one(
    value: str, problem: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty one is none."""
    monkeypatch.setenv("PREBUILDS_STORE", value)
    with pytest.raises(SystemExit, match="2"):
        main(["pause"])
    assert problem in capsys.readouterr().err


def test_a_claim_is_json_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the user got, or why nothing; the exit status is as ever."""
    store = f"sqlite:{tmp_path / 'pool.db'}"
    fleet = write_fleet(tmp_path, {"id": "web", "desired_instances": 1})
    call(capsys, "run", "--store", store, "--fleet", str(fleet), "--once")
    asked = ["claim", "web", "--store", store, "--owner", "ann", "--name", "dev", "--format", "json"]
    status, out, _ = call(capsys, *asked)
    got = json.loads(out)
    assert status == 0
    assert got.pop("workspace_id")
    assert got == {"preset_id": "web", "owner_id": "ann", "name": "dev", "is_repeated": False, "reason": None}
    status, out, _ = call(capsys, *asked)
    nothing = {"workspace_id": None, "owner_id": None, "name": None, "is_repeated": False}
    assert (status, json.loads(out)) == (1, {"preset_id": "web", **nothing, "reason": "none_eligible"})
