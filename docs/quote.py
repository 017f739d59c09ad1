"""Quotes in these pages are read from the code when the site is built, so that they cannot go stale.

A line ``{{ quote equiv/groups/finite.py cyclic }}`` becomes that definition: a function, a class, an assignment, or
the row of a catalogue whose ``name`` it is; ``short`` as a third word leaves the docstring out. A line ``{{ modules
equiv }}`` becomes the reference of every module in that folder. A file or a definition that is not there stops the
build.
"""

import ast
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import griffe

ROOT = Path(__file__).parents[1]
QUOTE = re.compile(r"^\{\{ quote (?P<path>\S+) (?P<name>\w+)(?P<short> short)? \}\}$", re.MULTILINE)
MODULES = re.compile(r"^\{\{ modules (?P<folder>\w+) \}\}$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    """What mkdocs calls for every page."""
    markdown = QUOTE.sub(lambda found: quote(found["path"], found["name"], bool(found["short"])), markdown)
    return MODULES.sub(lambda found: modules(found["folder"]), markdown)


def modules(folder: str) -> str:
    """The reference of a folder's modules, command lines left out; a package that only re-exports shows its essay."""
    directives = {}
    for path in (ROOT / folder).rglob("*.py"):
        if path.name != "__main__.py":
            name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
            own = any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.parse(path.read_text()).body)
            alone = path.name == "__init__.py" and not own
            directives[name] = f"::: {name}" + ("\n    options:\n      members: false" if alone else "")
    return "\n\n".join(directives[name] for name in sorted(directives))


def quote(path: str, name: str, short: bool = False) -> str:
    """The source of one definition, as a Markdown code block titled by its file."""
    source = (ROOT / path).read_text()
    node = next((node for node in ast.walk(ast.parse(source)) if _defines(node, name)), None)
    if node is None:
        raise ValueError(f"{path} does not define {name}")
    lines = source.splitlines()
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    kept = set(range(first, node.end_lineno + 1))
    if short and ast.get_docstring(node):
        kept -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    text = [lines[i - 1] for i in sorted(kept)]
    body = textwrap.dedent("\n".join(text)).rstrip(",")
    return f'```python title="{path}"\n{body}\n```'


def _defines(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name == name
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(target, ast.Name) and target.id == name for target in targets)
    if isinstance(node, ast.Call):
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        return isinstance(named.get("name"), ast.Constant) and named["name"].value == name
    return False


class Examples(griffe.Extension):
    """Griffe knows a section "Examples"; ours are called "Example". And a function made at run time is a function."""

    def on_module_members(self, *, mod: griffe.Module, **_: Any) -> None:
        """Read public names that another function has made, like ``assert_equivariance``, from the live module."""
        made = [name for name, member in mod.members.items() if _is_made(member) and name in (mod.exports or ())]
        if made:
            live = griffe.inspect(
                mod.path,
                filepath=mod.filepath,
                import_paths=[ROOT, *sys.path],
                docstring_parser=griffe.Parser.google,
            )
            for name in made:
                if live[name].is_function:
                    mod.set_member(name, live[name])

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rename the section of one docstring."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)


def _is_made(member: griffe.Object | griffe.Alias) -> bool:
    """Whether a name without a docstring is the result of a call."""
    plain = not member.is_alias and member.is_attribute and not member.docstring
    return plain and isinstance(member.value, griffe.ExprCall)
