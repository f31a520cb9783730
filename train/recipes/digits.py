"""Makes spoken digits, zero to nine, in many voices: a small SC09. One second per clip, 16 kHz mono.

    python -m train.recipes.digits -o data/digits --clips 6000 --seed 1

Speaks with Debian's flite, festival (festvox-kallpc16k, festvox-kdlpc16k, festvox-us-slt-hts) and espeak-ng.
Speakers are kept apart: OUT/held-out has none of those in OUT/train. See docs/digits-drums-data.md.
"""
from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np

from ..processes import anew
from . import digits_placing as placing
from . import digits_voices as voices
from . import wav
from .digits_voices import WORDS, Request, Speaker

VERSION = 1    # of the recipe: another number, another sound
TRIES = 3      # a word too long for its second is spoken faster, twice
Synthesiser = Callable[[list[Request], int], None]


def arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.recipes.digits", description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="new or empty folder")
    parser.add_argument("--clips", type=int, default=6000, metavar="N", help="approximate number of clips (6000)")
    parser.add_argument("--held-out", type=float, default=0.12, metavar="PART", help="part of the speakers kept from "
                        "training (0.12)")
    parser.add_argument("--takes", type=int, default=3, metavar="N", help="of each digit by each speaker (3): more "
                        "takes, fewer speakers")
    parser.add_argument("--clean", action="store_true", help="no noise floors and no rooms: silence around the word")
    parser.add_argument("--early", action="store_true", help="each word begins in the first tenth of its second, not "
                        "anywhere in it")
    parser.add_argument("--seed", type=int, default=1, help="random seed (1)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (2)")
    args = parser.parse_args(words)
    if args.clips < 10 or args.jobs < 1 or args.takes < 1 or args.seed < 0 or not 0 <= args.held_out < 1:
        parser.error("--clips begins at 10, --jobs and --takes at 1, --seed is not negative, --held-out is a part from 0 to below 1")
    return args


@dataclass
class Clip:
    """One clip to be made: speaker, digit, and its own random seed."""
    speaker: Speaker
    colour: placing.Colour
    word: str
    take: int
    pitch: float
    stretch: float
    seed: tuple[int, ...]
    out: Path
    raw: Path
    latest: int = placing.CLIP  # where the word begins at the latest, samples

    def request(self) -> Request:
        # The formants are moved by reading faster or slower, which must not change how long the word is.
        return Request(self.speaker, self.word, self.pitch, self.stretch * self.speaker.ratio, self.raw)


