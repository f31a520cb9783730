"""The piano played: notes and pedal to samples, a small room, one gain, a 16-bit file.

Everything here is numpy and runs at some hundred times real time on one core.
"""

from __future__ import annotations

import os
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .piano_bank import Instrument

GAIN_DB = 5.5  # of the whole set, from the bank's LEVEL; docs/piano-data.md says how it was chosen
CEILING = 10 ** (-1.3 / 20)  # no sample exceeds it, so that the wave between samples stays under -1 dBFS
UNDAMPED = 89  # from this key up a piano has no dampers
SLOPE = 38.0  # dB per decade of velocity


@dataclass
class Performance:
    start: np.ndarray  # seconds
    end: np.ndarray  # seconds at which the key is let go
    key: np.ndarray
    velocity: np.ndarray  # 1..127, fractions allowed
    pedal: np.ndarray  # (n, 2): seconds, down and up, in order
    room: tuple[float, float, int] | None = None  # RT60 in seconds, level in dB, random seed
    release: float = 1.0  # how slowly this piano's dampers work
    ring: float = 2.0  # seconds to hear after the last key was let go


def gain_of(velocity: np.ndarray) -> np.ndarray:
    return 10 ** (SLOPE * np.log10(np.maximum(velocity, 1) / 127) / 20)


