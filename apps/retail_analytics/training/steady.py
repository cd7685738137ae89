"""A network whose answers fit into bytes: no channel so loud that others fall silent.

The pretrained first layer answers with 100 in some channels and with 0.3 in others, and both
count. Float does not mind; INT8 has one scale of 256 steps for all channels of a layer, and
what the quiet ones say is lost in the first step: without more ado most people were missed.
Here each channel is scaled where it leaves, and back where it is used, until all are equally
loud. In float the network answers exactly as before.
"""

import copy

import torch

from apps.retail_analytics.training.network import Nano

HIGHEST, LOWEST = 12.0, -8.0
"""What the channels are scaled to reach, but not to pass."""
FLAT = 8.0
"""Below −8 SiLU is 0: no need to tell how far."""
QUIETEST = 0.3
RARE = 0.0005
MOST_LOOKED_AT = 500_000


def evened(network: Nano, pictures: torch.Tensor) -> Nano:
    """A copy whose first layer's channels are equally loud on `pictures` [B, 3, H, W]."""
    made = copy.deepcopy(network)
    source, user = made.start, made.two[0][0]
    with torch.no_grad():
        low, high = _ends(source.conv(pictures))
        share = torch.minimum(HIGHEST / high, LOWEST / low.clamp(-FLAT))
        source.conv.weight *= share.view(-1, 1, 1, 1)
        source.conv.bias *= share
        source.sharpness = 1 / share
        user.conv.weight /= share.view(-1, 1, 1, 1)
    return made


def _ends(answers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Lowest and highest answer [channels] that is not rare."""
    thin = max(7, answers[:, 0].numel() // MOST_LOOKED_AT)
    by_channel = answers.transpose(0, 1).flatten(1)[:, ::thin]
    low, high = (torch.quantile(by_channel, share, 1) for share in (RARE, 1 - RARE))
    return low.clamp(max=-QUIETEST), high.clamp(min=QUIETEST)
