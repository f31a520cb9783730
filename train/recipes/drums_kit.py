"""Drum kits from single strokes (Debian's sonic-pi-samples, CC0), and the loops they play."""
from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import wav
from .digits_placing import resample
from .drums_patterns import Groove, Hit
from .wav import RATE, RecipeError, gain

try:
    import soundfile
except (ImportError, OSError):
    soundfile = None

# Which strokes may be a voice of a family of kits. All are listed as CC0 in the package's copyright file; ready-made
# loops (loop_*) are left out, and so are strokes that the file does not name (sn_generic, bd_mehackit, perc_impact1 ...).
FAMILIES: dict[str, dict[str, tuple[str, ...]]] = {
    "acoustic": {
        "kick": ("drum_bass_hard", "drum_heavy_kick", "bd_gas", "drum_bass_soft", "bd_klub", "bd_pure"),
        "snare": ("drum_snare_hard", "sn_dub", "sn_dolf", "drum_snare_soft"),
        "clap": ("perc_snap", "perc_snap2"), "side": ("elec_wood", "perc_snap2", "elec_tick", "drum_cowbell"),
        "hat": ("drum_cymbal_closed", "drum_cymbal_pedal"), "open": ("drum_cymbal_open", "drum_cymbal_soft"),
        "crash": ("drum_splash_hard", "drum_cymbal_hard", "drum_splash_soft"), "bell": ("drum_cowbell", "elec_triangle"),
        "perc": ("perc_snap", "elec_wood", "drum_cowbell"), "conga-hi": ("drum_tom_hi_soft", "tabla_na_s", "tabla_te2"),
        "conga-lo": ("drum_tom_mid_soft", "tabla_ghe1", "tabla_ghe8"), "tom-hi": ("drum_tom_hi_hard", "drum_tom_hi_soft"),
        "tom-mid": ("drum_tom_mid_hard", "drum_tom_mid_soft"), "tom-lo": ("drum_tom_lo_hard", "drum_tom_lo_soft"),
    },
    "club": {
        "kick": ("bd_haus", "bd_klub", "bd_fat", "bd_tek", "bd_zum", "bd_ada", "bd_sone", "bd_zome", "bd_boom"),
        "snare": ("sn_dub", "sn_dolf", "sn_zome", "elec_mid_snare", "drum_snare_hard"),
        "clap": ("perc_snap", "perc_snap2", "elec_hi_snare"), "side": ("elec_tick", "perc_snap2", "elec_wood"),
        "hat": ("drum_cymbal_closed", "drum_cymbal_pedal", "elec_tick"), "open": ("drum_cymbal_open", "elec_cymbal"),
        "crash": ("drum_splash_hard", "drum_cymbal_hard"), "bell": ("drum_cowbell", "elec_triangle", "elec_ping"),
        "perc": ("elec_wood", "elec_pop", "elec_flip", "perc_snap", "elec_blip"), "conga-hi": ("elec_plip", "drum_tom_hi_soft"),
        "conga-lo": ("elec_fuzz_tom", "drum_tom_lo_soft"), "tom-hi": ("drum_tom_hi_hard", "elec_fuzz_tom"),
        "tom-mid": ("drum_tom_mid_hard", "elec_fuzz_tom"), "tom-lo": ("drum_tom_lo_hard", "elec_fuzz_tom"),
    },
    "electro": {
        "kick": ("bd_808", "elec_hollow_kick", "elec_soft_kick", "bd_haus", "bd_tek", "bd_fat", "bd_sone"),
        "snare": ("elec_snare", "elec_lo_snare", "elec_mid_snare", "elec_hi_snare", "elec_filt_snare", "sn_zome"),
        "clap": ("elec_hi_snare", "perc_snap", "perc_snap2"), "side": ("elec_tick", "elec_pop", "elec_flip"),
        "hat": ("elec_tick", "drum_cymbal_closed", "elec_flip"), "open": ("elec_cymbal", "drum_cymbal_open"),
        "crash": ("elec_cymbal", "drum_splash_soft"), "bell": ("elec_triangle", "elec_ping", "elec_bell", "elec_beep"),
        "perc": ("elec_blip", "elec_blip2", "elec_twip", "elec_plip", "elec_bong", "elec_pop", "elec_blup"),
        "conga-hi": ("elec_plip",), "conga-lo": ("elec_bong",), "tom-hi": ("elec_fuzz_tom",), "tom-mid": ("elec_fuzz_tom",),
        "tom-lo": ("elec_fuzz_tom", "elec_hollow_kick"),
    },
    "latin": {
        "kick": ("drum_bass_soft", "bd_gas", "bd_pure", "drum_bass_hard"), "snare": ("drum_snare_soft", "sn_dolf", "sn_dub"),
        "clap": ("perc_snap", "perc_snap2"), "side": ("elec_wood", "perc_snap2", "tabla_te1", "drum_cowbell"),
        "hat": ("drum_cymbal_pedal", "drum_cymbal_closed", "elec_tick"), "open": ("drum_cymbal_soft", "drum_cymbal_open"),
        "crash": ("drum_splash_soft", "drum_cymbal_hard"), "bell": ("drum_cowbell", "elec_triangle"),
        "perc": ("tabla_te2", "tabla_na_s", "elec_wood", "tabla_te_ne"), "conga-hi": ("tabla_na", "tabla_na_s", "drum_tom_hi_soft"),
        "conga-lo": ("tabla_ghe1", "tabla_ghe4", "tabla_ghe8", "drum_tom_mid_soft"), "tom-hi": ("drum_tom_hi_soft",),
        "tom-mid": ("drum_tom_mid_soft",), "tom-lo": ("drum_tom_lo_soft",),
    },
}
VOICES = tuple(FAMILIES["acoustic"])
STROKES = tuple(sorted({name for family in FAMILIES.values() for names in family.values() for name in names}))
LEVEL = {"kick": 0.0, "snare": -2.0, "clap": -5.0, "side": -9.0, "hat": -15.0, "open": -13.0, "crash": -9.0, "bell": -15.0,
         "perc": -12.0, "conga-hi": -9.0, "conga-lo": -7.0, "tom-hi": -5.0, "tom-mid": -4.0, "tom-lo": -3.0}
