"""Small stand-ins for what only the Slicer application has.

MRML nodes, scene, logics and slicer.util are Slicer's own (package slicer-core); widgets are Qt's
own (PySide6, offscreen). What is in between is here, each part with the file of Slicer, CTK or
PythonQt whose behaviour it follows. Paths are those of the repositories Slicer/Slicer, commontk/CTK
and MeVisLab/pythonqt.
"""