def brightness_of(velocity: np.ndarray, tops: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """-> (layer, part of the bright sound in the mixture): rises with velocity through each layer,
    in the softest from all dark, in the others from nearly as bright as the layer below ended."""
    layer = np.minimum(np.searchsorted(tops, velocity), len(tops) - 1)
    bottom = np.array([0, *tops[:-1]], float)[layer]
    top = np.array(tops, float)[layer]
    part = np.clip((velocity - bottom) / (top - bottom), 0, 1)
    soft = np.clip((velocity - 12) / (0.9 * top - 12), 0, 1)
    return layer, np.where(layer == 0, soft, 0.9 + 0.1 * part)


def sounding_until(p: Performance) -> tuple[np.ndarray, np.ndarray]:
    """-> (seconds at which each note's damper falls, whether the key was struck anew then)"""
    end = p.end.astype(float).copy()
    if len(p.pedal):
        i = np.searchsorted(p.pedal[:, 0], end, side="right") - 1
        held = (i >= 0) & (end < p.pedal[np.maximum(i, 0), 1])
        end[held] = p.pedal[i[held], 1]
    end[p.key >= UNDAMPED] = np.inf
    order = np.lexsort((p.start, p.key))
    again = np.full(len(end), np.inf)
    same = p.key[order][1:] == p.key[order][:-1]
    again[order[:-1][same]] = p.start[order[1:][same]]
    return np.minimum(end, again), again <= end


def play(instrument: Instrument, p: Performance) -> np.ndarray:
    """-> float32 samples before the set's gain"""
    rate = instrument.rate
    last = float(np.max(p.end))
    if len(p.pedal):
        last = max(last, float(p.pedal[-1, 1]))
    out = np.zeros(int((last + p.ring) * rate) + 1, np.float32)
    until, struck_again = sounding_until(p)
    layer, bright = brightness_of(p.velocity, instrument.tops)
    gain = gain_of(p.velocity)
    again = np.cos(np.linspace(0, np.pi / 2, int(0.012 * rate))).astype(np.float32) ** 2
    dampers: dict[int, np.ndarray] = {}
    for n in np.argsort(p.start, kind="stable"):
        key = int(p.key[n])
        full, dark = instrument.sounds[int(layer[n]), key]
        at = int(round(p.start[n] * rate))
        if struck_again[n]:
            fall = again
        else:
            if key not in dampers:
                dampers[key] = damper(key, rate, p.release)
            fall = dampers[key]
        hold = len(full) if np.isinf(until[n]) else max(int((until[n] - p.start[n]) * rate), 1)
        length = min(len(full), hold + len(fall), len(out) - at)
        if length <= 0:
            continue
        sound = full[:length] * np.float32(gain[n] * bright[n])
        sound += dark[:length] * np.float32(gain[n] * (1 - bright[n]))
        if length > hold:
            sound[hold:] *= fall[:length - hold]
        out[at:at + length] += sound
    return out


def damper(key: int, rate: int, slowness: float) -> np.ndarray:
    """A long string takes longer to be stilled: -40 dB after 0.25 s in the bass, 0.12 s at the top."""
    time = slowness * np.interp(key, [21, 88], [0.25, 0.12])
    count = int(1.4 * time * rate)
    fall = np.exp(-np.log(100) * np.arange(count) / (time * rate))
    return (fall * np.minimum(1, np.linspace(4, 0, count))).astype(np.float32)


def room(sound: np.ndarray, rate: int, rt60: float, level: float, seed: int) -> np.ndarray:
    """Adds a small room: a sparse, decaying, darkening answer `level` dB below the piano."""
    chance = np.random.default_rng(seed)
    count = int(0.9 * rt60 * rate)
    at = np.arange(count)
    first = int(0.008 * rate)
    answer = chance.standard_normal(count) * (chance.random(count) < 0.02 + 0.3 * at / count)
    answer *= 10 ** (-3 * at / (rt60 * rate)) * (at >= first)
    spectrum = np.fft.rfft(answer)
    f = np.fft.rfftfreq(count, 1 / rate)
    answer = np.fft.irfft(spectrum / (1 + 1j * f / 2500) / (1 - 1j * 150 / np.maximum(f, 1)), count)
    answer *= 10 ** (level / 20) / np.sqrt(np.sum(answer ** 2) + 1e-12)
    block = 1 << 17
    size = block + (1 << 15)
    if count > size - block:
        size = block * 2
    response = np.fft.rfft(answer, size)
    out = np.zeros(len(sound) + size, np.float64)
    out[:len(sound)] = sound
    for start in range(0, len(sound), block):
        piece = sound[start:start + block].astype(np.float64)
        out[start:start + size] += np.fft.irfft(np.fft.rfft(piece, size) * response, size)
    return out[:len(sound)].astype(np.float32)


def finished(sound: np.ndarray, p: Performance, rate: int, gain_db: float) -> tuple[np.ndarray, dict]:
    """Room, the set's gain, the limiter, a fade at the end -> int16 samples, what was measured."""
    if p.room is not None:
        sound = room(sound, rate, *p.room)
    sound = sound * np.float32(10 ** (gain_db / 20))
    loudest = float(np.abs(sound).max())
    sound, turned_down = limited(sound, rate)
    fade = min(int(0.5 * rate), len(sound))
    sound[len(sound) - fade:] *= np.cos(np.linspace(0, np.pi / 2, fade)).astype(np.float32)
    samples = np.round(sound * 32767).astype("<i2")
    return samples, {"samples": len(samples), "peak_before": loudest, "limited": turned_down,
                     "power": float(np.mean(sound.astype(np.float64) ** 2))}


def limited(sound: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    """Turns down for some 0.1 s what would pass the ceiling, looking ahead: nothing is bent, as a
    clipper would. -> samples, how many of them were turned down"""
    step = rate // 250  # 4 ms
    blocks = -(-len(sound) // step)
    peaks = np.zeros(blocks * step, np.float32)
    peaks[:len(sound)] = np.abs(sound)
    need = np.minimum(1, CEILING / np.maximum(peaks.reshape(blocks, step).max(1), 1e-9))
    if need.min() >= 1:
        return sound, 0
    # The least gain needed near each block, smoothed over fewer blocks than that "near": so the
    # smooth curve, and the lines between its points, are low enough wherever they must be.
    reach, ahead, behind = 3, 4, 20
    padded = np.concatenate([np.ones(behind), need, np.ones(ahead)])
    least = np.lib.stride_tricks.sliding_window_view(padded, ahead + behind + 1).min(1)
    shape = np.hanning(2 * reach + 3)[1:-1]
    smooth = np.convolve(np.pad(least, reach, mode="edge"), shape / shape.sum(), "valid")
    gain = np.interp((np.arange(len(sound)) + 0.5) / step - 0.5, np.arange(blocks), smooth)
    return sound * gain.astype(np.float32), int((gain < 0.999).sum())


def write_wav(path: Path, samples: np.ndarray, rate: int) -> None:
    """Written under a temporary name and renamed: the file is complete or absent."""
    aside = path.with_name(path.name + ".part")
    with wave.open(str(aside), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    os.replace(aside, path)
