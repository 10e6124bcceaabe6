"""No-reference quality assessment of PET/CT, slice by slice.

The engine behind the 3D Slicer module, the command line and the browser viewer. Importing it is
cheap: neither PyTorch nor Qt is loaded before something needs them.

Research software, not a medical device.
"""

from MSIQALib.version import __version__

__all__ = ["__version__"]
