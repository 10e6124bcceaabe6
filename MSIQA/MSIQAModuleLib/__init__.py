"""The parts of the MSIQA module that need Slicer: nodes, views, widgets, the process.

What needs neither Slicer nor Qt is in MSIQALib.
"""
