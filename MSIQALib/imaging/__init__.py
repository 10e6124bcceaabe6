"""Reading PET and CT, and fusing them slice by slice. Needs neither torch nor Qt."""
