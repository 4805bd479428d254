"""What one value of settings may be: a reference to where a secret is kept, an address; and what is said of a bad one.

Never here: sections and their keys, a secret in an error.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

REFERENCES: Final = ("file", "env", "credential")


class ConfigError(Exception):
    """The file is not usable; `errors` has one line for each thing that is wrong."""

    exit_code = 78

    def __init__(self, errors: list[str]) -> None:
        """Keep all lines."""
        super().__init__("\n".join(errors))
        self.errors = errors


def resolve(value: Any, where: str) -> Any:
    """Follow a reference to where a secret is kept; anything else is itself. Raises ConfigError."""
    if not isinstance(value, dict):
        return value
    kind, target = next(iter(value.items()), ("", ""))
    if len(value) != 1 or kind not in REFERENCES or not isinstance(target, str):
        raise ConfigError([f'{where}: a reference is {{file = "…"}}, {{env = "…"}} or {{credential = "…"}}'])
    try:
        if kind == "env":
            return os.environ[target]
        directory = Path(os.environ["CREDENTIALS_DIRECTORY"]) if kind == "credential" else Path()
        return (directory / target).read_text(encoding="utf-8").strip()
    except KeyError as error:
        raise ConfigError([f"{where}: {error.args[0]} is not set in the environment"]) from None
    except OSError as error:
        raise ConfigError([f"{where}: {target} cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{where}: {target} is not text in UTF-8"]) from None


def address_of(text: str) -> tuple[str, int]:
    """Read "host:port" or "[v6]:port"; an empty host is every address. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65_535 or (":" in host and not bracketed):
        raise ValueError(f"{text!r} is no address: host:port, or [host]:port for IPv6")
    return (host[1:-1] if bracketed else host), int(port)


def hint(word: str, known: Iterable[str]) -> str:
    """Say what may have been meant: the nearest known word, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f": did you mean {near[0]}?" if near else f" (known: {', '.join(known)})"
