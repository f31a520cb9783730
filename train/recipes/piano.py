"""Makes a folder of solo piano to train on, from MIDI files and a bank of piano samples.

    python -m train.recipes.piano --midi piano-midi.tar.xz --bank piano-bank -o data/piano
    python -m train.recipes.piano --midi piano-midi.tar.xz --bank piano-bank --pack piano.npz
    python -m train.recipes.piano --pack piano.npz -o data/piano --takes 3

The first needs mido and soundfile; so does the second, which puts scores and bank into one file.
The third, on a machine that trains, needs numpy only. See docs/piano-data.md.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import platform
import signal
import sys
import time
from pathlib import Path

import numpy as np

from ..processes import anew
from . import piano_bank, piano_pack, piano_play, piano_sampler, piano_score

VERSION = 1  # of the recipe: another number, another sound


def arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.recipes.piano", description=__doc__.split("\n")[0])
    parser.add_argument("--midi", type=Path, metavar="PATH", help="a folder or tar file of MIDI files")
    parser.add_argument("--credits", type=Path, metavar="TSV", help="score, composer, title, licence; default: "
                        "NAME.credits.tsv beside NAME.tar.xz, where it is")
    parser.add_argument("--bank", type=Path, metavar="DIR", help="recordings of a piano with zones.json")
    parser.add_argument("--pack", type=Path, metavar="FILE", help="with --midi and --bank: write them to this one "
                        "file; without: read them from it")
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="new or empty folder for the audio")
    parser.add_argument("--takes", type=int, default=3, metavar="N", help="performances of each piece (3)")
    parser.add_argument("--rate", type=int, default=16000, metavar="HZ", help="samples per second (16000)")
    parser.add_argument("--held-out", type=float, default=0.06, metavar="PART", help="part of the works kept from "
                        "training (0.06)")
    parser.add_argument("--seed", type=int, default=1, help="random seed (1)")
    parser.add_argument("--gain", type=float, default=piano_sampler.GAIN_DB, metavar="DB",
                        help=f"one gain for the whole set ({piano_sampler.GAIN_DB:g})")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (all cores)")
    parser.add_argument("--limit-pieces", type=int, metavar="N", help="take N pieces, chosen by the random seed")
    parser.add_argument("--hours", type=float, metavar="H", help="stop at about H hours of audio")
    args = parser.parse_args(words)
    if bool(args.midi) != bool(args.bank):
        parser.error("--midi and --bank go together")
    if not args.midi and not args.pack:
        parser.error("give --midi and --bank, or a --pack")
    if not args.out and not (args.midi and args.pack):
        parser.error("give an output folder with -o")
    if args.takes < 1 or args.jobs < 1 or not 0 <= args.held_out < 1 or args.seed < 0:
        parser.error("--takes and --jobs begin at 1, --held-out is a part from 0 to below 1, --seed is not negative")
    if not 4000 <= args.rate <= 192000:
        parser.error("--rate is 4000 to 192000 samples per second")
    return args


def read_scores(where: Path, credits_path: Path | None) -> tuple[list[piano_score.Score], list[tuple[str, str]]]:
    """-> (scores, [(file left out, why)])"""
    if credits_path is None:
        credits_path = where.parent / (where.name.split(".")[0] + ".credits.tsv")
    elif not credits_path.is_file():
        raise FileNotFoundError(f"no credits there: {credits_path}")
    table = piano_score.read_credits(credits_path)
    scores, left_out, seen = [], [], 0
    for name, data in piano_score.midi_files(where):
        seen += 1
        try:
            scores.append(piano_score.parse(name, data, table))
        except piano_score.NotAPiece as reason:
            left_out.append((name, str(reason)))
    if not seen:
        raise ValueError(f"no MIDI files in {where}")
    scores, copies = piano_score.without_copies(scores)
    left_out += copies
    for name, why in left_out:
        print(f"left out: {name}: {why}", file=sys.stderr)
    if not scores:
        raise ValueError(f"none of the {seen} MIDI files in {where} is a piece for piano solo")
    return scores, left_out


def held_out(score: piano_score.Score, part: float) -> bool:
    """By the work's name alone: neither the random seed nor other pieces move a work to the other side."""
    digest = hashlib.sha256(b"held-out:" + score.group.encode()).digest()
    return int.from_bytes(digest[:8], "big") < part * 2 ** 64


