"""Who may import whom: read from the syntax trees, so that a forbidden import is found even where no test runs it."""

import ast
import importlib.util
import itertools
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("equiv", "theory", "experiments", "paper_figures")
"""A folder imports those before it, never those after it."""
ROOMS = ("numerics", "groups", "reps", "layers", "soft", "laws", "testing")
"""The same inside equiv."""
FLAX = ("equiv/flax.py", "experiments/models")
"""The only places that know flax."""
VAGUE = {"utils", "util", "helpers", "helper", "misc", "common"}

MODULES = sorted(path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def imported(path):
    """Every name a module imports, dotted; `from a import b` counts as a.b."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def later(order, name):
    return order[order.index(name) + 1 :] if name in order else ()


def begins(name, *prefixes):
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def forbidden(path, names):
    """The imports among `names` that a module at `path` may not have, each with the rule it breaks."""
    folder, room = path.parts[0], Path(path.parts[1]).stem
    for name in names:
        if name.startswith("."):
            yield name, "relative import"
        if begins(name, *later(FOLDERS, folder), "tests", "benchmarks"):
            yield name, f"{folder} does not import what comes after it"
        if folder == "equiv" and begins(name, *(f"equiv.{r}" for r in later(ROOMS, room))):
            yield name, f"equiv.{room} does not import what comes after it"
        if begins(name, "flax") and not begins(path.as_posix().replace("/", "."), *(f.replace("/", ".") for f in FLAX)):
            yield name, "flax is known to its bridge and to the baselines only"
        if folder == "paper_figures" and begins(
            name, "experiments.train", "experiments.models", "experiments.sweep", "optax"
        ):
            yield name, "figures read stored results, never a training loop"
        if VAGUE & set(name.split(".")) and begins(name, *FOLDERS):
            yield name, "a name that says nothing"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_directions(path):
    assert not list(forbidden(path, imported(path)))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("equiv/groups/base.py", "theory.claim.Claim"),
        ("equiv/groups/base.py", "equiv.reps"),
        ("equiv/numerics.py", "equiv.groups.so"),
        ("equiv/layers/linear.py", "equiv.laws.measure_equivariance"),
        ("equiv/layers/linear.py", "flax.linen"),
        ("equiv/laws.py", "equiv.testing"),
        ("theory/claim.py", "experiments.store"),
        ("theory/claim.py", "flax"),
        ("experiments/store.py", "paper_figures"),
        ("paper_figures/store.py", "experiments.train.fit"),
        ("paper_figures/store.py", ".record.Figure"),
        ("equiv/groups/base.py", "equiv.utils.norm"),
    ],
)
def test_the_rules_can_be_broken(path, name):
    assert list(forbidden(Path(path), [name]))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("equiv/laws.py", "equiv.groups.Group"),
        ("equiv/flax.py", "flax.linen"),
        ("experiments/models/mlp.py", "flax.linen"),
        ("experiments/store.py", "theory.provenance"),
        ("paper_figures/store.py", "experiments.store"),
        ("equiv/layers/linear.py", "equiv.layers.base.Layer"),
    ],
)
def test_the_rules_allow_the_house(path, name):
    assert not list(forbidden(Path(path), [name]))


def test_the_rooms_have_names():
    for path in MODULES:
        assert not VAGUE & {Path(part).stem for part in path.parts}, path


def test_the_catalogue_of_rooms_is_complete():
    """A new module directly below equiv has to be given its place in the order (or be a bridge)."""
    found = {Path(path.parts[1]).stem for path in MODULES if path.parts[0] == "equiv"}
    assert found - {"__init__", "flax"} <= set(ROOMS)


def test_importing_the_package_configures_nothing():
    """No module below these folders calls jax.config.update, except the command lines and the test plugin."""
    for path in MODULES:
        if path.name == "__main__.py":
            continue
        calls = (node for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.Call))
        assert not any(ast.unparse(call.func) == "jax.config.update" for call in calls), path


def test_every_module_says_what_it_exports():
    """`__all__` names what is there, and each name is public."""
    for path in itertools.filterfalse(lambda p: p.name == "__main__.py", MODULES):
        tree = ast.parse((ROOT / path).read_text())
        assert ast.get_docstring(tree), f"{path} has no docstring"
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                names = ast.literal_eval(node.value)
                assert not [name for name in names if name.startswith("_")], path


def test_only_equiv_is_installed():
    """theory, experiments and paper_figures come from the checkout."""
    for folder in FOLDERS:
        spec = importlib.util.find_spec(folder)
        assert Path(spec.origin).is_relative_to(ROOT), spec.origin
