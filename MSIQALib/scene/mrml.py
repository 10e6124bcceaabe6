"""Adding nodes as the subject hierarchy expects it, and removing them with their helpers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLScene


def add_node(scene: vtkMRMLScene, class_name: str, name: str, *, hidden: bool = False) -> Any:
    """Add a node that has its name and visibility before the scene tells of it.

    Slicer's subject hierarchy decides when a node is added whether to list it, and never again, so
    :meth:`vtkMRMLScene.AddNewNodeByClass` is too late to hide one.

    Args:
        scene: Where to add it.
        class_name: A class that the scene knows, such as "vtkMRMLTableNode".
        name: Shown to the user; need not be unique.
        hidden: Keep it out of node selectors and of the subject hierarchy.

    Raises:
        ValueError: The scene does not know the class: the logic that registers it was not given
            the scene.
    """
    node = scene.CreateNodeByClass(class_name)
    if node is None:
        raise ValueError(f"The scene does not know {class_name}")
    # CreateNodeByClass hands its reference over to the caller.
    node.UnRegister(None)
    node.SetName(name)
    node.SetHideFromEditors(hidden)
    return scene.AddNode(node)


def remove_node(node: vtkMRMLNode) -> None:
    """Remove a node from its scene, with its display and storage nodes."""
    scene = node.GetScene()
    helpers = list(_helpers(node))
    scene.RemoveNode(node)
    for helper in helpers:
        scene.RemoveNode(helper)


def _helpers(node: vtkMRMLNode) -> Iterator[vtkMRMLNode]:
    for kind in ("Display", "Storage"):
        if not hasattr(node, f"GetNumberOf{kind}Nodes"):
            continue
        for at in range(getattr(node, f"GetNumberOf{kind}Nodes")()):
            helper = getattr(node, f"GetNth{kind}Node")(at)
            if helper is not None:
                yield helper
