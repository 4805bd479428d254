"""The README's examples of the HTTP API, run by curl as they stand there against a gateway."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.admin.api.scene import serving

README = (Path(__file__).resolve().parents[3] / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("\n## HTTP API\n")[2].partition("\n## ")[0]
EXAMPLES = re.findall(r"^    (curl (?:.*\\\n)*.*)$", SECTION, re.MULTILINE)


async def run(example: str, port: int, token: str, etag: str) -> object:
    """Run an example in a shell, at the gateway's port; returns the JSON that it prints."""
    told = example.replace("127.0.0.1:8081", f"127.0.0.1:{port}").replace("curl -sS", "curl -sS --noproxy '*' --fail-with-body", 1)
    environment = {**os.environ, "TOKEN": token, "ETAG": etag}
    process = await asyncio.create_subprocess_shell(told, stdout=asyncio.subprocess.PIPE, env=environment)
    out, _ = await process.communicate()
    assert process.returncode == 0, (example, out)
    return json.loads(out)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
async def test_the_examples_do_what_the_readme_says(database: str, tmp_path: Path):
    """Each by itself, in their order: nothing fails, the dry run changes nothing, what is sent is in force, why says so."""
    async with serving(database, tmp_path) as ask:
        answers: list[object] = []
        for example in EXAMPLES:
            live = ask.daemon.directory.policies["content"].version
            answer = await run(example, ask.daemon.api.port, ask.token, f'"{live}"')
            if isinstance(answer, dict) and answer.get("changed") and not answer["dry_run"]:
                await ask.follows(answer["version"])
            answers.append(answer)
    listed, files, versions, dry, made, shadow, back, replay, why, counted, asked, result = answers
    assert (listed[0]["name"], files["name"], len(versions)) == ("content", "content", 1)  # type: ignore[index,arg-type]
    assert dry["dry_run"]  # type: ignore[index]
    assert (made["changed"], made["previous"]) == (True, files["version"])  # type: ignore[index]
    assert (shadow["previous"], back["version"]) == (made["version"], made["version"])  # type: ignore[index]
    assert replay["judged"] == 0  # type: ignore[index]
    assert counted == {"number": 0, "dry_run": True, "accounts": []}
    assert asked == {"number": 1, "dry_run": False, "accounts": []}
    assert result["cancellation"]["id"] == 1  # type: ignore[index]
    assert {"step": "rule terms", "result": "reject", "detail": "terms.bait n1[0:10]"} in why  # type: ignore[operator]


def test_the_words_of_problems_are_those_of_the_source():
    """Each `error` that the API answers stands in the table with its status, and no other."""
    told = {
        word
        for line in re.findall(r"^\| [\d, ]+ \| ((?:`\w+`(?:, )?)+) \|", SECTION, re.MULTILINE)
        for word in re.findall(r"`(\w+)`", line)
    }
    source = "".join(path.read_text(encoding="utf-8") for path in (Path(__file__).parents[3] / "smsgw/admin/api").glob("*.py"))
    used = set(re.findall(r'Refused\(\s*(?:status|\d+), "(\w+)"', source)) | {"no_such_route", "http"}
    assert told == used


def test_examples_are_one_command_each():
    """Whoever copies one gets a whole one."""
    assert len(EXAMPLES) == 12
    assert all(shlex.split(example)[0] == "curl" for example in EXAMPLES)
