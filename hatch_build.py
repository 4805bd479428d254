"""The build hook of the fast build: what `compiled` in pyproject.toml names becomes machine code, by mypyc, from the same source.

Off unless HATCH_BUILD_HOOKS_ENABLE=1: `make compiled` and the Dockerfile set it. The wheel holds the sources too, for tracebacks;
what stands in the source tree is never touched, so nothing that was compiled can outlive a change of its source.

Must never: build in the source tree; be needed by an editable or a plain installation.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SETUP: Final = """
import sys
from mypyc.build import mypycify
from setuptools import setup

names = sys.argv.pop().split(",")
setup(name="smsgw", packages=[], ext_modules=mypycify(["--config-file=pyproject.toml", *names], opt_level="3", debug_level="0"))
"""


class Compiled(BuildHookInterface):  # type: ignore[type-arg, misc]
    """Compiles into a directory of its own and adds what came of it to the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile. Raises subprocess.CalledProcessError with the compiler's words on the terminal."""
        if version == "editable" or self.target_name != "wheel":
            return
        self._work = tempfile.TemporaryDirectory(prefix="smsgw-compiled-")
        work = Path(self._work.name)
        root = Path(self.root)
        shutil.copytree(root / "smsgw", work / "smsgw", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        shutil.copy(root / "pyproject.toml", work / "pyproject.toml")
        (work / "build_compiled.py").write_text(SETUP, encoding="utf-8")
        names = ",".join(self.config["modules"])
        # The debug symbols that a distribution's Python was built with would make twenty megabytes of this.
        environment = os.environ | {"CFLAGS": f"{os.environ.get('CFLAGS', '')} -g0".strip(), "MYPYPATH": ""}
        command = [sys.executable, "build_compiled.py", "--no-user-cfg", "build_ext", "--inplace", names]
        subprocess.run(command, cwd=work, env=environment, check=True, stdout=sys.stderr)  # noqa: S603 - our own command
        for built in (*work.glob("*.so"), *work.glob("smsgw/**/*.so")):
            build_data["force_include"][str(built)] = str(built.relative_to(work))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - as it is called
        """Leave nothing behind."""
        if version != "editable" and self.target_name == "wheel":
            self._work.cleanup()
