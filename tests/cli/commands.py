"""The command line as tests call it: in this process, with settings of its own and a file to apply."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from smsgw.cli import build

CONFIG = Path(__file__).parents[2] / "config"
EXAMPLE = (CONFIG / "provisioning.toml").read_text(encoding="utf-8")


class Command:
    """smsgw, with settings of its own and a file to apply."""

    def __init__(self, directory: Path, database: str, data_dir: Path | None = None) -> None:
        self.config = directory / "smsgw.toml"
        self.file = directory / "provisioning.toml"
        self.config.write_text(
            f'[node]\ndata_dir = "{data_dir or directory / "data"}"\n[database]\ndsn = "{database}"\n', encoding="utf-8"
        )
        self.file.write_text(EXAMPLE, encoding="utf-8")

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(build(arguments[0]), [*arguments, "--config", str(self.config)])

    def apply(self, *options: str, text: str = EXAMPLE) -> Result:
        self.file.write_text(text, encoding="utf-8")
        return self("apply", str(self.file), *options)


def rows(result: Result) -> list[dict[str, Any]]:
    """The rows of an answer in JSON, of a command that ended well."""
    assert result.exit_code == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found