def tasks_of(scores: list[piano_score.Score], args: argparse.Namespace) -> list[tuple[int, int, str]]:
    """-> [(place in scores, take, side)]: first takes of all pieces, then second ones, ..."""
    order = np.random.default_rng([args.seed, 7]).permutation(len(scores))[:args.limit_pieces].tolist()
    aside = [i for i in order if held_out(scores[i], args.held_out)]
    rest = [i for i in order if not held_out(scores[i], args.held_out)]
    heard = [(i, take, "train") for take in range(1, args.takes + 1) for i in rest]
    kept = [(i, 1, "held-out") for i in aside]
    if args.hours is not None:
        heard = first_hours(heard, scores, args.hours * (1 - args.held_out))
        kept = first_hours(kept, scores, args.hours * args.held_out)
    return heard + kept


def first_hours(tasks: list[tuple[int, int, str]], scores: list[piano_score.Score], hours: float) -> list:
    chosen, seconds = [], 0.0
    for task in tasks:
        if seconds >= hours * 3600:
            break
        chosen.append(task)
        seconds += scores[task[0]].seconds + 3
    return chosen


WORKER: dict = {}  # what a process needs for every piece


def render(task: tuple[int, int, str]) -> dict:
    place, take, side = task
    score, rate = WORKER["scores"][place], WORKER["rate"]
    performance = piano_play.perform(score, WORKER["seed"], take)
    sound = piano_sampler.play(WORKER["instrument"], performance)
    samples, measured = piano_sampler.finished(sound, performance, rate, WORKER["gain"])
    piano_sampler.write_wav(WORKER["out"] / side / f"{score.name}~take{take}.wav", samples, rate)
    return {"piece": score.name, "take": take, "side": side, **measured}


def start(worker: dict) -> None:
    """Ctrl-C reaches every process; only the first one handles it, and ends the others."""
    WORKER.update(worker)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def render_all(tasks: list, scores: list, instrument: piano_bank.Instrument, args: argparse.Namespace) -> list[dict]:
    WORKER.update(scores=scores, instrument=instrument, rate=args.rate, seed=args.seed, gain=args.gain, out=args.out)
    tasks = sorted(tasks, key=lambda t: -scores[t[0]].seconds)  # the longest first, so that none is left at the end
    jobs = min(args.jobs, len(tasks))
    done, began = [], time.monotonic()
    if jobs == 1:
        results, pool = map(render, tasks), None
    else:
        pool = anew.Pool(jobs, start, (WORKER,))
        results = pool.imap_unordered(render, tasks)
    try:
        for result in results:
            done.append(result)
            if len(done) % 100 == 0 or len(done) == len(tasks):
                hours = sum(d["samples"] for d in done) / args.rate / 3600
                print(f"{len(done)} of {len(tasks)} files, {hours:.2f} h, {time.monotonic() - began:.0f} s", flush=True)
    finally:
        if pool is not None:
            pool.terminate()
            pool.join()
    return sorted(done, key=lambda d: (d["side"], d["piece"], d["take"]))


def fingerprint(scores: list[piano_score.Score], bank: piano_bank.Bank) -> dict[str, str]:
    notes, sounds = hashlib.sha256(), hashlib.sha256()
    for score in scores:
        notes.update(score.name.encode() + score.notes.astype("<i4").tobytes())
    for recording in bank.recordings:
        sounds.update(recording.audio.astype("<i2").tobytes())
    return {"scores": notes.hexdigest(), "bank": sounds.hexdigest()}


