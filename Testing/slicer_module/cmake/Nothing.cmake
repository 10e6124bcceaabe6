# Slicer packs the extension here.
