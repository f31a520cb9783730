#!/usr/bin/env python3
"""Renders long runs of each shipped model with and without the guard, judges them apart from it, and counts.

    python3 tools/guard_runs.py --out RUNS [--mambo PROGRAM] [--runs 100] [--seconds 300] [--models piano drums]
                                [--guard off on] [--threads 0] [--until HH:MM] [--report]

Runs that are there already are not made again, so it can be stopped (Ctrl-C) and go on later, here or on another
machine with the same folder. --report only judges and prints. The judge hears files, with the measures of
train.judge.sound; the guard (dsp/trouble.h) has no part in it:

    silence  10 s or more below -60 dBFS, second by second
    noise    4 s or more flatter than 0.35 and louder than -50 dBFS
    drone    8 s or more that sound and whose spectrum hardly changes, and no noise

A false alarm is a first act where the same run without the guard was well again within ten seconds by itself; after
it the two runs differ and cannot be compared. Run n of a model continues its n-th clip, in turn, with random seed n.
"""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from train.judge import sound, sounds  # noqa: E402

CLIPS = {
    "piano": ["piano-beethoven", "piano-chopin", "piano-joplin", "satie-gymnopedie"],
    "piano-lab": ["piano-beethoven", "piano-chopin", "piano-joplin", "satie-gymnopedie"],
    "drums": ["drums-breakbeat", "drums-house", "drums-latin"],
    "digits": ["digit-seven", "digit-three"],
}
SILENCE_S, NOISE_S, DRONE_S = 10, 4, 8
NOISE_DB = -50.0
WINDOW_S = 9  # of a drone: 8 s and the quarters that it begins and ends in
AFTER_S = 10  # where trouble ends by itself within this, the guard need not have acted
KINDS = ("silence", "noise", "drone")


def stretches(marks: list[bool], least: int) -> list[tuple[int, int]]:
    """[begin, end) of the runs of at least so many marks."""
    out, begin = [], None
    for i, mark in enumerate([*marks, False]):
        if mark and begin is None:
            begin = i
        elif not mark and begin is not None:
            if i - begin >= least:
                out.append((begin, i))
            begin = None
    return out


def judge(path: Path) -> dict:
    """Stretches of trouble, s, and how much of the run they are."""
    x, rate = sounds.read(path)
    seconds = [x[i:i + rate] for i in range(0, len(x) - rate + 1, rate)]
    level = [sound.rms_db(s) for s in seconds]
    flat = [sound.flatness(s) for s in seconds]
    silent = stretches([v < sound.SILENT for v in level], SILENCE_S)
    noisy = stretches([f > sound.FLAT and v > NOISE_DB for f, v in zip(flat, level)], NOISE_S)
    marks = [False] * len(seconds)
    for i in range(0, len(seconds) - WINDOW_S + 1):
        part = x[i * rate:(i + WINDOW_S) * rate]
        if sound.drone(part, rate) * WINDOW_S >= DRONE_S:
            marks[i:i + WINDOW_S] = [True] * WINDOW_S
    for begin, end in noisy:
        marks[begin:end] = [False] * (end - begin)
    return {"seconds": round(len(x) / rate, 2), "silence": silent, "noise": noisy, "drone": stretches(marks, DRONE_S),
            "dBFS": round(sound.rms_db(x), 1)}


def judged(path: Path) -> dict:
    """The judgement, kept beside the file."""
    kept = path.with_suffix(".judged.json")
    if kept.exists() and kept.stat().st_mtime >= path.stat().st_mtime:
        return json.loads(kept.read_text())
    found = judge(path)
    kept.write_text(json.dumps(found))
    return found


def render(args: argparse.Namespace, model: str, n: int, guard: str, path: Path) -> None:
    clips = CLIPS[model]
    words = [args.mambo, "render", "-m", ROOT / f"assets/models/{model}.safetensors", "-s",
             ROOT / f"assets/seeds/{clips[n % len(clips)]}.wav", "--seconds", args.seconds, "--rng-seed", n, "--threads",
             args.threads, "--quiet", "-o", path, *(["--guard"] if guard == "on" else [])]
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([str(w) for w in words], check=True, stdout=subprocess.DEVNULL)


def went_on(path: Path, at: float, kind: str) -> bool:
    """Whether trouble of this kind goes on in the ten seconds after `at`: in the run without a guard, whose samples are
    the same until the guard's first act."""
    x, rate = sounds.read(path)
    part = x[int(at * rate):int((at + AFTER_S) * rate)]
    seconds = [part[i:i + rate] for i in range(0, len(part) - rate + 1, rate)]
    if not seconds:
        return True
    if kind == "drone":
        return sound.drone(part, rate) > 0.5
    level = np.array([sound.rms_db(s) for s in seconds])
    if kind == "silence":
        return bool((level < sound.SILENT).all())
    return bool(np.mean([sound.flatness(s) > sound.FLAT for s in seconds]) > 0.5)


def report(args: argparse.Namespace) -> None:
    print("model      guard  runs  troubled  silence  noise  drone  time in trouble  acts  first acts  false alarms")
    for model in args.models:
        for guard in args.guard:
            paths = [args.out / guard / f"{model}-{n:03d}.flac" for n in range(args.runs)]
            paths = [p for p in paths if p.exists()]
            rows = [judged(p) for p in paths]
            if not rows:
                continue
            acts = [json.loads(p.with_suffix(".json").read_text()).get("brought_back", []) for p in paths]
            first = [(args.out / "off" / p.name, a[0]) for p, a in zip(paths, acts) if a]
            first = [(plain, a) for plain, a in first if plain.exists()]
            false = sum(not went_on(plain, a["at_sample"] / sounds.read(plain)[1], a["from"]) for plain, a in first)
            kinds = {k: sum(bool(r[k]) for r in rows) for k in KINDS}
            troubled = sum(any(r[k] for k in KINDS) for r in rows)
            lost = sum(e - b for r in rows for k in KINDS for b, e in r[k]) / sum(r["seconds"] for r in rows)
            print(f"{model:10} {guard:5} {len(rows):5} {troubled:9} {kinds['silence']:8} {kinds['noise']:6} "
                  f"{kinds['drone']:6} {lost:16.1%} {sum(map(len, acts)):5} {len(first):11} {false:13}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mambo", default=str(ROOT / "build/release/mambo"))
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--models", nargs="+", default=list(CLIPS), choices=list(CLIPS))
    parser.add_argument("--guard", nargs="+", default=["off", "on"], choices=["off", "on"])
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--until", help="begin no run after this time of day")
    parser.add_argument("--report", action="store_true")
    args = parser.parse_args()
    for n in range(0 if args.report else args.runs):
        for model in args.models:
            for guard in args.guard:
                path = args.out / guard / f"{model}-{n:03d}.flac"
                if path.exists():
                    continue
                if args.until and time.strftime("%H:%M") >= args.until:
                    report(args)
                    return 0
                render(args, model, n, guard, path)
    report(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