def describe(done: list[dict], scores: list[piano_score.Score], bank: piano_bank.Bank,
             left_out: list[tuple[str, str]], args: argparse.Namespace) -> dict:
    """The content of dataset.json: the provenance of a model's music."""
    used = {d["piece"] for d in done}
    level = sorted(10 * np.log10(d["power"] + 1e-12) for d in done)
    sides = {}
    for side in ("train", "held-out"):
        there = [d for d in done if d["side"] == side]
        sides[side] = {"files": len(there), "pieces": len({d["piece"] for d in there}),
                       "hours": round(sum(d["samples"] for d in there) / args.rate / 3600, 4)}
    return {
        "recipe": "piano", "recipe_version": VERSION, "made": datetime.date.today().isoformat(),
        "rate": args.rate, "channels": 1, "bits": 16, "seed": args.seed, "takes": args.takes, "gain_db": args.gain,
        "held_out": args.held_out, "limit_pieces": args.limit_pieces, "hours": args.hours,
        "sources": {"music": "MIDI made by LilyPond from scores of the Mutopia Project" if any(
                        s.source.endswith(".ly") for s in scores) else "MIDI files",
                    "instrument": f"a bank of {len(bank.recordings)} piano samples", "sha256": fingerprint(scores, bank)},
        "licence": {"music": sorted({s.licence or "not stated" for s in scores if s.name in used}),
                    "instrument": "as the bank's own; MuseScore General's piano: MIT"},
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "sides": sides,
        "level_dbfs": {"quietest": round(level[0], 1), "median": round(level[len(level) // 2], 1),
                       "loudest": round(level[-1], 1),
                       "peak_before_limiter": round(20 * np.log10(max(d["peak_before"] for d in done) + 1e-9), 2),
                       "part_limited": sum(d["limited"] for d in done) / max(sum(d["samples"] for d in done), 1)},
        "left_out": [{"file": name, "why": why} for name, why in left_out],
        "credits": [{"piece": s.name, "side": "held-out" if held_out(s, args.held_out) else "train", "composer":
                     s.composer, "title": s.title, "source": s.source, "licence": s.licence}
                    for s in scores if s.name in used],
    }


def make(args: argparse.Namespace) -> None:
    if args.out and args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise FileExistsError(f"not an empty folder: {args.out}; remove it or name another")
    if args.midi:
        bank = piano_bank.read_bank(args.bank)
        scores, left_out = read_scores(args.midi, args.credits)
        if args.pack:
            piano_pack.write_pack(args.pack, scores, bank, left_out)
            print(f"{args.pack}: {args.pack.stat().st_size / 1e6:.1f} MB, {len(scores)} scores, "
                  f"{sum(s.seconds for s in scores) / 3600:.2f} h as written, {len(left_out)} files left out")
        if not args.out:
            return
    else:
        scores, bank, left_out = piano_pack.read_pack(args.pack)
    tasks = tasks_of(scores, args)
    if not tasks:
        raise ValueError("nothing to render: no pieces are left by --limit-pieces, --hours and --held-out")
    instrument = piano_bank.Instrument(bank, args.rate)
    for side in ("train", "held-out"):
        (args.out / side).mkdir(parents=True, exist_ok=True)
    done = render_all(tasks, scores, instrument, args)
    about = describe(done, scores, bank, left_out, args)
    aside = args.out / "dataset.json.part"
    aside.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(aside, args.out / "dataset.json")  # last: a folder without it is not finished
    print(json.dumps({k: about[k] for k in ("sides", "level_dbfs")}))


def main(words: list[str] | None = None) -> int:
    args = arguments(words)
    try:
        make(args)
    except (OSError, ValueError) as error:
        print(f"piano: {error}", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"piano: {error}; reading MIDI and FLAC needs mido and soundfile, a --pack does not", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("piano: interrupted; what is written is whole, but without dataset.json not a set", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C: ends the other processes too
    sys.exit(main())
