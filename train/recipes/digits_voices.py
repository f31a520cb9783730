"""The synthesisers of the spoken digits, and the speakers made of their voices."""
from __future__ import annotations

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .wav import RecipeError

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CMU = "CMU/Flite licence (free, like MIT; copyright Carnegie Mellon University)"
EST = "Festival licence (free, like MIT; copyright University of Edinburgh, Alan W Black, Kevin Lenzo)"


@dataclass(frozen=True)
class Voice:
    name: str                      # as in file names
    tool: str
    package: str                   # of Debian
    licence: str
    about: str
    ask: str                       # the tool's name for it
    hertz: float                   # the typical pitch
    pitch: str = "shift"           # how its pitch is set: "shift", "target", or "none"
    ratios: tuple[float, float] = (0.88, 1.15)  # how far formants are moved


VOICES = (
    Voice("flite_awb", "flite", "flite", CMU, "Scottish English, male", "awb", 105),
    Voice("flite_rms", "flite", "flite", CMU, "US English, male", "rms", 90, "none", (0.85, 1.18)),
    Voice("flite_slt", "flite", "flite", CMU, "US English, female", "slt", 180, ratios=(0.84, 1.14)),
    Voice("flite_kal", "flite", "flite", CMU, "US English, male, diphones", "kal16", 105, "target"),
    Voice("fest_kal", "festival", "festvox-kallpc16k", EST, "US English, male, diphones (the flite voice's full set)",
          "voice_kal_diphone", 105, "target", (0.86, 1.2)),
    Voice("fest_ked", "festival", "festvox-kdlpc16k", EST, "US English, male, diphones", "voice_ked_diphone", 105,
          "target", (0.86, 1.2)),
    Voice("fest_slt", "festival", "festvox-us-slt-hts", EST + ", Nagoya Institute of Technology (BSD-3-Clause)",
          "US English, female, HMM (the speaker of flite_slt)", "voice_cmu_us_slt_arctic_hts", 180, "none",
          (0.84, 1.16)),
)
ACCENTS = ("en-us", "en-us", "en-us", "en-us-nyc", "en-gb", "en-gb", "en-gb-x-rp", "en-gb-scotland",
           "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")
VARIANTS = tuple(  # without robots, monsters and echoes
    "m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 klatt klatt2 klatt3 klatt4 adam Alex Alicia Andrea Andy Annie antonio "
    "aunty belinda benjamin boris caleb david Denis Diogo ed edward edward2 Gene Gene2 grandma grandpa gustave Henrique "
    "Hugo iven iven2 iven3 Jacky john kaukovalta Lee linda marcelo Marco Mario max Michael michel miguel Mike Nguyen "
    "norbert pablo paul pedro quincy rob robert sandro shelby steph steph2 steph3 travis victor whisper whisperf zac "
    "anika".split())
ESPEAK = Voice("espeak", "espeak-ng", "espeak-ng", "the program and its voices: GPL-3+; its output is not covered by it",
               "English accents with the program's voice variants: formant synthesis", "en", 110, "shift", (0.93, 1.08))


@dataclass(frozen=True)
class Speaker:
    name: str                      # flite_slt_p12
    voice: Voice
    ask: str                       # the tool's argument: the voice, or accent+variant
    ratio: float                   # of formants, and of the pitch with them
    pitch: float                   # of the pitch, before the formants are moved
    stretch: float                 # of time
    held_out: bool


@dataclass(frozen=True)
class Request:
    """One word to be synthesised to a file."""
    speaker: Speaker
    word: str
    pitch: float
    stretch: float
    path: Path


def missing_tools() -> list[str]:
    """Debian packages that have to be installed first."""
    needed = {v.tool: v.tool for v in (*VOICES, ESPEAK)}
    return [package for program, package in needed.items() if shutil.which(program) is None]


def voices_here() -> tuple[list[Voice], list[Voice]]:
    """-> (voices that can be used, voices whose package is missing)"""
    listed = subprocess.run(["festival", "--pipe"], input="(print (voice.list))\n", text=True, capture_output=True).stdout
    there = {v: v.tool != "festival" or v.ask.removeprefix("voice_") in listed for v in VOICES}
    return [v for v in VOICES if there[v]], [v for v in VOICES if not there[v]]


def versions() -> dict[str, str]:
    out = {}
    for tool in sorted({v.tool for v in (*VOICES, ESPEAK)}):
        done = subprocess.run([tool, "--version"], capture_output=True, text=True)
        found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
        out[tool] = found.group() if found else "unknown"
    return out


