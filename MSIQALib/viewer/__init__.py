"""The viewer in a browser: a front that guards the door, and a worker process for each browser.

It needs the extra ``viewer``; nothing here is imported by the rest of the package.
"""
