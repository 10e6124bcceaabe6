"""Every name of Slicer, Qt, CTK and VTK that the module uses exists, and where.

`slicer_names.json` lists them with repository, commit, file and a piece of that file's text. The
first tests fail when the module uses a name that is not listed, or lists one it no longer uses;
others look the names up in the packages that are installed. With MSIQA_SOURCES set to a folder of
git clones (owner+name, or owner/name), the last one reads the files at the listed commits.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from standins.originals import git_folder, listed_commit

ROOT = Path(__file__).resolve().parents[2]
LISTED = json.loads(Path(__file__).with_name("slicer_names.json").read_text("utf-8"))
MODULE_FILES = (ROOT / "MSIQA" / "MSIQA.py", *(ROOT / "MSIQA" / "MSIQAModuleLib").glob("*.py"))
APPLICATION = ("slicer", "qt", "ctk")
OUTSIDE = (*APPLICATION, "vtk", "SampleData", "PyTorchUtils")


def trees():
    return [ast.parse(path.read_text("utf-8"), str(path)) for path in MODULE_FILES]


def dotted(node: ast.Attribute) -> str:
    parts = [node.attr]
    value = node.value
    while isinstance(value, ast.Attribute):
        parts.append(value.attr)
        value = value.value
    return ".".join([value.id, *reversed(parts)]) if isinstance(value, ast.Name) else ""


def names_used() -> set[str]:
    """Dotted names that begin in a module of the application, and names imported from one."""
    found = set()
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                name = dotted(node)
                if name.partition(".")[0] in OUTSIDE:
                    found.add(name)
            elif isinstance(node, ast.ImportFrom) and node.module:
                if node.module.partition(".")[0] in OUTSIDE:
                    found |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr":
                target, attribute = node.args[:2]
                if ast.unparse(target) in OUTSIDE and isinstance(attribute, ast.Constant):
                    found.add(f"{ast.unparse(target)}.{attribute.value}")
    return found


def attributes_used() -> set[str]:
    return {
        node.attr
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and dotted(node).partition(".")[0] not in OUTSIDE
    }


def own_names() -> set[str]:
    """What the project defines, and the widgets of its panel."""
    found = set()
    for path in (*MODULE_FILES, *(ROOT / "MSIQALib").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found.add(node.name)
            targets = node.targets if isinstance(node, ast.Assign) else []
            targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
            for target in targets:
                for part in target.elts if isinstance(target, ast.Tuple) else [target]:
                    if isinstance(part, ast.Name):
                        found.add(part.id)
                    elif isinstance(part, ast.Attribute) and ast.unparse(part.value) == "self":
                        found.add(part.attr)
    panel = ElementTree.parse(ROOT / "MSIQA" / "Resources" / "UI" / "MSIQA.ui")
    return found | {widget.get("name") for widget in panel.iter("widget")}


def listed_attributes() -> set[str]:
    return set().union(*(LISTED[kind] for kind in ("members", "qt", "vtk", "python")))


def test_every_dotted_name_is_listed():
    used = {name for name in names_used() if name.partition(".")[0] != "vtk"}
    known = set(LISTED["names"])
    attributes = listed_attributes()

    def is_listed(name):
        # A member of a listed thing: slicer.vtkMRMLSliceNode.JumpAllSlices
        owner, _dot, last = name.rpartition(".")
        return name in known or (owner in known and last in attributes)

    assert {name for name in used if not is_listed(name)} == set()


def test_every_attribute_is_accounted_for():
    assert attributes_used() - own_names() - listed_attributes() == set()


def test_nothing_is_listed_that_is_not_used():
    text = "\n".join(path.read_text("utf-8") for path in MODULE_FILES)
    last_parts = [name.replace(":", ".").rpartition(".")[2] for name in LISTED["names"]]
    for name in (*last_parts, *listed_attributes()):
        assert name.partition("(")[0] in text, name


def test_a_name_that_slicer_lacks_would_be_noticed(monkeypatch, tmp_path):
    script = tmp_path / "extra.py"
    script.write_text("import slicer\nslicer.util.loadEverything()\nnode.GetNoSuchThing()\n")
    monkeypatch.setattr(f"{__name__}.MODULE_FILES", (*MODULE_FILES, script))
    with pytest.raises(AssertionError, match="loadEverything"):
        test_every_dotted_name_is_listed()
    with pytest.raises(AssertionError, match="GetNoSuchThing"):
        test_every_attribute_is_accounted_for()


def test_vtk_has_its_names():
    import vtk

    for name in (name for name in names_used() if name.startswith("vtk.")):
        value = vtk
        for part in name.split(".")[1:]:
            value = getattr(value, part)
    for member, owner in LISTED["vtk"].items():
        assert hasattr(getattr(vtk, owner), member), f"{owner}.{member}"


def test_mrml_has_its_members():
    import slicer

    checked = 0
    for name, entry in LISTED["members"].items():
        if entry["of"].startswith("slicer."):
            owner = getattr(slicer, entry["of"].partition(".")[2])
            assert hasattr(owner, name), f"{entry['of']}.{name}"
            checked += 1
    assert checked > 30


def test_qt_has_its_members():
    from PySide6 import QtCore, QtWidgets

    for name, entries in LISTED["qt"].items():
        for entry in entries:
            if "file" in entry:
                continue
            owner = getattr(QtWidgets, entry["of"], None) or getattr(QtCore, entry["of"])
            if entry["kind"] == "property":
                assert owner.staticMetaObject.indexOfProperty(name) >= 0, f"{entry['of']}.{name}"
            else:
                assert hasattr(owner, name), f"{entry['of']}.{name}"


@pytest.mark.skipif("MSIQA_SOURCES" not in os.environ, reason="MSIQA_SOURCES is not set")
def test_sources_hold_the_listed_text():
    entries = [*LISTED["names"].items(), *LISTED["members"].items()]
    entries += [(k, e) for k, found in LISTED["qt"].items() for e in found if "file" in e]
    entries += [(entry["what"], entry) for entry in LISTED["behaviour"]]
    texts: dict[tuple[str, str], str] = {}
    for name, entry in entries:
        key = entry["repository"], entry["file"]
        if key not in texts:
            git, commit = git_folder(entry["repository"]), listed_commit(entry["repository"])
            texts[key] = subprocess.run(
                ["git", f"--git-dir={git}", "show", f"{commit}:{entry['file']}"],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        assert entry["text"] in texts[key], f"{name} in {key}"
