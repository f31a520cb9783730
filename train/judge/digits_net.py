"""The judge of spoken digits: log-mel frames, a small convolutional network, and the eleventh class 'none'."""
from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CLASSES = (*WORDS, "none")
NONE = len(WORDS)
RATE = 16000
WINDOW, HOP, MELS, FEATURES = 512, 160, 40, 64


def mel_filters(mels: int = MELS, low: float = 60.0, high: float = 7600.0) -> torch.Tensor:
    """(mels, WINDOW / 2 + 1): triangles that are equally wide in mel."""
    def to_mel(hertz: float) -> float:
        return 2595 * math.log10(1 + hertz / 700)
    edges = 700 * (10 ** (np.linspace(to_mel(low), to_mel(high), mels + 2) / 2595) - 1)
    hertz = np.fft.rfftfreq(WINDOW, 1 / RATE)
    rise = (hertz[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - hertz[None]) / (edges[2:] - edges[1:-1])[:, None]
    return torch.tensor(np.clip(np.minimum(rise, fall), 0, None), dtype=torch.float32)


class Judge(nn.Module):
    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.register_buffer("filters", mel_filters(), persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        sizes = (1, width, 2 * width, 2 * width, FEATURES)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in zip(sizes, sizes[1:]))
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for b in sizes[1:])
        self.out = nn.Linear(FEATURES, len(CLASSES))
        self.dropout = nn.Dropout(0.2)

    def mel(self, x: torch.Tensor) -> torch.Tensor:
        """(clips, samples) -> (clips, 1, mels, frames): log energies down to 70 dB under the clip's loudest."""
        spectrum = torch.stft(x, WINDOW, HOP, window=self.window, return_complex=True).abs().square()
        db = 10 * torch.log10(self.filters @ spectrum + 1e-7)
        top = db.amax((1, 2), keepdim=True)
        return (torch.maximum(db, top - 70) - top).unsqueeze(1) / 20 + 1.5

    def features(self, x: torch.Tensor) -> torch.Tensor:
        y = self.mel(x)
        for i, (layer, norm) in enumerate(zip(self.layers, self.norms)):
            y = F.relu(norm(layer(y)))
            y = F.max_pool2d(y, 2) if i < 3 else y
        # The word may lie anywhere in its second: the maximum over time, and the mean.
        return 0.5 * (y.amax((2, 3)) + y.mean((2, 3)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.dropout(self.features(x)))


def augment(x: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """Shifted in time, at another level, with noise 5 to 60 dB below, sometimes through 8-bit mu-law."""
    n, samples = x.shape
    shift = torch.randint(-1600, 1601, (n,), generator=g)
    at = torch.arange(samples)[None] - shift[:, None]
    x = x.gather(1, at.clamp(0, samples - 1)) * ((at >= 0) & (at < samples))
    loud = x.abs().amax(1, keepdim=True).clamp_min(1e-4)
    x = x / loud * 10 ** (-(torch.rand(n, 1, generator=g) * 24) / 20)
    speech = x.square().mean(1, keepdim=True).sqrt()
    noise = torch.randn(n, samples, generator=g)
    dark = torch.rand(n, 1, generator=g)  # from white to much darker
    noise = noise * (1 - dark) + dark * F.avg_pool1d(noise.unsqueeze(1), 9, 1, 4).squeeze(1) * 3
    noise = noise / noise.square().mean(1, keepdim=True).sqrt()
    x = x + noise * speech * 10 ** (-(5 + torch.rand(n, 1, generator=g) * 55) / 20)
    codes = torch.rand(n, 1, generator=g) < 0.5
    return torch.where(codes, mu_law(x), x).clamp(-1, 1)


def mu_law(x: torch.Tensor) -> torch.Tensor:
    x = x.clamp(-1, 1)
    code = torch.floor((x.sign() * torch.log1p(255 * x.abs()) / math.log(256) + 1) / 2 * 255 + 0.5)
    y = code / 255 * 2 - 1
    return y.sign() * (torch.pow(256.0, y.abs()) - 1) / 255


def nonsense(x: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """Clips without a digit, one for each of x: noise, silence, noise in the shape of speech, babble, speech cut into
    pieces of 30 to 120 ms in another order, tones."""
    n, samples = x.shape
    kind = torch.randint(0, 8, (n,), generator=g)
    out = torch.zeros_like(x)
    for i in range(n):
        k, noise = int(kind[i]), torch.randn(samples, generator=g)
        other = x[int(torch.randint(0, n, (1,), generator=g))]
        if k == 0:    # white, at any level
            out[i] = noise * 10 ** (-3 * float(torch.rand(1, generator=g)))
        elif k == 1:  # as random mu-law codes sound
            out[i] = torch.pow(256.0, torch.rand(samples, generator=g)).sub(1).div(255) * noise.sign()
        elif k == 2:  # silence, with a click or without
            out[i] = noise * 1e-4 * float(torch.rand(1, generator=g))
            out[i, int(torch.randint(0, samples, (1,), generator=g))] += float(torch.rand(1, generator=g) < 0.5)
        elif k == 3:  # dark noise that comes and goes
            smooth = F.avg_pool1d(noise.view(1, 1, -1), 2 * int(torch.randint(2, 20, (1,), generator=g)) + 1, 1).flatten()
            out[i] = F.interpolate(smooth.view(1, 1, -1), samples).flatten() * F.interpolate(
                torch.rand(1, 1, 12, generator=g), samples, mode="linear").flatten()
        elif k == 4:  # babble: four speakers at once
            out[i] = x[torch.randint(0, n, (4,), generator=g)].sum(0)
        elif k in (5, 6):  # speech in pieces
            piece = int(torch.randint(480, 1920, (1,), generator=g))
            count = samples // piece
            loud = other.roll(int(torch.randint(0, samples, (1,), generator=g)))[:count * piece].view(count, piece)
            out[i, :count * piece] = loud[torch.randperm(count, generator=g)].flatten()
        else:         # the spectrum of speech without its phases: a hum of the same colour
            spectrum = torch.fft.rfft(other).abs()
            phase = torch.rand(len(spectrum), generator=g) * 2 * math.pi
            out[i] = torch.fft.irfft(torch.polar(spectrum, phase), samples)
    return out


@torch.no_grad()
def listen(judge: Judge, clips: np.ndarray, batch: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """-> (probabilities of the eleven classes, features), one row per clip"""
    judge.eval()
    device = judge.out.weight.device
    probabilities, features = [], []
    for i in range(0, len(clips), batch):
        f = judge.features(torch.as_tensor(clips[i:i + batch], dtype=torch.float32, device=device))
        features.append(f.cpu().numpy())
        probabilities.append(F.softmax(judge.out(f), 1).cpu().numpy())
    return np.concatenate(probabilities), np.concatenate(features)
