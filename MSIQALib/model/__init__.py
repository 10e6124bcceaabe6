"""The network, its weights and the files that hold them."""
