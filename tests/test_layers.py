"""Who may import whom: reads every import of the package, those inside functions too."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# The parts of the package, floor by floor from the ground up, and from which others each may import: none above it.
GROUND = {
    "__init__": set(),
    "errors": set(),
    "opening": set(),
    "signals": set(),
    "paths": {"errors"},
    "reading": {"errors"},
    "console": {"errors", "signals"},
    "processes": {"errors", "signals"},
    "runtime": {"errors", "processes"},
    "memory": {"errors", "runtime"},
    "sharding": set(),
}
PIECES = {
    "text": {"errors"},
    "data": {"errors", "opening", "paths", "reading", "signals", "text"},
    "config": {"errors", "opening", "paths"},
    "ops": set(),
}
WHOLES = {
    "decoding": {"errors", "sharding", "text"},
    "nn": {"decoding", "errors", "ops"},
    "models": {"errors", "nn", "ops"},
    "metrics": {"errors", "ops"},
    "storage": {"config", "errors", "opening"},
    "interop": {"data", "errors", "opening", "reading", "storage"},
    "reporting": {"console", "errors", "metrics", "opening", "storage"},
    "training": {"config", "errors", "metrics", "ops", "processes", "reporting", "sharding", "signals", "storage"},
}
TASKS = {
    "tasks": {
        *("config", "data", "decoding", "errors", "interop", "memory", "metrics", "models", "nn", "opening", "ops"),
        *("paths", "reading", "reporting", "sharding", "signals", "text"),
    },
}
RUNS = {"runs": {*GROUND, *PIECES, *WHOLES, *TASKS}}
COMMANDS = {
    "commands": {*GROUND, "config", "data", "decoding", "runs", "storage", "tasks", "text"},
    "__main__": {"commands"},
}
MAY_IMPORT: dict[str, set[str]] = GROUND | PIECES | WHOLES | TASKS | RUNS | COMMANDS

WITHOUT_JAX = ("config", "data", "errors", "opening", "text")
JAX_LIBRARIES = {"jax", "jaxtyping", "flax", "optax", "orbax"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted((ROOT / "jaxseq").rglob("*.py"))}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in FILES.items()}


def part_of(module: str) -> str:
    """jaxseq.text.vocab -> text."""
    return [*module.split("."), "__init__"][1]


def folder_of(module: str) -> str:
    """jaxseq.tasks.vectors.word_splits -> vectors."""
    return [*module.split("."), "", ""][2]


def imports_of(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """Full names of what is imported, modules and names in them alike."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_modules(names: Iterator[str]) -> set[str]:
    """Those of this package that `names` belong to."""
    own = [name for name in names if name.split(".")[0] == "jaxseq"]
    return {name if name in FILES else name.rpartition(".")[0] for name in own}


def test_the_table_knows_every_part_and_goes_down_only():
    assert {part_of(module) for module in FILES} == set(MAY_IMPORT)
    seen: set[str] = set()
    for part, below in MAY_IMPORT.items():
        assert below <= seen
        seen.add(part)


def test_imports_keep_to_the_table():
    wrong = [
        f"{module} imports {imported}"
        for module, tree in TREES.items()
        for imported in own_modules(imports_of(ast.walk(tree)))
        if part_of(imported) not in {part_of(module), *MAY_IMPORT[part_of(module)]}
    ]
    assert not wrong


def test_models_never_import_each_other():
    models = {module for module in FILES if part_of(module) == "models"} - {"jaxseq.models"}
    wrong = {module: own_modules(imports_of(ast.walk(TREES[module]))) & models - {module} for module in models}
    assert not any(wrong.values()), wrong


def test_folders_of_tasks_never_import_each_other():
    """What two of them need lies beside them, in tasks/ itself."""
    folders = {path.name for path in (ROOT / "jaxseq" / "tasks").iterdir() if (path / "__init__.py").exists()}
    assert folders
    wrong = [
        f"{module} imports {imported}"
        for module, tree in TREES.items()
        if part_of(module) == "tasks" and folder_of(module) in folders
        for imported in own_modules(imports_of(ast.walk(tree)))
        if part_of(imported) == "tasks" and folder_of(imported) in folders - {folder_of(module)}
    ]
    assert not wrong


def test_text_and_data_never_import_jax():
    wrong = {
        module: {name.split(".")[0] for name in imports_of(ast.walk(tree))} & JAX_LIBRARIES
        for module, tree in TREES.items()
        if part_of(module) in WITHOUT_JAX
    }
    assert not any(wrong.values()), wrong


def test_imports_run_in_no_circle():
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, f"a circle: {' -> '.join([*above[above.index(module) :], module])}"
        if module not in done:
            for imported in sorted(own_modules(imports_of(iter(TREES[module].body)))):
                visit(imported, (*above, module))
            done.add(module)

    for module in FILES:
        visit(module, ())


def test_no_file_is_longer_than_400_lines():
    files = [*FILES.values(), *ROOT.glob("*.py"), *ROOT.glob("configs/*.py"), *ROOT.glob("tests/**/*.py")]
    assert not [file for file in files if len(file.read_text(encoding="utf-8").splitlines()) > 400]


def test_git_ignores_no_part_of_the_source():
    folders = [str(path.relative_to(ROOT)) for top in ("jaxseq", "tests") for path in (ROOT / top).rglob("*.py")]
    try:
        done = subprocess.run(
            ["git", "check-ignore", "--no-index", *folders], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("no git here")
    if done.returncode == 128:
        pytest.skip("this is no git repository")
    assert done.stdout == ""
