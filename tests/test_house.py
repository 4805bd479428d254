"""The house rules that a machine can hold. Breaking one costs a line in `ALLOWED`, with the day and the reason."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "smsgw").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

MODULE_LINES = 450
FUNCTION_LINES = 70
TEST_MODULE_LINES = 700

# The walls, where a failure of one connection, link, message or command must not end the others.
WALLS = {
    "smsgw/__main__.py",
    "smsgw/wire.py",
    "smsgw/daemon.py",
    "smsgw/journey/jobs.py",
    "smsgw/journey/recall.py",
    "smsgw/journey/receipt.py",
    "smsgw/policy/docket.py",
    "smsgw/carriers/link.py",
    "smsgw/carriers/runner.py",
    "smsgw/tenants/listener.py",
    "smsgw/tenants/session.py",
    "smsgw/store/commit.py",
    "smsgw/client/client.py",
    "smsgw/sim/",
    "smsgw/cli/",
    "smsgw/demo/",
    "smsgw/bench/",
    "smsgw/admin/",
}
SPEAKERS = ("smsgw/__main__.py", "smsgw/cli/", "smsgw/demo/", "smsgw/bench/", "smsgw/sim/")

TOP = {
    *(".ci", ".dockerignore", ".gitignore", "CHANGELOG.md", "Dockerfile", "LICENSE", "Makefile", "README.md", "hatch_build.py"),
    *("config", "docs", "pyproject.toml", "smsgw", "systemd", "tests"),
}
ROOMS = {
    *("__init__", "__main__", "admin", "bench", "billing", "campaigns", "carriers", "cli", "client", "compliance"),
    *(
        "config",
        "console",
        "contracts",
        "daemon",
        "demo",
        "directory",
        "ground",
        "journey",
        "model",
        "notices",
        "numbering",
        "outcomes",
    ),
    *(
        "policy",
        "process",
        "provisioned",
        "py",
        "receipts",
        "reports",
        "routing",
        "sim",
        "smpp",
        "spans",
        "states",
        "store",
        "telemetry",
        "tenants",
        "wire",
    ),
}

# (rule, path): "yyyy-mm-dd why, and what would end it"
ALLOWED: dict[tuple[str, str], str] = {
    (
        "sleeping tests",
        "tests/crash/campaign.py",
    ): "2026-11-24: the random instant of a kill is the point of it; and other processes"
    " do not tell when they have taken over or have nothing left: they are asked",
    ("sleeping tests", "tests/hostile/attackers.py"): "2026-11-24: an octet a second is the attack itself, in a process of its own",
}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _is_wall(name: str) -> bool:
    return any(name == wall or (wall.endswith("/") and name.startswith(wall)) for wall in WALLS)


def _called(node: ast.AST) -> str:
    """The name of what a call calls, without what it hangs on: `asyncio.sleep` and `sleep` are `sleep`."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return name
        case _:
            return ""


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _check(rule: str, found: list[str]) -> None:
    """Fail with what was found, but for what is allowed by name; an allowance that is not needed any more fails too."""
    allowed = {path for of, path in ALLOWED if of == rule}
    paths = {line.partition(":")[0] for line in found}
    unexpected = [line for line in found if line.partition(":")[0] not in allowed]
    assert not unexpected, "\n".join([rule, *unexpected])
    assert allowed <= paths, f"{rule}: no longer needed: {sorted(allowed - paths)}"


def test_every_module_says_what_it_is():
    """Each module of smsgw opens with a docstring of at least a whole sentence."""
    found = [_name(path) for path in SOURCES if len(ast.get_docstring(_tree(path)) or "") < 30]
    _check("docstring", found)


