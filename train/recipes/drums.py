"""Makes drum loops from single strokes: a small grammar of styles, many kits, 16 kHz mono.

    python -m train.recipes.drums --samples /usr/share/sonic-pi/samples -o data/drums --loops 1500

The strokes are those of Debian's sonic-pi-samples (CC0). Some kits and some kick patterns are in the held-out loops
only. dataset.json has each loop's tempo and style. See docs/digits-drums-data.md.
"""
from __future__ import annotations

import argparse
import datetime
import functools
import json
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from ..processes import anew
from . import drums_kit, wav
from .drums_patterns import STYLES, compose, play

VERSION = 2  # of the recipe: another number, other files (2: names without the styles' hyphens)


def arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.recipes.drums", description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=Path, default=Path("/usr/share/sonic-pi/samples"), metavar="DIR",
                        help="the strokes (/usr/share/sonic-pi/samples)")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="new or empty folder")
    parser.add_argument("--loops", type=int, default=1500, metavar="N", help="loops of 8 to 16 seconds (1500)")
    parser.add_argument("--kits", type=int, default=64, metavar="N", help="kits (64); one in eight is held out")
    parser.add_argument("--held-out", type=float, default=0.08, metavar="PART", help="part of the loops kept from "
                        "training (0.08)")
    parser.add_argument("--tempo-step", type=int, default=1, metavar="N", help="only tempi that are multiples of N "
                        "beats a minute, 1 to 20 (1)")
    parser.add_argument("--steady", action="store_true", help="like a machine: on the grid, every bar or two alike, no "
                        "swing, no fills")
    parser.add_argument("--seed", type=int, default=1, help="random seed (1)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (2)")
    args = parser.parse_args(words)
    if args.loops < 1 or args.kits < 8 or args.jobs < 1 or args.seed < 0 or not 0 <= args.held_out < 1:
        parser.error("--loops and --jobs begin at 1, --kits at 8, --seed is not negative, --held-out is a part from 0 "
                     "to below 1")
    if not 1 <= args.tempo_step <= 20:
        parser.error("--tempo-step is 1 to 20 beats a minute")
    return args


def make_loop(number: int, held_out: bool, strokes: dict[str, np.ndarray], kits: list[drums_kit.Kit], out: Path,
              seed: int, tempo_step: int, steady: bool) -> dict:
    """Writes one loop; -> its entry in dataset.json. Its random stream is its own and does not depend on process or order."""
    rng = np.random.default_rng([seed, 2, number])
    # Of the held-out loops half have a kit that training lacks, half a kick pattern; independently of one another.
    case = int(rng.integers(4)) if held_out else 3
    new_kit, new_pattern = held_out and case in (0, 2), held_out and case in (1, 2)
    style = list(STYLES)[number % len(STYLES)]
    suited = [k for k in kits if k.unseen == new_kit and k.family in STYLES[style].kits]
    if not suited:  # few kits: any of them
        suited = [k for k in kits if k.unseen == new_kit]
    kit = suited[int(rng.integers(len(suited)))]
    groove = compose(style, new_pattern, rng, tempo_step, steady)
    hits = play(groove, rng)
    balance = {voice: wav.gain(float(rng.normal(0, 1.5))) for voice in drums_kit.VOICES}
    room = float(rng.uniform(0.05, 0.25)) if kit.family in ("acoustic", "latin") and rng.random() < 0.6 else 0.0
    x = drums_kit.render(groove, hits, drums_kit.fit_kit(kit, strokes), balance, room, float(rng.uniform(1.0, 2.2)), rng)
    part = "held-out" if held_out else "train"
    plain = style.replace("-", "")  # train.labels splits names at hyphens
    name = f"{plain}-{groove.bpm}-{kit.name}-{number:04d}.wav"
    wav.write(out / part / name, x)
    return {"file": f"{part}/{name}", "bpm": groove.bpm, "style": style, "kit": kit.name, "bars": groove.bars,
            "seconds": round(len(x) / wav.RATE, 3), "swing": round(groove.swing, 3),
            "fill every": None if steady else groove.phrase,
            "kit unseen in training": kit.unseen, "kick pattern unseen in training": groove.unseen,
            "dBFS RMS": round(wav.rms_db(x), 2), "peak": round(float(np.abs(x).max()), 4), "lines": groove.lines}


_job: functools.partial | None = None


def _start(job: functools.partial) -> None:
    global _job  # each process receives the strokes once, not with each loop
    _job = job


def _run(task: tuple[int, bool]) -> dict:
    return _job(*task)


def describe(loops: list[dict], kits: list[drums_kit.Kit], args: argparse.Namespace) -> dict:
    parts = {}
    for part in ("train", "held-out"):
        here = [loop for loop in loops if loop["file"].startswith(part + "/")]
        parts[part] = {"loops": len(here), "hours": round(sum(loop["seconds"] for loop in here) / 3600, 3),
                       "styles": dict(sorted(Counter(loop["style"] for loop in here).items())),
                       "kits": len({loop["kit"] for loop in here})}
    how = f"--tempo-step {args.tempo_step}" + (" --steady" if args.steady else "")
    return {
        "what": "drum loops, 16 kHz mono, 16 bits; whole bars, seamless as a circle",
        "made": datetime.date.today().isoformat(),
        "recipe": f"train.recipes.drums {VERSION}, {how}",
        "command": f"python -m train.recipes.drums --samples {args.samples} -o OUT --loops {args.loops} --kits {args.kits} "
                   f"--held-out {args.held_out} {how} --seed {args.seed}",
        "strokes": {"from": "Debian's sonic-pi-samples", "licence": "CC0", "used": list(drums_kit.STROKES)},
        "parts": parts,
        "kits": {k.name: {"unseen in training": k.unseen, "strokes": {v: s[0] for v, s in k.voices.items()}} for k in kits},
        "loops": loops,
    }


def main(words: list[str] | None = None) -> int:
    args = arguments(words)
    began = time.monotonic()
    try:
        strokes = drums_kit.read_strokes(args.samples)
        wav.new_folder(args.out)
        kits = drums_kit.make_kits(args.kits, max(1, args.kits // 8), np.random.default_rng([args.seed, 0]))
        kept = np.random.default_rng([args.seed, 1]).permutation(args.loops)[:round(args.loops * args.held_out)]
        held_out = set(kept.tolist())
        job = functools.partial(make_loop, strokes=strokes, kits=kits, out=args.out, seed=args.seed,
                                tempo_step=args.tempo_step, steady=args.steady)
        with anew.Pool(args.jobs, _start, (job,)) as pool:
            loops = pool.map(_run, [(n, n in held_out) for n in range(args.loops)], chunksize=8)
    except wav.RecipeError as e:
        print(f"drums: {e}", file=sys.stderr)
        return 1
    report = describe(loops, kits, args)
    (args.out / "dataset.json").write_text(json.dumps(report, indent=1) + "\n")
    parts = report["parts"]
    print(f"{args.out}: {parts['train']['loops']} loops ({parts['train']['hours']} h) to train on, "
          f"{parts['held-out']['loops']} held out, in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
