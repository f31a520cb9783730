"""The sampled piano: its bank of recordings read, mixed to mono and tuned to every key.

A bank is a folder with `zones.json`, a list of {name, sid, key: [low, high], pvel: [low, high], root,
corr}, and the recordings `SID.flac` or `SID.wav`. Names that end in (L) and (R) are a stereo pair.
Reading FLAC needs soundfile; rendering from a pack does not.
"""

from __future__ import annotations

import json
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .piano_score import HIGHEST, LOWEST

LONGEST = 10.0  # seconds of a recording that are kept
SUM_FROM = 0.3  # least correlation of left and right at which their sum does not cancel
FARTHEST = 5  # semitones that a recording may be moved to a key without one
LEVEL = -20.0  # dBFS: a key in the middle, loudest velocity, its first 0.4 s


@dataclass
class Recording:
    layer: int  # 0 is the softest
    low: int
    high: int
    root: float  # MIDI key at which it sounds as recorded, with cents
    audio: np.ndarray  # int16, mono


@dataclass
class Bank:
    rate: int
    tops: list[int]  # the highest velocity of each layer
    recordings: list[Recording]


def read_audio(folder: Path, sid: int) -> tuple[np.ndarray, int]:
    """-> float32 in -1..1 of the first channel, rate"""
    flac, wav = folder / f"{sid}.flac", folder / f"{sid}.wav"
    if wav.is_file():
        with wave.open(str(wav)) as file:
            if file.getsampwidth() != 2:
                raise ValueError(f"{wav}: only 16-bit WAV files are read")
            raw = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
            return raw[:, 0].astype(np.float32) / 32768, file.getframerate()
    if not flac.is_file():
        raise FileNotFoundError(f"the bank names a recording that is not there: {flac}")
    import soundfile  # here, because rendering from a pack does not need it

    audio, rate = soundfile.read(str(flac), dtype="float32", always_2d=True)
    return audio[:, 0], rate


