"""An assessment in a process of its own: what its parent needs to start, follow and end it."""
