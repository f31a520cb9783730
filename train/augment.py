"""Variations of crops in gain, pitch and input noise, made on the device where the network runs."""
from __future__ import annotations

import math

import torch


def expand(codes, encoding: str):
    y = codes.float() * (2 / 255) - 1
    if encoding == "mulaw8":
        y = torch.sign(y) * (torch.pow(256.0, y.abs()) - 1) / 255
    return y


def compress(x, encoding: str):
    x = x.clamp(-1, 1)
    if encoding == "mulaw8":
        x = torch.sign(x) * torch.log1p(255 * x.abs()) / math.log(256)
    return torch.floor((x + 1) / 2 * 255 + 0.5).to(torch.uint8)


def longer(length: int, semitones: float) -> int:
    """Codes to crop so that `length` remain after the largest change of pitch."""
    return length if semitones == 0 else math.ceil(length * 2 ** (semitones / 12)) + 3


def vary(codes, length: int, encoding: str, gain_db: float, semitones: float, generator, beside=None, room=None):
    """codes uint8 [B, longer(length)] -> [B, length]. Each crop has its own gain, uniform in dB, and its own pitch,
    uniform in semitones, by cubic interpolation. A gain that would clip is lowered. With `beside`, a tensor of the shape
    of codes that says something of each: (codes, beside as it belongs to those that come out). room [B]: how many of a
    row's codes there are, `length` at least; a row with less than longer(length) is raised by less."""
    if gain_db == 0 and semitones == 0:
        return codes[:, :length] if beside is None else (codes[:, :length], beside[:, :length])
    x = expand(codes, encoding)
    batch, have = x.shape

    def draw(most):
        return (torch.rand(batch, 1, generator=generator) * 2 - 1).to(x.device) * most

    if semitones:
        speed = torch.exp2(draw(semitones) / 12)
        room = torch.full_like(speed, have) if room is None else room.to(x.device)[:, None]
        speed = torch.minimum(speed, ((room - 4) / max(1, length - 1)).clamp(min=0))  # the last of four is row's last
        at = 1 + torch.arange(length, device=x.device) * speed
        i = at.floor().long().clamp(1, have - 3)
        f = at - i
        a, b, c, d = (x.gather(1, i + k) for k in (-1, 0, 1, 2))
        x = b + f / 2 * (c - a + f * (2 * a - 5 * b + 4 * c - d + f * (3 * (b - c) + d - a)))
        beside = None if beside is None else beside.gather(1, i)
    else:
        x = x[:, :length]
        beside = None if beside is None else beside[:, :length]
    if gain_db:
        gain = torch.pow(10.0, draw(gain_db) / 20)
        x = x * torch.minimum(gain, 1 / x.abs().amax(1, keepdim=True).clamp(min=1e-6))
    x = compress(x, encoding)
    return x if beside is None else (x, beside)


def misheard(codes, most: float, seed: int):
    """codes uint8 [B, L] -> [B, L] that stray by normal noise, each crop's with its own deviation, uniform up to
    `most` codes. A network that hears its own draws instead of what it learned from hears small errors; one that
    has never met any strays further with each (the noise that LPCNet, Valin and Skoglund 2019, trains with)."""
    generator = torch.Generator(codes.device).manual_seed(seed)
    deviation = torch.rand(len(codes), 1, generator=generator, device=codes.device) * most
    noise = torch.randn(codes.shape, generator=generator, device=codes.device)
    return (codes + deviation * noise).round().clamp(0, 255).to(torch.uint8)