def to_mono(sides: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Layers of [left, right] at one key -> mono. Two microphones' sum can cancel; then the louder
    one is used alone, the same in all layers, so that the piano keeps its place at every loudness."""
    if any(len(s) == 1 for s in sides):
        return [s[0] for s in sides]
    alike, louder = [], []
    for left, right in sides:
        n = min(len(left), len(right))
        l, r = left[:n].astype(np.float64), right[:n].astype(np.float64)
        power = float(l @ l), float(r @ r)
        alike.append(float(l @ r) / (np.sqrt(power[0] * power[1]) + 1e-12))
        louder.append(power[0] - power[1])
    if min(alike) >= SUM_FROM:
        return [(l[:min(len(l), len(r))] + r[:min(len(l), len(r))]) / 2 for l, r in sides]
    side = 0 if sum(louder) >= 0 else 1
    return [s[side] for s in sides]


def read_bank(folder: Path) -> Bank:
    """Reads, mixes and shortens a bank. Each recording is taken once, however many zones name it."""
    table = folder / "zones.json"
    if not table.is_file():
        raise FileNotFoundError(f"no zones.json in the bank {folder}")
    try:
        zones = json.loads(table.read_text(encoding="utf-8"))
        spans: dict[str, dict] = {}
        for zone in zones:
            name = zone["name"]
            side = {"(L)": 0, "(R)": 1}.get(name[-3:], 0)
            span = spans.setdefault(name[:-3] if name[-3:] in ("(L)", "(R)") else name,
                                    {"keys": set(), "touch": set(), "sides": {}})
            span["keys"] |= set(range(zone["key"][0], zone["key"][1] + 1))
            span["touch"] |= set(range(zone["pvel"][0], zone["pvel"][1] + 1))
            span["sides"][side] = (int(zone["sid"]), zone["root"] - zone["corr"] / 100)
    except (json.JSONDecodeError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{table} is not a list of zones: {type(error).__name__} {error}") from error
    if not spans:
        raise ValueError(f"{table} names no zones")

    tops = sorted({max(span["touch"]) for span in spans.values()})
    rates, places = set(), {}
    for span in spans.values():
        sides = []
        for _, (sid, root) in sorted(span["sides"].items()):
            audio, rate = read_audio(folder, sid)
            rates.add(rate)
            sides.append(audio[:int(LONGEST * rate)])
        span["audio"], span["root"] = sides, root
        places.setdefault((min(span["keys"]), max(span["keys"])), []).append(span)
    if len(rates) != 1:
        raise ValueError(f"the bank's recordings have different rates: {sorted(rates)}")
    recordings = []
    for (low, high), layers in sorted(places.items()):
        for span, mono in zip(layers, to_mono([span["audio"] for span in layers])):
            audio = np.clip(np.round(mono * 32767), -32768, 32767).astype(np.int16)
            # Some banks have one recording in several layers, of the highest strings for example.
            recordings += [Recording(i, low, high, span["root"], audio)
                           for i, top in enumerate(tops) if top in span["touch"]]
    return Bank(rates.pop(), tops, recordings)


def smooth_sizes(low: int, high: int) -> np.ndarray:
    """Numbers without prime factors above 7: lengths that the FFT does quickly."""
    powers = [np.array([p ** e for e in range(int(np.log(high) / np.log(p)) + 1)]) for p in (2, 3, 5, 7)]
    sizes = powers[0]
    for more in powers[1:]:
        sizes = np.outer(sizes, more).ravel()
        sizes = sizes[sizes <= high]
    return np.sort(sizes[sizes >= low])


def resampled(audio: np.ndarray, ratio: float, shapes: list) -> list[np.ndarray]:
    """`ratio` times as many samples, band-limited, once for each of `shapes`: functions of the
    output's frequencies (as parts of its rate) that give a filter's response."""
    n = len(audio) + 1024  # the filters' tails must not wrap around to the attack
    sources = smooth_sizes(n, int(n * 1.1) + 64)
    targets = smooth_sizes(int(sources[0] * ratio), int(sources[-1] * ratio) + 1)
    off = np.abs(np.log(targets[None, :] / sources[:, None] / ratio))
    i, j = np.unravel_index(np.argmin(off), off.shape)
    size, target = int(sources[i]), int(targets[j])
    spectrum = np.fft.rfft(audio.astype(np.float64), size)
    bins = target // 2 + 1
    kept = np.zeros(bins, complex)
    m = min(bins, len(spectrum))
    kept[:m] = spectrum[:m] * (target / size)
    edge = max(int(0.03 * m), 1)  # a short slope rings less than an abrupt edge
    kept[m - edge:m] *= 0.5 + 0.5 * np.cos(np.pi * (np.arange(edge) + 1) / edge)
    places = np.arange(bins) / target
    length = int(len(audio) * ratio)
    return [np.fft.irfft(kept * shape(places), target)[:length] for shape in shapes]


class Instrument:
    """Every key of the piano in every layer, bright and dark, at one rate."""

    def __init__(self, bank: Bank, rate: int, low: int = LOWEST, high: int = HIGHEST):
        self.rate, self.tops = rate, bank.tops
        self.sounds: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
        wanted = level_curve(bank)
        for layer in range(len(bank.tops)):
            recordings = [r for r in bank.recordings if r.layer == layer]
            missing = []
            for key in range(low, high + 1):
                near = min(recordings, key=lambda r: (max(r.low - key, key - r.high, 0), abs(r.root - key)))
                if max(near.low - key, key - near.high, 0) > FARTHEST:
                    missing.append(key)
                    continue
                self.sounds[layer, key] = self.tuned(near, key, bank.rate, wanted)
            if missing:
                raise ValueError(f"the bank's layer up to velocity {bank.tops[layer]} has no recording within "
                                 f"{FARTHEST} semitones of the keys {missing[0]} to {missing[-1]}")

    def tuned(self, source: Recording, key: int, rate: int, wanted) -> tuple[np.ndarray, np.ndarray]:
        ratio = 2 ** ((source.root - key) / 12) * self.rate / rate
        pitch = 440 * 2 ** ((key - 69) / 12) / self.rate
        corner = 700 / self.rate + 1.2 * pitch

        def bright(f):  # only what is below the lowest string goes: rumble and DC
            return 1 / (1 - 1j * (18 / self.rate) / np.maximum(f, 1e-9)) ** 2

        def dark(f):  # what a softly struck string lacks
            return bright(f) / (1 + 1j * f / corner) ** 2

        gain = 10 ** ((wanted(key) - loudness(source.audio, rate)) / 20) / 32768
        fade_in = int(0.0007 * self.rate) + 1
        sounds = []
        for sound in resampled(source.audio, ratio, [bright, dark]):
            sound *= gain
            sound[:fade_in] *= np.arange(fade_in) / fade_in
            tail = len(sound) // 4
            sound[len(sound) - tail:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(tail) / tail)
            sounds.append(sound.astype(np.float32))
        return sounds[0], sounds[1]


def loudness(audio: np.ndarray, rate: int) -> float:
    """dBFS of the first 0.4 s, in which the ear judges a piano's note."""
    head = audio[:int(0.4 * rate)].astype(np.float64) / 32768
    return float(10 * np.log10(np.mean(head ** 2) + 1e-10))


def level_curve(bank: Bank):
    """A smooth loudness over the keys, from the softest layer: the recordings' own differences from
    key to key, and one layer's from the other's, are the engineer's and not the piano's."""
    at = np.array([r.root for r in bank.recordings if r.layer == 0])
    level = np.array([loudness(r.audio, bank.rate) for r in bank.recordings if r.layer == 0])
    low, high = float(at.min()), float(at.max())
    curve = np.polyfit((at - 60) / 40, level, min(3, len(at) - 1))
    middle = float(np.polyval(curve, (np.clip(60, low, high) - 60) / 40))
    return lambda key: LEVEL + float(np.polyval(curve, (np.clip(key, low, high) - 60) / 40)) - middle