LONGEST = {"kick": 0.6, "hat": 0.2, "open": 0.7, "crash": 2.0, "bell": 0.35, "side": 0.2}  # seconds; others 0.7
TOMS = {"tom-hi": 1.18, "tom-mid": 1.0, "tom-lo": 0.82}  # three of one stroke where a kit has only one
CHOKES = {"hat": "hats", "open": "hats"}                 # a closed hat ends an open one; other voices end by themselves
MASTER = 1.7       # one gain for the set, before the saturation
CEILING = 0.891    # -1 dBFS


@dataclass(frozen=True)
class Kit:
    name: str
    family: str
    unseen: bool                                   # kept for the held-out loops
    voices: dict[str, tuple[str, float, float]]    # voice -> (stroke, speed, dB)


def read_strokes(folder: Path) -> dict[str, np.ndarray]:
    """The strokes that the kits use, at 16 kHz, each at the same level."""
    if not folder.is_dir():
        raise RecipeError(f"no samples in {folder}: apt-get install sonic-pi-samples, or name a folder with --samples")
    found = {p.stem: p for suffix in ("flac", "wav") for p in folder.glob(f"*.{suffix}")}
    missing = [name for name in STROKES if name not in found]
    if missing:
        raise RecipeError(f"{len(missing)} of {len(STROKES)} strokes are not in {folder}: {', '.join(missing[:5])} ...; "
                          "they are those of Debian's sonic-pi-samples")
    return {name: level(to_rate(*read_sound(found[name]))) for name in STROKES}


def read_sound(path: Path) -> tuple[np.ndarray, int]:
    if path.suffix == ".wav":
        return wav.read(path)
    if soundfile is not None:
        x, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
        return x.mean(1), rate
    if shutil.which("sox") is None:
        raise RecipeError("to read FLAC, install python3-soundfile or sox: apt-get install python3-soundfile")
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "x.wav"
        subprocess.run(["sox", str(path), "-b", "16", str(target)], check=True)
        return wav.read(target)