def plan(speakers: list[Speaker], clips: int, seed: int, out: Path, scratch: Path, clean: bool = False,
         early: bool = False) -> list[Clip]:
    """Every speaker says every digit equally often; the last takes are left out when the number of clips is reached."""
    colours = [placing.random_colour(np.random.default_rng([seed, 1, i])) for i in range(len(speakers))]
    if clean:
        colours = [dataclasses.replace(c, room=-np.inf, noisy=0.0) for c in colours]
    takes = -(-clips // (len(speakers) * len(WORDS)))
    planned = []
    for take in range(takes):
        for s, speaker in enumerate(speakers):
            for w, word in enumerate(WORDS):
                key = (seed, 2, s, w, take)
                rng = np.random.default_rng(key)
                part = "held-out" if speaker.held_out else "train"
                planned.append(Clip(
                    speaker, colours[s], word, take, speaker.pitch * float(np.exp(rng.uniform(-0.08, 0.08))),
                    speaker.stretch * float(np.exp(rng.uniform(-0.14, 0.14))), key,
                    out / part / f"{word}-{speaker.name}-{take + 1:02d}.wav", scratch / f"{len(planned)}.wav",
                    placing.EARLY if early else placing.CLIP))
    return planned[:clips]


def finish(clip: Clip) -> tuple[int, float]:
    """-> (samples of the word, its loudness in dBFS); writes the clip if the word fits into it."""
    if not clip.raw.is_file() or clip.raw.stat().st_size <= 44:
        return 0, 0.0
    x, rate = wav.read(clip.raw)
    rng = np.random.default_rng((*clip.seed, 3))
    word = placing.voice_to_word(x, rate, clip.speaker.ratio, rng)
    if not placing.SHORTEST <= len(word) <= placing.LONGEST:
        return len(word), 0.0
    samples, start = placing.place(word, clip.colour, rng, clip.latest)
    wav.write(clip.out, samples)
    return len(word), wav.rms_db(samples[start:start + len(word)])


def make(planned: list[Clip], synthesise: Synthesiser, jobs: int) -> tuple[list[tuple[Clip, int, float]], list[Clip]]:
    """-> ([(clip, samples of the word, loudness)], clips given up)"""
    done, todo = [], planned
    with anew.Pool(jobs) as pool:
        for _ in range(TRIES):
            synthesise([clip.request() for clip in todo], jobs)
            again = []
            for clip, (samples, level) in zip(todo, pool.map(finish, todo, chunksize=16)):
                clip.raw.unlink(missing_ok=True)
                if placing.SHORTEST <= samples <= placing.LONGEST:
                    done.append((clip, samples, level))
                elif samples > placing.LONGEST:
                    clip.stretch *= 0.92 * placing.LONGEST / samples
                    again.append(clip)
            todo = again
    made = {clip.out for clip, _, _ in done}
    return done, [clip for clip in planned if clip.out not in made]


def describe(done: list[tuple[Clip, int, float]], dropped: list[Clip], args: argparse.Namespace,
             used: list[voices.Voice], missing: list[voices.Voice]) -> dict:
    parts = {part: [c for c, _, _ in done if c.speaker.held_out == (part == "held-out")] for part in ("train", "held-out")}
    seconds = np.array([n for _, n, _ in done]) / wav.RATE
    levels = np.array([level for _, _, level in done])

    def spread(x: np.ndarray) -> dict[str, float]:
        return {name: round(float(np.percentile(x, p)), 3) for name, p in
                (("least", 0), ("5 %", 5), ("median", 50), ("95 %", 95), ("most", 100))}

    return {
        "what": "spoken digits, one second a clip, 16 kHz mono, 16 bits; synthesised",
        "made": datetime.date.today().isoformat(), "recipe": f"train.recipes.digits {VERSION}",
        "command": f"python -m train.recipes.digits -o OUT --clips {args.clips} --held-out {args.held_out} "
                   f"--takes {args.takes}{' --clean' if args.clean else ''}{' --early' if args.early else ''} --seed {args.seed}",
        "tools": voices.versions(),
        "voices": {v.name: {"tool": v.tool, "debian package": v.package, "voice": v.about, "licence": v.licence,
                            "speakers": len({c.speaker.name for c, _, _ in done if c.speaker.voice == v}),
                            "clips": sum(c.speaker.voice == v for c, _, _ in done)} for v in (*used, voices.ESPEAK)},
        "voices not installed": [v.package for v in missing],
        "clips": {part: {"all": len(clips), "speakers": len({c.speaker.name for c in clips}),
                         "of each digit": dict(Counter(c.word for c in clips))} for part, clips in parts.items()},
        "dropped": [clip.out.name for clip in dropped],
        "seconds of the word": spread(seconds), "dBFS RMS of the word": spread(levels),
        "speakers": {c.speaker.name: {"asked for": c.speaker.ask, "formants": round(c.speaker.ratio, 3),
                                      "held out": c.speaker.held_out} for c, _, _ in done},
    }


def main(words: list[str] | None = None) -> int:
    args = arguments(words)
    began = time.monotonic()
    try:
        if missing := voices.missing_tools():
            raise wav.RecipeError("not installed: " + ", ".join(missing) + f" (apt-get install {' '.join(missing)})")
        used, absent = voices.voices_here()
        for voice in absent:
            print(f"left out: {voice.name}; for it, apt-get install {voice.package}", file=sys.stderr)
        wav.new_folder(args.out)
        count = max(10, round(args.clips / (args.takes * len(WORDS))))
        speakers = voices.cast(count, args.held_out, np.random.default_rng([args.seed, 0]), used)
        with tempfile.TemporaryDirectory(prefix="digits-") as scratch:
            planned = plan(speakers, args.clips, args.seed, args.out, Path(scratch), args.clean, args.early)
            print(f"{len(planned)} clips of {len(speakers)} speakers", flush=True)
            done, dropped = make(planned, voices.synthesise, args.jobs)
        report = describe(done, dropped, args, used, absent)
        (args.out / "dataset.json").write_text(json.dumps(report, indent=1) + "\n")
    except wav.RecipeError as e:
        print(f"digits: {e}", file=sys.stderr)
        return 1
    print(f"{args.out}: {report['clips']['train']['all']} clips to train on, {report['clips']['held-out']['all']} held "
          f"out, {len(dropped)} dropped, in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
