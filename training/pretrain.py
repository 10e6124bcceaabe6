"""Teaches one backbone the distortions' levels, on freshly distorted clean slices.

No radiologist's score and no labelled patient's picture takes part, so that one pre-trained
backbone serves every fold of a cross-validation.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from MSIQALib.model.backbones import ResNetStages, SwinStages
from MSIQALib.model.config import RESNET_CHANNELS, STAGE_COUNT, SWIN_CHANNELS
from training.config import LevelsPhase
from training.datasets.clean_slices import CleanSlice
from training.datasets.composition import Variety
from training.datasets.distorted import INPUT_SIZE, DistortedSlices, Sampling, normalise
from training.global_batch import seed_step
from training.initial_filters import see_noise_resnet, see_noise_swin
from training.levels import StageHeads
from training.run_folder import RunFolder, Timer
from training.schedule import one_cycle

logger = logging.getLogger(__name__)

BRANCHES = ("resnet", "swin")
LOG_EVERY = 25
MAX_GRADIENT = 5.0
WEIGHT_DECAY = 0.02


class Branch(nn.Module):
    """A backbone with a head for each stage.

    Args:
        name: "resnet" or "swin".
        pretrained: Start from ImageNet weights instead of filters that see noise.
        stride: Of Swin (`SwinStages`).
        size: Of Swin, likewise.
    """

    def __init__(self, name: str, *, pretrained: bool, stride: int = 1, size: int = 0) -> None:
        super().__init__()
        self.name = name
        # timm's modules have attributes that nn.Module does not know of.
        self.stages: Any
        if name == "resnet":
            self.stages = ResNetStages(stages=STAGE_COUNT, pretrained=pretrained)
            self.heads = StageHeads(RESNET_CHANNELS)
        else:
            self.stages = SwinStages(
                stages=STAGE_COUNT, pretrained=pretrained, stride=stride, size=size
            )
            self.heads = StageHeads(SWIN_CHANNELS)
        if not pretrained and name == "resnet":
            see_noise_resnet(self.stages.conv1)
        elif not pretrained:
            see_noise_swin(self.stages.patch_embed.proj)
        self.to(memory_format=torch.channels_last)

    def parts(self) -> list[list[nn.Parameter]]:
        """Parameters stage by stage, the stem with the first, each with its head."""
        if self.name == "resnet":
            stem = [*self.stages.conv1.parameters(), *self.stages.bn1.parameters()]
            layers = [self.stages.get_submodule(n) for n in self.stages.stage_names]
        else:
            stem = list(self.stages.patch_embed.parameters())
            layers = list(self.stages.layers)
        parts = [list(layer.parameters()) for layer in layers]
        parts[0] = stem + parts[0]
        return [p + list(h.parameters()) for p, h in zip(parts, self.heads, strict=True)]

    def forward(self, image: Tensor, depth: int) -> list[Tensor]:
        """Outputs of the first `depth` stages."""
        if self.name == "resnet":
            net = self.stages
            x = net.maxpool(net.act1(net.bn1(net.conv1(image))))
            outputs = []
            for name in net.stage_names[:depth]:
                x = net.get_submodule(name)(x)
                outputs.append(x)
            return outputs
        x = self.stages.embed(image)
        outputs = []
        for layer in self.stages.layers[:depth]:
            x = layer(x)
            outputs.append(x.permute(0, 3, 1, 2))
        return outputs

    def set_input_size(self, size: int) -> None:
        """Make Swin take (size, size) images; its windows stay as they are."""
        if self.name == "swin":
            self.stages.set_input_size(size)


def pretrain(
    branch: Branch,
    phases: tuple[LevelsPhase, ...],
    slices: tuple[CleanSlice, ...],
    folder: RunFolder,
    *,
    seed: int,
    checkpoint_minutes: float,
    size: int = INPUT_SIZE,
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Run all phases, from the last checkpoint where there is one.

    Args:
        branch: The backbone; its weights change.
        phases: What to do.
        slices: Clean content.
        folder: For checkpoints and the log; a checkpoint is also written at the end.
        seed: Of the pictures, and of what the backbone draws in each step (Swin-T leaves out
            some of its paths), so that an interruption changes nothing.
        checkpoint_minutes: Between checkpoints.
        size: Height and width of the network's input where it sees whole pictures.
        stop: Asked after each step; True stops the run where it can go on later.

    Returns:
        Whether all phases are done.
    """
    state: dict[str, Any] = folder.load(branch.name) or {"phase": 0, "step": 0}
    if "branch" in state:
        branch.load_state_dict(state["branch"])
    folder.rewind(branch.name, state["step"], state["phase"])
    timer = Timer(checkpoint_minutes)
    drawn = done = 0
    for number, phase in enumerate(phases):
        start = state["step"] if number == state["phase"] else 0
        if number < state["phase"]:
            drawn += phase.steps * phase.batch
            done += phase.steps
            continue
        optimiser = _optimiser(branch, phase, phases[:number])
        if number == state["phase"] and "optimiser" in state:
            optimiser.load_state_dict(state["optimiser"])
        sampling = Sampling(phase.source_size, phase.grid, Variety(zoom=phase.zoom), size=size)
        pictures = DistortedSlices(
            slices, sampling, seed=seed, length=drawn + phase.steps * phase.batch
        )
        branch.set_input_size(sampling.input_size)
        branch.train()
        losses: list[float] = []
        for step in range(start, phase.steps):
            seed_step(seed, done + step + 1)
            losses.append(_step(branch, optimiser, phase, pictures, drawn, step))
            if (step + 1) % LOG_EVERY == 0:
                row = {"phase": number, "step": step + 1, "seconds": round(timer.elapsed)}
                folder.log(branch.name, row | {"loss": round(sum(losses) / len(losses), 5)})
                losses.clear()
            stopping = stop()
            if stopping or timer.due() or step + 1 == phase.steps:
                folder.save(
                    branch.name,
                    {
                        "phase": number,
                        "step": step + 1,
                        "branch": branch.state_dict(),
                        "optimiser": optimiser.state_dict(),
                    },
                )
            if stopping:
                return False
        drawn += phase.steps * phase.batch
        done += phase.steps
    return True


def _optimiser(
    branch: Branch, phase: LevelsPhase, earlier: tuple[LevelsPhase, ...]
) -> torch.optim.Optimizer:
    trained = max((p.depth for p in earlier), default=0)
    groups = [
        {"params": part, "factor": phase.earlier_factor if index < trained else 1.0}
        for index, part in enumerate(branch.parts()[: phase.depth])
    ]
    return torch.optim.AdamW(groups, lr=phase.learning_rate, weight_decay=WEIGHT_DECAY)


def _step(
    branch: Branch,
    optimiser: torch.optim.Optimizer,
    phase: LevelsPhase,
    pictures: DistortedSlices,
    drawn: int,
    step: int,
) -> float:
    for group in optimiser.param_groups:
        group["lr"] = phase.learning_rate * group["factor"] * one_cycle(step / phase.steps)
    first = drawn + step * phase.batch
    items = [pictures[first + i] for i in range(phase.batch)]
    images, levels, damage = (torch.stack(column) for column in zip(*items, strict=True))
    outputs = branch(normalise(images), phase.depth)
    loss = branch.heads.loss(outputs, levels, damage, speck_weight=phase.speck_weight)
    optimiser.zero_grad()
    loss.backward()
    used = [p for group in optimiser.param_groups for p in group["params"]]
    nn.utils.clip_grad_norm_(used, MAX_GRADIENT)
    optimiser.step()
    return loss.item()
