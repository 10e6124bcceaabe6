"""One folder of the subject hierarchy for each assessment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLScene, vtkMRMLSubjectHierarchyNode

FOLDER_ATTRIBUTE = "MSIQA.Folder"
NO_ITEM = 0


def make_folder(scene: vtkMRMLScene, name: str) -> int:
    """Add a folder at the top of the hierarchy and give its item's ID."""
    hierarchy = _hierarchy(scene)
    folder: int = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), name)
    hierarchy.SetItemAttribute(folder, FOLDER_ATTRIBUTE, "1")
    return folder


def put_into_folder(folder: int, node: vtkMRMLNode) -> None:
    """Move a node into a folder; an unknown folder leaves it at the top."""
    hierarchy = _hierarchy(node.GetScene())
    hierarchy.CreateItem(folder or hierarchy.GetSceneItemID(), node)


def folder_of(node: vtkMRMLNode) -> int:
    """The nearest folder around a node that :func:`make_folder` made, or :data:`NO_ITEM`.

    Item IDs change when a scene is restored; ask again rather than keep them.
    """
    hierarchy = _hierarchy(node.GetScene())
    top = hierarchy.GetSceneItemID()
    item: int = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))
    while item not in (NO_ITEM, top):
        if hierarchy.HasItemAttribute(item, FOLDER_ATTRIBUTE):
            return item
        item = hierarchy.GetItemParent(item)
    return NO_ITEM


def take_out(node: vtkMRMLNode) -> None:
    """Forget a node that is about to be removed: outside of 3D Slicer nobody else does."""
    hierarchy = _hierarchy(node.GetScene())
    item = hierarchy.GetItemByDataNode(node)
    if item != NO_ITEM:
        hierarchy.RemoveItem(item, False, False)


def remove_folder(scene: vtkMRMLScene, folder: int) -> None:
    """Remove a folder, unless something of the user's is in it."""
    hierarchy = _hierarchy(scene)
    if folder != NO_ITEM and hierarchy.GetNumberOfItemChildren(folder) == 0:
        hierarchy.RemoveItem(folder)


def _hierarchy(scene: vtkMRMLScene) -> vtkMRMLSubjectHierarchyNode:
    from slicer import vtkMRMLSubjectHierarchyNode

    return vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