def to_rate(x: np.ndarray, rate: int, speed: float = 1.0) -> np.ndarray:
    step = rate / RATE * speed
    return resample(x.astype(np.float64), np.full(int(len(x) / step) + 1, step))


def level(x: np.ndarray) -> np.ndarray:
    """Sets the loudest 40 ms to -16 dBFS, so that kits stay balanced whatever their strokes."""
    frame = RATE // 25
    power = np.convolve(np.square(x), np.ones(frame) / frame, "valid") if len(x) > frame else np.array([np.mean(x * x)])
    return x * gain(-16) / np.sqrt(power.max() + 1e-12)


def make_kits(count: int, unseen: int, rng: np.random.Generator) -> list[Kit]:
    """`count` kits, turn by turn of each family; the last ones are kept for the held-out loops."""
    names = list(FAMILIES)
    kits = []
    for i in range(count):
        family = names[i % len(names)]
        voices = {}
        for voice, strokes in FAMILIES[family].items():
            stroke = str(rng.choice(strokes))
            speed = float(np.exp(rng.uniform(-0.12, 0.12)))
            if voice in TOMS and sum(stroke in FAMILIES[family][t] for t in TOMS) > 1:
                speed *= TOMS[voice]
            voices[voice] = (stroke, speed, LEVEL[voice] + float(rng.normal(0, 1.5)))
        kits.append(Kit(f"{family}{i:02d}", family, i >= count - unseen, voices))
    return kits


def fit_kit(kit: Kit, strokes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The kit's strokes as they sound: at their speed and gain, with an end."""
    sounds = {}
    for voice, (stroke, speed, db) in kit.voices.items():
        x = to_rate(strokes[stroke], RATE, speed)[:int(LONGEST.get(voice, 0.7) * RATE)] * gain(db)
        fade = min(len(x), max(len(x) // 3, 80))
        x[-fade:] *= np.cos(np.linspace(0, np.pi / 2, fade)) ** 2
        sounds[voice] = x
    return sounds


def darker(x: np.ndarray, velocity: float) -> np.ndarray:
    """A soft stroke has fewer highs: mixed with a smoothed copy of itself."""
    soft = np.convolve(x, np.array([1, 4, 6, 4, 1]) / 16, "same")
    part = float(np.clip(velocity, 0, 1))
    return x * part + soft * (1 - part)


def render(groove: Groove, hits: list[Hit], sounds: dict[str, np.ndarray], balance: dict[str, float], room: float,
           drive: float, rng: np.random.Generator) -> np.ndarray:
    """The loop, circular: what still rings at its end continues at its beginning, so that it repeats seamlessly."""
    samples = int(round(groove.seconds * RATE))
    mix = np.zeros(samples)
    groups: dict[str, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(CHOKES.get(hit.voice, hit.voice), []).append(hit)
    for struck in groups.values():
        for hit, after in zip(struck, struck[1:] + struck[:1]):
            x = darker(sounds[hit.voice], hit.velocity) * hit.velocity ** 1.4 * balance.get(hit.voice, 1.0)
            free = int(((after.seconds - hit.seconds) % groove.seconds) * RATE) or samples
            if hit.voice != "crash" and free < len(x):
                end = min(len(x), free + 160)
                x = x[:end].copy()
                x[free:] *= np.linspace(1, 0, end - free)
            at = (int(hit.seconds * RATE) + np.arange(min(len(x), samples))) % samples
            mix[at] += x[:samples]  # no index comes twice, so this adds each
    if room > 0:
        tail = rng.standard_normal(RATE // 4) * np.exp(-np.arange(RATE // 4) / (0.05 * RATE))
        tail *= room / np.sqrt(np.square(tail).sum())
        tail[0] = 1
        mix = np.fft.irfft(np.fft.rfft(mix) * np.fft.rfft(tail, samples), samples)
    driven = np.tanh(drive * mix * MASTER / CEILING) / drive ** 0.7  # softly: the louder, the rounder
    return np.clip(CEILING * driven, -CEILING, CEILING)
