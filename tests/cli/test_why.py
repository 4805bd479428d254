from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from smsgw.admin.control import NotThere
from smsgw.cli import build
from tests.cli.gateways import Answering, answering


def answer(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Repeat the question, unless it is about nobody."""
    if asked["account"] == "nobody":
        raise NotThere("there is no account 'nobody'")
    return [{"step": name, "result": value} for name, value in asked.items()]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answering]:
    """A gateway that answers why with the question."""
    with answering(tmp_path_factory.mktemp("gw"), {}, {"why": answer}) as answers:
        yield answers


def asked(gateway: Answering, *arguments: str, text: str = "您好\n") -> Result:
    """Run `smsgw why …` with a text on standard input."""
    return CliRunner().invoke(build("why"), ["why", *arguments, "--config", str(gateway.config)], input=text)


def test_the_question_goes_to_the_gateway(gateway: Answering):
    """Account, number, sender, and the text without its last line end."""
    result = asked(gateway, "--account", "acme1", "--to", "86138", "--from", "1069", "--text", "-", "--json")
    assert result.exit_code == 0
    assert {row["step"]: row["result"] for row in json.loads(result.stdout)} == {
        "account": "acme1",
        "to": "86138",
        "from": "1069",
        "text": "您好",
    }


def test_rows_are_columns_in_a_pipe(gateway: Answering):
    """Without --json they are aligned."""
    assert asked(gateway, "--account", "acme1", "--to", "86138").stdout.splitlines()[1].split() == ["account", "acme1"]


def test_what_is_not_there_and_what_would_be_seen(gateway: Answering):
    """An unknown account exits 3; a text in the arguments is refused, because others could read it there."""
    result = asked(gateway, "--account", "nobody", "--to", "86138")
    assert (result.exit_code, result.stderr) == (3, "there is no account 'nobody'\n")
    assert asked(gateway, "--account", "acme1", "--to", "86138", "--text", "hello").exit_code == 2