def test_no_module_keeps_a_logger():
    """A logger is made where it is used: one that a module keeps goes on writing as the first caller's settings said."""
    kept = [
        f"{path.relative_to(ROOT)}: a logger"
        for path in SOURCES
        if re.search(r"^\w+ = structlog", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    _check("no kept logger", kept)


def test_modules_are_short():
    """A module has at most 450 lines, a test module 700: a longer one holds two ideas."""
    limits = [(path, MODULE_LINES) for path in SOURCES] + [(path, TEST_MODULE_LINES) for path in TESTS]
    counted = [(path, limit, path.read_text(encoding="utf-8").count("\n")) for path, limit in limits]
    _check("length", [f"{_name(path)}: {lines} lines" for path, limit, lines in counted if lines > limit])


def test_functions_are_short():
    """A function has at most 70 lines with its docstring: if it does not fit, a noun is missing."""
    found = [
        f"{_name(path)}:{function.lineno} {function.name} has {(function.end_lineno or 0) - function.lineno + 1} lines"
        for path in SOURCES
        for function in _functions(_tree(path))
        if (function.end_lineno or 0) - function.lineno >= FUNCTION_LINES
    ]
    _check("function length", found)


def test_tasks_have_a_parent():
    """Tasks are made by a TaskGroup alone: `create_task` of anything else, and `ensure_future`, leave orphans."""
    found = []
    for path in SOURCES:
        for node in ast.walk(_tree(path)):
            orphan = _called(node) == "ensure_future"
            match node:
                case ast.Call(func=ast.Attribute(attr="create_task", value=value)):
                    orphan = re.search(r"asyncio|loop", ast.unparse(value)) is not None
                case ast.Call(func=ast.Name(id="create_task")):
                    orphan = True
                case _:
                    pass
            if orphan:
                found.append(f"{_name(path)}:{node.lineno} {ast.unparse(node)[:60]}")  # type: ignore[attr-defined]
    _check("tasks", found)


def test_only_walls_catch_everything():
    """`except Exception` stands only where one connection, link or message must not end the others."""
    found = [
        f"{_name(path)}:{node.lineno}"
        for path in SOURCES
        if not _is_wall(_name(path))
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and not any(isinstance(part, ast.Raise) and part.exc is None for part in ast.walk(node))
    ]
    _check("catches all", found)


def _waits_in_handlers(node: ast.AST, *, handling: bool = False) -> Iterator[int]:
    """The lines at which a coroutine can be suspended while it handles an exception, or leaves an `async with` by one."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            handling = False
        case ast.Try() | ast.TryStar():
            for part in (*node.body, *node.orelse):
                yield from _waits_in_handlers(part, handling=handling)
            for part in (*node.handlers, *node.finalbody):
                yield from _waits_in_handlers(part, handling=True)
            return
        case ast.Await() | ast.Yield() | ast.YieldFrom() | ast.AsyncFor() if handling:
            yield node.lineno
        case ast.AsyncWith():
            # A time-out is the only one here that never suspends as it is left.
            left_at_once = all(ast.unparse(item.context_expr).startswith("asyncio.timeout(") for item in node.items)
            if handling or not left_at_once:
                yield node.lineno
        case _:
            pass
    for part in ast.iter_child_nodes(node):
        yield from _waits_in_handlers(part, handling=handling)


def test_what_is_compiled_does_not_wait_while_it_handles_an_exception():
    """mypyc keeps the exception that is handled where other tasks keep theirs: after a wait, `raise` may raise another's."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    modules = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"]
    assert "smsgw/store/commit.py" in modules
    found = [f"{name}:{line}" for name in modules for line in _waits_in_handlers(_tree(ROOT / name))]
    _check("waits while handling", found)


def test_only_speakers_print():
    """Only the command line and what draws on a terminal prints; everything else logs."""
    found = [
        f"{_name(path)}:{node.lineno}"
        for path in SOURCES
        if not _name(path).startswith(SPEAKERS)
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    _check("prints", found)


def test_sql_stays_in_the_store():
    """No other room imports asyncpg or holds a statement."""
    statement = re.compile(
        r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|DELETE\s+FROM|CREATE\s+TABLE|ALTER\s+TABLE)\b|\bUPDATE\s+\w+\s+SET\b",
        re.DOTALL,
    )
    found = []
    for path in SOURCES:
        name = _name(path)
        if name.startswith("smsgw/store/"):
            continue
        tree = _tree(path)
        documentation = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            match node:
                case ast.Constant(value=str(text)) if id(node) not in documentation and statement.search(text):
                    found.append(f"{name}:{node.lineno} holds SQL")
                case ast.Import(names=names) if any(entry.name.partition(".")[0] == "asyncpg" for entry in names):
                    found.append(f"{name}:{node.lineno} imports asyncpg")
                case ast.ImportFrom(module=str(module)) if module.partition(".")[0] == "asyncpg":
                    found.append(f"{name}:{node.lineno} imports asyncpg")
                case _:
                    pass
    _check("sql", found)


def test_the_language_stands_alone():
    """`smpp/` imports the standard library and itself, and neither sockets, nor clocks, nor asyncio."""
    found = []
    for path in SOURCES:
        if not _name(path).startswith("smsgw/smpp/"):
            continue
        for node in ast.walk(_tree(path)):
            names = [entry.name for entry in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            found += [
                f"{_name(path)}:{node.lineno} imports {name}"  # type: ignore[attr-defined]
                for name in names
                if name.partition(".")[0] in {"asyncio", "socket", "time", "threading", "asyncpg", "msgspec", "structlog"}
                or (name.startswith("smsgw") and not name.startswith("smsgw.smpp"))
            ]
    _check("language", found)


def test_each_module_has_its_tests():
    """`smsgw/room/module.py` is tested by `tests/room/test_module.py`; one that holds no function needs none."""
    found = []
    for path in SOURCES:
        inside = path.relative_to(ROOT / "smsgw")
        if not any(_functions(_tree(path))):
            continue
        stem = path.stem if path.name != "__init__.py" else path.parent.name
        expected = ROOT / "tests" / inside.parent / f"test_{stem.strip('_')}.py"
        if not expected.exists():
            found.append(f"{_name(path)}: no {_name(expected)}")
    _check("tests", found)


@pytest.mark.parametrize("room", ["admin", "carriers", "journey", "policy", "store"])
def test_a_room_names_each_of_its_modules(room: str):
    """Whoever opens a room of many modules finds each of them in its first lines."""
    place = ROOT / "smsgw" / room
    said = set(re.findall(r"\w+", ast.get_docstring(_tree(place / "__init__.py")) or ""))
    # "the values in access_, contract_, naming_ and retention_values": what ends alike is said once
    named = {path.stem for path in place.glob("*.py") if path.stem in said or f"{path.stem.split('_')[0]}_" in said}
    _check("rooms", [f"smsgw/{room}/{path.name}" for path in place.glob("[!_]*.py") if path.stem not in named])


def test_tests_say_what_they_show():
    """Each test's docstring states the behaviour."""
    found = [
        f"{_name(path)}:{function.lineno} {function.name}"
        for path in TESTS
        for function in _functions(_tree(path))
        if function.name.startswith("test_") and len(ast.get_docstring(function) or "") < 20
    ]
    _check("test docstrings", found)


def test_tests_do_not_sleep():
    """A test waits for an event, never for seconds: only `sleep(0)`, a turn of the loop, is none."""
    found = [
        f"{_name(path)}:{node.lineno} {ast.unparse(node)}"  # type: ignore[attr-defined]
        for path in TESTS
        for node in ast.walk(_tree(path))
        if _called(node) == "sleep" and ast.unparse(node.args[0] if node.args else node) != "0"  # type: ignore[attr-defined]
    ]
    _check("sleeping tests", found)


def test_every_test_asserts():
    """A test that asserts nothing, expects nothing and calls nothing that does shows nothing."""
    asserting = re.compile(r"assert|expect|check|verify|raises|fails|play|ladder|conversation|run_")
    found = [
        f"{_name(path)}:{function.lineno} {function.name}"
        for path in TESTS
        for function in _functions(_tree(path))
        if function.name.startswith("test_")
        and not any(isinstance(node, ast.Assert) or asserting.search(_called(node)) for node in ast.walk(function))
    ]
    _check("tests that assert", found)


def test_names_say_what_things_are():
    """No class is a Manager, Helper, Handler, Processor or Service, no module is `utils` or `common`."""
    vague = re.compile(r"(Manager|Helper|Handler|Processor|Service)$")
    found = [f"{_name(path)}: vague name" for path in SOURCES if path.stem in {"utils", "util", "common", "helpers", "misc"}]
    found += [
        f"{_name(path)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ClassDef) and vague.search(node.name)
    ]
    _check("names", found)


def _tracked() -> list[str]:
    try:
        done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return done.stdout.splitlines()


def test_the_listing_tells_the_story():
    """What lies at the top and which rooms there are is written down here; a new one is a decision."""
    tracked = _tracked()
    _check("top", sorted({name.partition("/")[0] for name in tracked} - TOP))
    rooms = {name.split("/")[1].partition(".")[0] for name in tracked if name.startswith("smsgw/")}
    _check("rooms", sorted(rooms - ROOMS))


def test_no_path_of_one_machine_is_tracked():
    """Nothing in the repository names the directory it was written in."""
    here = f"{ROOT}/"
    found = []
    for name in _tracked():
        path = ROOT / name
        if path.suffix in {".py", ".toml", ".md", ".sql", ".service", ".socket", ".yml", ".json", ""} and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{name}: {here}"] if here in text else []
    _check("paths", found)
