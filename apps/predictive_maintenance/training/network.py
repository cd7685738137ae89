"""The network: one LSTM reads a sequence into a few numbers, another writes it back."""

from pathlib import Path

import torch
from torch import nn

OPSET = 17


class Autoencoder(nn.Module):
    """[batch, steps, features] → the same shape, through `code` numbers per sequence."""

    def __init__(self, features: int, hidden: int, code: int) -> None:
        super().__init__()
        self.reader = nn.LSTM(features, hidden, batch_first=True)
        self.code = nn.Linear(hidden, code)
        self.writer = nn.LSTM(code, hidden, batch_first=True)
        self.out = nn.Linear(hidden, features)

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        """The sequences as they can be rebuilt."""
        read, _ = self.reader(sequences)
        code = self.code(read[:, -1])
        written, _ = self.writer(code.unsqueeze(1).expand(-1, sequences.shape[1], -1))
        return self.out(written)


def export(network: Autoencoder, steps: int, features: int, path: Path) -> None:
    """Write ONNX with a free batch: one inference for any number of machines."""
    example = torch.zeros(2, steps, features)
    torch.onnx.export(
        network.eval(), (example,), str(path), dynamo=False, opset_version=OPSET,
        input_names=["sequences"], output_names=["rebuilt"],
        dynamic_axes={"sequences": {0: "batch"}, "rebuilt": {0: "batch"}},
    )  # fmt: skip