def cast(count: int, held_out: float, rng: np.random.Generator, voices: list[Voice]) -> list[Speaker]:
    """`count` speakers, 45 % of them of espeak-ng; a fraction of each voice is held out."""
    quotas = {v: 0 for v in voices}
    espeak = int(count * 0.45) if voices else count
    for i in range(count - espeak):
        quotas[voices[i % len(voices)]] += 1
    speakers = []
    for voice, quota in quotas.items():
        kept = max(1, round(quota * held_out)) if quota > 1 and held_out else 0
        # Speakers of a voice are spread evenly over its ratios, in a random order.
        places = (rng.permutation(quota) + rng.uniform(0.2, 0.8, quota)) / max(quota, 1)
        for i in range(quota):
            ratio = voice.ratios[0] * (voice.ratios[1] / voice.ratios[0]) ** places[i]
            pitch = 1.0 if voice.pitch == "none" else float(np.exp(rng.uniform(-0.22, 0.22)))
            speakers.append(Speaker(f"{voice.name}_p{i:02d}", voice, voice.ask, float(ratio), pitch,
                                    float(rng.uniform(0.82, 1.12)), i < kept))
    variants = [VARIANTS[i] for i in rng.permutation(len(VARIANTS))]
    kept = round(len(variants) * held_out)
    for i in range(espeak):  # a variant is either in training or held out, whatever the accent
        variant = variants[i % len(variants)]
        accent = ACCENTS[int(rng.integers(len(ACCENTS)))]
        name = f"espeak_{accent.replace('-', '')}_{variant.lower()}_p{i:02d}"
        speakers.append(Speaker(name, ESPEAK, f"{accent}+{variant}", float(np.exp(rng.uniform(*np.log(ESPEAK.ratios)))),
                                float(np.exp(rng.uniform(-0.15, 0.2))), float(rng.uniform(0.8, 1.05)),
                                i % len(variants) >= len(variants) - kept))
    return speakers


def flite_command(r: Request) -> list[str]:
    v = r.speaker.voice
    words = ["flite", "-voice", r.speaker.ask, "--setf", f"duration_stretch={r.stretch:.3f}"]
    if v.pitch == "target":
        words += ["--setf", f"int_f0_target_mean={v.hertz * r.pitch:.1f}", "--setf",
                  f"int_f0_target_stddev={12 * r.pitch ** 2:.1f}"]
    elif v.pitch == "shift":
        words += ["--setf", f"f0_shift={r.pitch:.3f}"]
    return words + ["-t", r.word, "-o", str(r.path)]


def espeak_command(r: Request) -> list[str]:
    speed = int(np.clip(round(165 / r.stretch), 80, 440))
    pitch = int(np.clip(round(50 + 60 * np.log2(r.pitch)), 0, 99))
    return ["espeak-ng", "-v", r.speaker.ask, "-s", str(speed), "-p", str(pitch), "-w", str(r.path), r.word]


def festival_script(requests: list[Request]) -> str:
    """One program for all words: loading festival takes longer than speaking them."""
    lines, voice = [], None
    for r in requests:
        v = r.speaker.voice
        if v != voice:
            lines.append(f"({v.ask})")
            if v.pitch == "none":
                lines.append("(set! plain_params hts_engine_params)")
            voice = v
        if v.pitch == "target":  # as the voice's own model, moved
            lines.append(f"(set! int_lr_params '((target_f0_mean {v.hertz * r.pitch:.1f}) (target_f0_std "
                         f"{14 * r.pitch ** 2:.1f}) (model_f0_mean 170) (model_f0_std 34)))")
            lines.append(f"(Parameter.set 'Duration_Stretch {r.stretch:.3f})")
        else:  # the HMM voice has speed instead of stretch
            lines.append(f"(set! hts_engine_params (append plain_params (list (list \"-r\" {1 / r.stretch:.3f}))))")
        lines.append(f'(utt.save.wave (utt.synth (Utterance Text "{r.word}")) "{r.path}" \'riff)')
    return "\n".join(lines) + "\n"


def synthesise(requests: list[Request], jobs: int = 2) -> None:
    """Writes each request's file. A file that could not be made is absent afterwards."""
    spoken = sorted((r for r in requests if r.speaker.voice.tool == "festival"), key=lambda r: r.speaker.voice.name)
    if spoken:
        script = spoken[0].path.parent / "festival.scm"
        script.write_text(festival_script(spoken))
        done = subprocess.run(["festival", "-b", str(script)], capture_output=True, text=True)
        if done.returncode:
            print(f"festival: {done.stderr.strip()[-300:]}", file=sys.stderr)
    commands = [flite_command(r) if r.speaker.voice.tool == "flite" else espeak_command(r) for r in requests
                if r.speaker.voice.tool != "festival"]

    def run(command: list[str]) -> None:
        if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            raise RecipeError("failed: " + " ".join(command))

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, commands))
