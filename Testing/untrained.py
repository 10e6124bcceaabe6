"""A network of known size for tests that need weights, but no sense in the scores."""

from __future__ import annotations

from pathlib import Path


def save_untrained_network(path: Path) -> Path:
    """Write the whole network, untrained, its scores inside the scale.

    PyTorch is imported here, not at the top: tests of the Slicer module set up Qt first.
    """
    import torch

    from MSIQALib.model.checkpoint import save_model
    from MSIQALib.model.config import ModelConfig
    from MSIQALib.model.network import MSIQA
    from MSIQALib.model.weights_info import WeightsInfo

    torch.manual_seed(3)
    network = MSIQA(ModelConfig(pretrained=False)).eval()
    with torch.no_grad():
        network.regressor.score_branch[-1].bias.fill_(1.0)
    save_model(path, network, WeightsInfo(network.config, provenance={"data": "none"}))
    return path
