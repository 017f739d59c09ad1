"""The files around the code: they name versions, commands and pages, and here they are held to what is there."""

import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import equiv

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
JAX = "jax>=0.10.1,!=0.10.2,!=0.11.0,!=0.11.1"
"""0.10.2 returns wrong rows; see tests/test_platform.py."""
PYTHONS = ("3.11", "3.12")
FOLDERS = ("equiv", "theory", "experiments", "paper_figures")


def tracked(*patterns):
    found = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", *patterns], capture_output=True, text=True, check=True)
    return [ROOT / name for name in found.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def texts():
    """Every tracked file that is text."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs the git checkout")
    found = {}
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            found[path.relative_to(ROOT).as_posix()] = content.decode()
    return found


def requirements(*extras):
    """Every requirement of the project with these extras, those of its own extras resolved."""
    groups = PROJECT["optional-dependencies"]
    for text in PROJECT["dependencies"] + [t for extra in extras for t in groups[extra]]:
        requirement = Requirement(text)
        if requirement.name == PROJECT["name"]:
            yield from requirements(*requirement.extras)
        else:
            yield requirement


def constraints(python):
    """Name -> version for one Python."""
    environment = default_environment() | {"python_version": python, "python_full_version": f"{python}.0"}
    found = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate(environment):
                (specifier,) = requirement.specifier
                assert specifier.operator == "==", line
                name = canonicalize_name(requirement.name)
                assert name not in found, f"{name} twice"
                found[name] = specifier.version
    return found


def test_jax_is_pinned_away_from_the_broken_release():
    assert JAX in PROJECT["dependencies"]
    specifier = Requirement(JAX).specifier
    assert specifier.contains("0.10.1")
    assert specifier.contains("0.12.0")
    assert not any(specifier.contains(version) for version in ("0.10.0", "0.10.2", "0.11.0", "0.11.1"))


@pytest.mark.parametrize("python", PYTHONS)
def test_constraints_cover_and_satisfy_every_requirement(python):
    versions = constraints(python)
    for requirement in requirements("dev"):
        name = canonicalize_name(requirement.name)
        assert name in versions, f"{name} is not in constraints.txt"
        assert requirement.specifier.contains(versions[name]), f"{requirement} excludes {versions[name]}"


@pytest.mark.parametrize("python", PYTHONS)
def test_constraints_hold_what_the_requirements_bring(python):
    """Every installed requirement of a requirement is constrained too, so that an install is the tested one."""
    import importlib.metadata

    versions, todo, seen = constraints(python), list(requirements("dev")), set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if (name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, frozenset(requirement.extras)))
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        assert name in versions, f"{name} is not in constraints.txt"
        for text in distribution.requires or ():
            inner = Requirement(text)
            extras = requirement.extras or {""}
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(inner)


def test_constraints_name_no_address():
    text = (ROOT / "constraints.txt").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-|@", text, re.MULTILINE)


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] == equiv.__version__
    assert citation["license"] == PROJECT["license"]
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:300]


def test_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert len(links) > 20
    for link in links:
        assert (ROOT / link).exists(), link


def targets():
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_commands_in_prose_exist(texts):
    """`make X` and `python -m FOLDER X` in the README and the docs are commands that there are."""
    from experiments.__main__ import COMMANDS as EXPERIMENT_COMMANDS
    from paper_figures.__main__ import COMMANDS as FIGURE_COMMANDS
    from paper_figures.catalogue import FIGURES

    known = {
        "experiments": set(EXPERIMENT_COMMANDS),
        "theory": {"list", "show", "check"},
        "paper_figures": {*FIGURE_COMMANDS, "all", *FIGURES},
    }
    for name, text in texts.items():
        if name == "README.md" or name.startswith("docs/"):
            code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
            for target in re.findall(r"\bmake ([a-z]+)\b", code):
                assert target in targets(), f"{name}: make {target}"
            for folder, command in re.findall(r"\bpython3? -m (theory|experiments|paper_figures) ([a-z_]+)\b", code):
                assert command in known[folder], f"{name}: python -m {folder} {command}"


def test_every_target_is_explained_and_phony():
    text = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split())
    explained = set(re.findall(r"^([a-z]+):.*## ", text, re.MULTILINE))
    assert phony == targets() == explained | {"setup"}


def test_no_machine_paths(texts):
    pattern = re.compile(r"(?<![\w.])/(?:home|root|Users|work|opt|mnt|tmp/w)/\w|[A-Z]:\\\\")
    for name, text in texts.items():
        if name != "tests/test_project_files.py":
            found = pattern.search(text)
            assert not found, f"{name}: {found[0]}"


def test_no_generated_files_are_tracked(texts):
    for name in texts:
        assert not re.search(r"(^|/)(__pycache__|\.venv|site|dist|runs|\.cells)/|^paper_figures/out/", name), name


# --- docs ----------------------------------------------------------------------------------------


def pages(nav):
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from pages(value) if isinstance(value, list) else [value]


def test_every_page_is_in_the_navigation():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    found = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert sorted(pages(nav)) == sorted(found)


def test_the_reference_covers_every_folder():
    for folder in FOLDERS:
        assert f"{{{{ modules {folder} }}}}" in (ROOT / "docs" / "reference" / f"{folder}.md").read_text()


def public(folder):
    """``module.name`` of every function and class a folder exports, by where it is defined."""
    for path in (ROOT / folder).rglob("*.py"):
        name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        if path.name != "__main__.py":
            module = importlib.import_module(name)
            for value in (getattr(module, export) for export in getattr(module, "__all__", ())):
                if inspect.isfunction(value) or (inspect.isclass(value) and value.__module__.startswith(folder)):
                    yield f"{value.__module__}.{value.__name__}"


def test_the_documentation_builds(tmp_path):
    """Strictly: no dead link, no quote of code that is gone, no page outside the navigation, no export left out."""
    found = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    assert not re.search(r"https?://(?:fonts|cdn|unpkg)", (tmp_path / "site" / "index.html").read_text())
    for folder in FOLDERS:
        page = (tmp_path / "site" / "reference" / f"{folder}.html").read_text()
        missing = [name for name in public(folder) if f'id="{name}"' not in page]
        assert not missing, f"the reference leaves out {', '.join(missing)}"
