"""Results as nodes of a 3D Slicer scene (MRML): table, chart, volumes, colours, folder.

The functions take a scene or nodes and return nodes. They need VTK and MRML - those of 3D Slicer
or of the package slicer-core - when they are called, not when this package is imported. They know
of no application and no Qt, and add no observers. Positions are handed over in RAS, as all of MRML
does; the engine's geometries are LPS.

:mod:`MSIQALib.scene.study` is where to begin.
"""
