"""`check` as a postmaster calls it, on a host whose files are in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.config.problem import Problem

GOOD = """\
trust: {hosts: [mx.forwarder.example], authserv_ids: [mx.forwarder.example]}
keys: [{domain: hosted.example, selector: default, file: key.pem}]
departure: {addresses: [192.0.2.10], helo: mx.forwarder.example, origin: forwarder.example}
journal: {file: decisions.jsonl}
"""


def checked(folder: Path, config: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The status, and the level and code of each finding, in that configuration."""
    listen = "" if "\nlisten:" in config else f"listen: unix:{folder}/sock\n"
    (folder / "dkimgate.yaml").write_text(listen + config)
    status = cli.main(["check", "--config", str(folder / "dkimgate.yaml"), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["good"] == (status == 0)
    return status, [
        f"{finding['level']}: {finding['code']}" for finding in said["findings"] if finding["code"] != "user.not-set"
    ]


def texts(folder: Path, code: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The words of the findings with that code, as a person sees them."""
    cli.main(["check", "--config", str(folder / "dkimgate.yaml"), "--json"])
    found = json.loads(capsys.readouterr().out)["findings"]
    return [
        str(Problem(**{key: value for key, value in each.items() if key != "level"}))
        for each in found
        if each["code"] == code
    ]
