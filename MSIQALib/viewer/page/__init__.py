"""The page of the viewer: what one worker shows to its browser, by trame and 3D Slicer's core."""
