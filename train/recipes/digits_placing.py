"""From a synthesiser's output to a clip of one second: resampling, trimming, colour, level and place."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .wav import RATE, gain, rms_db

CLIP = RATE                      # one second
LONGEST = int(0.93 * CLIP)       # a longer word leaves no room to place it
EARLY = CLIP // 10               # latest start of a word, with --early
SHORTEST = int(0.10 * CLIP)      # anything shorter means that the synthesiser failed
TAPS = 16                        # each side of the interpolating sinc


@dataclass(frozen=True)
class Colour:
    """What stays the same for all clips of a speaker: microphone and room."""
    tilt: float           # dB from the lowest to the highest octave
    bands: tuple[tuple[float, float, float], ...]  # (Hz, octaves wide, dB)
    low_cut: float        # Hz
    room: float           # reverberation against direct sound, dB; -inf without a room
    decay: float          # seconds until the room is 60 dB down
    room_seed: int
    noisy: float          # chance that a clip has a noise floor


def random_colour(rng: np.random.Generator) -> Colour:
    bands = tuple((float(np.exp(rng.uniform(np.log(200), np.log(6500)))), float(rng.uniform(0.5, 1.5)),
                   float(rng.uniform(-4, 4))) for _ in range(2))
    room = float(rng.uniform(-24, -12)) if rng.random() < 0.5 else -np.inf
    return Colour(tilt=float(rng.uniform(-4, 3)), bands=bands, low_cut=float(rng.uniform(40, 140)), room=room,
                  decay=float(rng.uniform(0.08, 0.3)), room_seed=int(rng.integers(2**31)),
                  noisy=float(rng.choice([0.0, 0.5, 1.0])))


def resample(x: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Reads x at a speed that may change: step[n] input samples before output n + 1. Band-limited."""
    at = np.concatenate([[0.0], np.cumsum(step)])
    at = at[at < len(x) - 1]
    if not len(at):
        return np.zeros(0)
    cut = min(1.0, 1 / float(step.max())) * 0.96
    reach = int(np.ceil(TAPS / cut))
    padded = np.concatenate([np.zeros(reach), x, np.zeros(reach + 1)])
    whole = np.floor(at).astype(int)
    offsets = np.arange(1 - reach, reach + 1)
    distance = offsets[None, :] - (at - whole)[:, None]
    kernel = cut * np.sinc(cut * distance) * (0.5 + 0.5 * np.cos(np.pi * np.clip(distance / reach, -1, 1)))
    return np.einsum("nk,nk->n", kernel, padded[whole[:, None] + offsets[None, :] + reach])


def speed_curve(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Around 1: a glide and a bend, so that no two takes have the same melody."""
    t = np.linspace(0, 1, max(samples, 2))
    glide, bend, phase = rng.uniform(-0.05, 0.05), rng.uniform(0, 0.03), rng.uniform(0, 2 * np.pi)
    return 1 + glide * (t - 0.5) * 2 + bend * np.sin(2 * np.pi * rng.uniform(0.5, 1.5) * t + phase)


def trim(x: np.ndarray, below: float = -42) -> np.ndarray:
    """Without the silence at both ends: what is `below` dB under the loudest 10 ms, less a short margin."""
    frame = RATE // 100
    if len(x) < frame:
        return x[:0]
    power = np.square(x[:len(x) // frame * frame].reshape(-1, frame)).mean(1)
    if power.max() < 1e-9:
        return x[:0]
    heard = np.flatnonzero(power > power.max() * 10 ** (below / 10))
    first, last = max(heard[0] - 1, 0) * frame, min((heard[-1] + 3) * frame, len(x))
    y = x[first:last].copy()
    rise, fall = min(frame // 2, len(y)), min(2 * frame, len(y))
    y[:rise] *= np.linspace(0, 1, rise)
    y[-fall:] *= np.linspace(1, 0, fall)
    return y


def voice_to_word(x: np.ndarray, rate: int, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """At 16 kHz, formants and pitch moved by `ratio`, trimmed; of any length."""
    if len(x) < rate // 50 or float(np.abs(x).max()) < 1e-4:  # empty or silent output
        return np.zeros(0)
    step = rate / RATE * ratio
    samples = int(len(x) / step) + 2
    word = resample(x.astype(np.float64), step * speed_curve(samples, rng))
    return trim(word - word.mean())


def equalise(x: np.ndarray, colour: Colour, rng: np.random.Generator) -> np.ndarray:
    """The speaker's microphone, moved a little for each take. Magnitude only: the word stays where it is."""
    size = 1 << (len(x) + RATE // 4).bit_length()
    hertz = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 1)
    octave = np.log2(hertz / 1000)
    db = (colour.tilt + rng.uniform(-1, 1)) * octave / 7
    for centre, width, height in colour.bands:
        db = db + height * np.exp(-0.5 * ((np.log2(hertz / centre)) / width) ** 2)
    db = db - 10 * np.log10(1 + (colour.low_cut / hertz) ** 4)
    return np.fft.irfft(np.fft.rfft(x, size) * 10 ** (db / 20), size)[:len(x)]


def reverberate(x: np.ndarray, colour: Colour) -> np.ndarray:
    if colour.room == -np.inf:
        return x
    rng = np.random.default_rng(colour.room_seed)
    t = np.arange(int(colour.decay * RATE)) / RATE
    tail = rng.standard_normal(len(t)) * np.exp(-6.9 * t / colour.decay)
    tail[:int(rng.uniform(0.002, 0.006) * RATE)] = 0  # the first reflection arrives a little later
    tail = np.convolve(tail, [0.5, 0.5], "same")      # walls absorb high frequencies
    tail *= gain(colour.room) / np.sqrt(np.square(tail).sum())
    tail[0] = 1
    size = 1 << (len(x) + len(tail)).bit_length()
    return np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(tail, size), size)[:len(x) + len(tail)]


def background(samples: int, rng: np.random.Generator) -> np.ndarray:
    """A noise floor between -74 and -56 dBFS, darker than white, sometimes with mains hum."""
    shape = np.fft.rfftfreq(samples, 1 / RATE).clip(40) ** -rng.uniform(0, 0.7)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(samples)) * shape, samples)
    if rng.random() < 0.15:
        t = np.arange(samples) / RATE
        mains = rng.choice([50, 60])
        noise += noise.std() * rng.uniform(0.3, 1) * sum(np.sin(2 * np.pi * mains * k * t + k) / k for k in (1, 2, 3))
    return noise * gain(rng.uniform(-74, -56) - rms_db(noise))


def place(word: np.ndarray, colour: Colour, rng: np.random.Generator, latest: int = CLIP) -> tuple[np.ndarray, int]:
    """-> (one second with the word somewhere in it, where it begins: at `latest` at the latest)"""
    if not SHORTEST <= len(word) <= LONGEST:
        raise ValueError(f"a word of {len(word)} samples does not go into a clip")
    start = int(rng.integers(0, min(latest, CLIP - len(word)) + 1))
    dry = equalise(word, colour, rng)
    level = gain(rng.uniform(-26, -16) - rms_db(dry))
    wet = reverberate(dry * level, colour)[:CLIP - start]
    clip = np.zeros(CLIP)
    clip[start:start + len(wet)] = wet
    if rng.random() < colour.noisy:
        clip += background(CLIP, rng)
    return clip * min(1.0, 0.97 / float(np.abs(clip).max())), start
