"""A second loss that trains the innermost tier to predict what comes and when.

Which phoneme comes next, or when the next stroke falls, is next to nothing of a sample's bits: knowing a stroke's time
saves some 7 bits, and a second of drums has some eight strokes and costs 56,000 bits. So a network learns timbre
long before it learns sequence. Here a head predicts from the innermost tier, at each of its steps, how loud each of
eight bands will be some steps later (`train.foresight_ahead`: 1, 4, 16 and 64). The head belongs to the trainer and is
not part of the model.
"""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from . import augment

BANDS = 8           # at most: a band has at least one line of the spectrum of a step's samples
LEVELS, STEP_DB, LEAST_DB = 16, 4.5, -81.0


class Spectrum(nn.Module):
    """Samples [..., stride] -> the RMS in each band [..., bands], as one of LEVELS."""

    def __init__(self, stride: int):
        super().__init__()
        lines = torch.arange(1, stride // 2 + 1)
        turns = 2 * torch.pi * torch.arange(stride)[:, None] * lines / stride
        # As a matrix product: the steps are short, and a CUDA graph can record it.
        waves = torch.cat([torch.cos(turns), torch.sin(turns)], 1) * (2 ** 0.5 / stride)
        edges = np.geomspace(1, stride // 2 + 1, min(BANDS, stride // 2) + 1).round().astype(int)
        for i in range(1, len(edges)):
            edges[i] = max(edges[i], edges[i - 1] + 1)
        band = torch.from_numpy(np.searchsorted(edges, lines.numpy(), side="right") - 1)
        self.bands = len(edges) - 1
        self.register_buffer("waves", waves, persistent=False)
        self.register_buffer("into", F.one_hot(band, self.bands).float().repeat(2, 1), persistent=False)

    def forward(self, x):
        power = (x @ self.waves.to(x.dtype)).square() @ self.into.to(x.dtype)
        db = 10 * torch.log10(power + 1e-12)
        return ((db - LEAST_DB) / STEP_DB).floor().clamp(0, LEVELS - 1).long()


class Foresight(nn.Module):
    def __init__(self, width: int, stride: int, encoding: str, ahead: Sequence[int] = (1, 4, 16, 64)):
        """ahead: how many steps."""
        super().__init__()
        self.stride, self.encoding, self.ahead = stride, encoding, tuple(ahead)
        self.spectrum = Spectrum(stride)
        self.head = nn.Linear(width, len(self.ahead) * self.spectrum.bands * LEVELS)

    def targets(self, codes):
        """codes [B, L+1] -> levels [B, L/stride, bands]; row j is of codes j stride + 1 to (j+1) stride. Step j of the
        innermost tier has heard codes up to (j+1) stride - 1, so that row j + 1 is the first that it has not heard."""
        with torch.no_grad(), torch.autocast(codes.device.type, enabled=False):
            return self.spectrum(augment.expand(codes[:, 1:], self.encoding).unflatten(1, (-1, self.stride)))

    def forward(self, center, codes):
        """center [B, L/stride, width], codes [B, L+1] -> mean nats per level."""
        wanted = self.targets(codes)
        guesses = self.head(center).unflatten(2, (len(self.ahead), self.spectrum.bands, LEVELS)).float()
        each = [F.cross_entropy(guesses[:, :-k, i].flatten(0, 2), wanted[:, k:].flatten())
                for i, k in enumerate(self.ahead) if k < wanted.shape[1]]
        return torch.stack(each).mean()
