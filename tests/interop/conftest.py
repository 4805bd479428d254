"""Where the libraries of other languages come from: installed, else fetched once into build/, else a skip with its reason."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

BUILD = Path(__file__).resolve().parents[2] / "build"
FETCH_S = 60.0


def _run(command: list[str], directory: Path, **environment: str) -> str:
    """Run a command; returns "" or what went wrong."""
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=FETCH_S, check=False, env={**os.environ, **environment}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr or done.stdout)[-300:]


@pytest.fixture(scope="session")
def node_environment() -> dict[str, str]:
    """The environment in which node finds the package `smpp`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None:
        pytest.skip("node is not installed")
    directory = BUILD / "node"
    directory.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "NODE_PATH": str(directory / "node_modules")}
    try_it = [node, "-e", "require('smpp')"]
    if _run(try_it, directory, NODE_PATH=environment["NODE_PATH"]):
        if npm is None:
            pytest.skip("node-smpp is not there, and neither is npm")
        wrong = _run([npm, "install", "--no-audit", "--no-fund", "--fetch-retries=0", "--prefix", ".", "smpp"], directory)
        if wrong or _run(try_it, directory, NODE_PATH=environment["NODE_PATH"]):
            pytest.skip(f"npm cannot install node-smpp: {wrong}")
    return environment


@pytest.fixture(scope="session")
def perl_environment() -> dict[str, str]:
    """The environment in which perl finds Net::SMPP: of the system, else unpacked from Debian's package."""
    perl = shutil.which("perl")
    if perl is None:
        pytest.skip("perl is not installed")
    directory = BUILD / "perl"
    directory.mkdir(parents=True, exist_ok=True)
    library = os.pathsep.join(filter(None, (str(directory / "usr/share/perl5"), os.environ.get("PERL5LIB"))))
    try_it = [perl, "-MNet::SMPP", "-MJSON::PP", "-e", "1"]
    if _run(try_it, directory, PERL5LIB=library):
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            pytest.skip("Perl's Net::SMPP is not installed")
        fetch = "apt-get download libnet-smpp-perl && dpkg-deb -x libnet-smpp-perl_*.deb ."
        wrong = _run(["/bin/sh", "-c", fetch], directory) or _run(try_it, directory, PERL5LIB=library)
        if wrong:
            pytest.skip(f"Perl's Net::SMPP is neither installed nor to be had: {wrong}")
    return {**os.environ, "PERL5LIB": library}
