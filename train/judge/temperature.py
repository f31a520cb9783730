"""Between which temperatures a model is of use: python -m train.judge.temperature MODEL --clips DIR [-o KEEP]

Continues each clip at each temperature (`mambo render`) and compares with the clips: level, silence, noise and drones
(train.judge.sound), and how surprising the sound is to the model (`mambo eval`, bits per sample). The range is the
longest run of temperatures, about the model's own, at which all four stay near the real sound. What it prints at the
end goes into the file by `python -m train.about MODEL --ranges '...'`.
"""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from . import sound, sounds
from .sounds import JudgeError

TEMPERATURES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.05, 1.1, 1.2, 1.4)
LEVEL = (-10.0, 9.0)  # dB from the clips
BITS = (0.5, 1.5)     # of the clips' bits per sample
BAD = 0.34            # share of the continuations that may end in silence or in noise, and of the time that may drone


def ask(words: list[str]) -> dict:
    """What the program says as JSON."""
    program = os.environ.get("MAMBO", "build/release/mambo")
    try:
        done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    except OSError as e:
        raise JudgeError(f"{program}: {e.strerror} (MAMBO names the program)") from None
    if done.returncode != 0:
        raise JudgeError(done.stderr.strip() or f"{program} {words[0]}: exit code {done.returncode}")
    return json.loads(done.stdout)


def draw(model: Path, clips: list[Path], temperatures: list[float], seconds: float, folder: Path) -> None:
    jobs = [json.dumps({"clip": str(c), "seconds": seconds, "temperature": t, "output": f"{t:g}/{c.stem}.wav"})
            for t in temperatures for c in clips]
    for t in temperatures:
        (folder / f"{t:g}").mkdir(parents=True, exist_ok=True)
    (folder / "jobs").write_text("\n".join(jobs) + "\n")
    ask(["render", "--model", str(model), "--jobs", str(folder / "jobs"), "-o", f"{folder}/", "--force", "--json", "--quiet"])


def bits(model: Path, files: list[Path]) -> float:
    words = ["eval", "--model", str(model), "--json"]
    for f in files:
        words += ["--audio", str(f)]
    return float(ask(words)["bits_per_sample"])


def row(model: Path, files: list[Path], noise_above: float) -> dict:
    found = [sound.measure(f, noise_above, 0.0) for f in files]
    return {"dBFS": float(np.mean([r["dBFS"] for r in found])), "silent": float(np.mean([r["silent"] for r in found])),
            "noise": float(np.mean([r["noise"] for r in found])), "drone": float(np.mean([r["drone"] for r in found])),
            "flatness": float(np.mean([r["end flatness"] for r in found])), "bits": bits(model, files)}


def faults(r: dict, real: dict) -> list[str]:
    """In what it is not near the real sound."""
    out = [name for name in ("silent", "noise", "drone") if r[name] > max(BAD, real[name])]
    change = r["dBFS"] - real["dBFS"]
    if not LEVEL[0] <= change <= LEVEL[1]:
        out.append("soft" if change < 0 else "loud")
    if r["bits"] < BITS[0] * real["bits"]:
        out.append("too sure")
    if r["bits"] > BITS[1] * real["bits"]:
        out.append("too random")
    return out


def useful(rows: dict[float, list[str]], own: float) -> tuple[float, float] | None:
    """The run of temperatures without faults that is nearest the model's own, if it has two or more."""
    runs: list[list[float]] = [[]]
    for t in sorted(rows):
        if rows[t]:
            runs.append([])
        else:
            runs[-1].append(t)
    runs = [r for r in runs if len(r) > 1]
    if not runs:
        return None
    best = min(runs, key=lambda r: max(r[0] - own, own - r[-1], 0.0))
    return best[0], best[-1]


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.judge.temperature", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--clips", type=Path, nargs="+", required=True, metavar="WAV", help="real sound: files or folders")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="of each continuation (10)")
    parser.add_argument("--temperatures", type=float, nargs="+", default=list(TEMPERATURES), metavar="T")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="keeps the continuations")
    args = parser.parse_args(words)
    try:
        clips = [f for c in args.clips for f in (sounds.find(c) if c.is_dir() else [c])]
        own = float(ask(["info", "--model", str(args.model), "--json"])["sampling"]["temperature"])
        with tempfile.TemporaryDirectory() as scratch:
            folder = args.output or Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            draw(args.model, clips, args.temperatures, args.seconds, folder)
            noise_above = max(sound.FLAT, sound.MARGIN * max(sound.flatness(sounds.read(c)[0]) for c in clips))
            real = row(args.model, clips, noise_above)
            found = {}
            print(f"{'':>11} {'dBFS':>6} {'silent':>7} {'noise':>6} {'drone':>6} {'flatness':>9} {'bits':>6}")
            for t in [None, *args.temperatures]:
                r = real if t is None else row(args.model, [folder / f"{t:g}" / f"{c.stem}.wav" for c in clips], noise_above)
                if t is not None:
                    found[t] = faults(r, real)
                print(f"{'clips' if t is None else f'{t:g}':>11} {r['dBFS']:6.1f} {r['silent']:7.2f} {r['noise']:6.2f} "
                      f"{r['drone']:6.2f} {r['flatness']:9.3f} {r['bits']:6.3f}  "
                      f"{', '.join(found.get(t, []))}", flush=True)
    except JudgeError as e:
        print(f"judge: {e}", file=sys.stderr)
        return 1
    ends = useful(found, own)
    if ends is None:
        print("no two temperatures side by side stay near the real sound")
        return 1
    print(f"own temperature {own:g}, useful from {ends[0]:g} to {ends[1]:g}:")
    print(json.dumps({"temperature": list(ends)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
