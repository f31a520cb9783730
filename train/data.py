"""A folder of audio as codes: encoded once, cached outside the user's folders, cropped at random.

The cache (`--cache`, default RUN/data) holds codes-HASH.npy, all files one after the other, memory-mapped in
training, and codes-HASH.json, which holds where each begins and on which side of the split it is. HASH covers
the files' paths, sizes and times, the rate and the encoding: if a file changes or moves, the cache is made again.

Where DIR has train/ and held-out/, these are the split. Otherwise a fraction of the files is held out, chosen by a
hash of their names, so that the choice stays when files are added. Files of one folder whose names agree up to a
`~` or the suffix are takes of one piece and stay together.
"""
from __future__ import annotations

import concurrent.futures
import concurrent.futures.process
import hashlib
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import audio
from .config import ModelConfig, UserError
from .processes import anew

SILENCE = 128  # in both encodings; generation from nothing starts with it


@dataclass
class Piece:
    name: str
    begin: int   # codes before it in the array
    length: int  # codes
    held_out: bool


@dataclass
class Corpus:
    codes: np.ndarray  # uint8, every piece one after the other
    pieces: list[Piece]
    skipped: list[str]  # files that could not be read, with the reason

    def fingerprint(self) -> str:
        """The same on two machines that read the same files, wherever these lie."""
        return hashlib.sha256(json.dumps([[p.name, p.length, p.held_out] for p in self.pieces]).encode()).hexdigest()

    def side(self, held_out: bool) -> list[Piece]:
        return [p for p in self.pieces if p.held_out == held_out]

    def hours(self, held_out: bool, rate: int) -> float:
        return sum(p.length for p in self.side(held_out)) / rate / 3600


def _unit(text: str) -> float:
    """A stable number in [0, 1) for a name."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:8], "big") / 2 ** 64


def _piece(name: str) -> str:
    folder, _, file = name.rpartition("/")
    return f"{folder}/{file.split('~', 1)[0].rsplit('.', 1)[0]}" if "~" in file else name.rsplit(".", 1)[0]


def _laid_out(names: list[str]) -> bool:
    return {"train", "held-out"} <= {n.split("/", 1)[0] for n in names if "/" in n}


def split(names: list[str], share: float) -> dict[str, bool]:
    """name -> held out? By folder if there are train/ and held-out/, else by hash of the piece's name."""
    if _laid_out(names):
        return {n: n.startswith("held-out/") for n in names if n.startswith(("train/", "held-out/"))}
    piece = {n: _piece(n) for n in names}
    out = {n: _unit(piece[n]) < share for n in names}
    if share > 0 and len(set(piece.values())) > 1:  # in a small folder the hash may leave one side empty
        order = sorted(set(piece.values()), key=_unit)
        if not any(out.values()):
            out = {n: piece[n] == order[0] for n in names}
        elif all(out.values()):
            out = {n: piece[n] != order[-1] for n in names}
    return out


def _sides_of_what_was_read(sides: dict[str, bool], lengths: dict[str, int], least: int) -> dict[str, bool]:
    """Sides are given by name before files are read. Where that holds out nothing that could be read and is long
    enough, a piece that is takes its place, if another is left to learn from."""
    enough = {n for n, length in lengths.items() if length >= least}
    order = sorted({_piece(n) for n in enough}, key=_unit)
    if any(sides[n] for n in enough) or len(order) < 2:
        return sides
    return {n: _piece(n) == order[0] or (side and n not in enough) for n, side in sides.items()}


def least_held_out(crop: int, stride: int) -> int:
    """Samples of the shortest file on which a crop is judged: of a small folder the crops are shorter than those learned from."""
    return min(crop, max(stride, 2048 // stride * stride)) + 1


def _end_held_out(pieces: list[Piece], share: float, least: int, least_held: int) -> str | None:
    """Where no file can be held out, the end of the longest is: a share of it, `least_held` samples at least, a quarter at
    most. Changes pieces; returns what to say, or None where the longest is too short for it."""
    longest = max(pieces, key=lambda p: p.length, default=None)
    if longest is None:
        return None
    end = min(max(int(share * longest.length), least_held, least), longest.length // 4)
    if end < least_held or longest.length - end < least:
        return None
    for p in pieces:
        p.held_out = False
    longest.length -= end
    pieces.append(Piece(longest.name, longest.begin + longest.length, end, True))
    return f"too few files to hold one out: the end of {longest.name}, {100 * end / (end + longest.length):.0f} % of it, is"


def _encode_file(job):
    path, rate, encoding = job
    try:
        return audio.encode(audio.read(Path(path), rate), encoding)
    except ValueError as e:
        return str(e)


def load(folders: list[str], model: ModelConfig, cache: Path, held_out: float, least: int, say=print,
         least_held_out: int | None = None, divide: bool = False) -> Corpus:
    """Reads or makes the cache. Errors say what was expected of the folder and what is there: on each side at least
    one file of `least` samples (held out: of `least_held_out`, where that is given). divide: where no file can be held out,
    the end of one is."""
    files: list[tuple[str, Path]] = []  # by a name that says the folder too, where there are several
    sides: dict[str, bool] = {}
    seen: set[Path] = set()
    left_out = 0
    laid_out = False
    for number, folder in enumerate(folders):
        root = Path(folder)
        if not root.is_dir():
            raise UserError(f"{folder}: no such folder of audio")
        found = {str(p.relative_to(root)): p for p in audio.find(root) if p.resolve() not in seen}
        seen |= {p.resolve() for p in found.values()}
        own = split(list(found), held_out)
        laid_out |= _laid_out(list(found))
        left_out += len(found) - len(own)
        prefix = f"{number}:" if number else ""
        files += [(prefix + n, found[n]) for n in own]
        sides.update({prefix + n: side for n, side in own.items()})
    others = sorted({p.suffix.lower() for folder in folders for p in audio.others(Path(folder))})
    if others:
        say(f"files of kinds that are not read ({', '.join(others)}) were left out: ffmpeg -i a{others[0]} a.wav makes "
            "one that is", file=sys.stderr)
    if not files:
        raise UserError(f"{', '.join(folders)}: expected audio files ({', '.join(sorted(audio.SUFFIXES))}), found none")
    if left_out:
        say(f"{left_out} files lie beside train/ and held-out/ and were left out", file=sys.stderr)

    readers = [audio.soundfile is not None, audio.resample_poly is not None]
    key = hashlib.sha256(json.dumps(
        [[n, str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns] for n, p in files]
        + [model.sample_rate, model.encoding, readers]
    ).encode()).hexdigest()[:16]
    cache.mkdir(parents=True, exist_ok=True)
    codes_file, index_file = cache / f"codes-{key}.npy", cache / f"codes-{key}.json"
    made = _made(codes_file, index_file)
    for line in made[0]["skipped"] if made else []:
        say(f"skipped {line}", file=sys.stderr)
    if not made:
        _make(files, model, codes_file, index_file, say)
        made = _made(codes_file, index_file)
    index, codes = made
    if held_out > 0 and not laid_out:
        sides = _sides_of_what_was_read(sides, {n: length for n, _, length in index["pieces"]},
                                        least_held_out if least_held_out is not None else least)
    pieces = [Piece(n, b, length, sides[n]) for n, b, length in index["pieces"]]
    corpus = Corpus(codes, pieces, index["skipped"])
    enough = least_held_out if least_held_out is not None else least
    if divide and held_out > 0 and not laid_out and max((p.length for p in corpus.side(True)), default=0) < enough:
        if said := _end_held_out(pieces, held_out, least, enough):
            say(said, file=sys.stderr)

    for held in (False, True) if held_out > 0 else (False,):
        longest = max((p.length for p in corpus.side(held)), default=0)
        least = least_held_out if held and least_held_out is not None else least
        if longest < least:
            which = "held-out" if held else "training"
            n = len(corpus.side(held))
            if held and len(corpus.pieces) == 1:
                hint = "; one recording is not split: cut it in two, or --set train.held_out=0 trains without"
            elif held:
                hint = "; --set train.held_out=0 trains without"
            else:
                hint = "; --set train.crop=N takes shorter crops" if longest > 1000 else ""
            raise UserError(
                f"{', '.join(folders)}: too little {which} audio: expected at least one file of {least} samples "
                f"({least / model.sample_rate:.1f} s, the crop), found {n} file{'' if n == 1 else 's'}, the longest of "
                f"{longest} samples" + hint)
    return corpus


def _made(codes_file: Path, index_file: Path) -> tuple[dict, np.ndarray] | None:
    """What the cache holds; None where there is nothing, or something damaged."""
    try:
        index = json.loads(index_file.read_text())
        codes = np.load(codes_file, mmap_mode="r")
        whole = len(codes) == sum(length for _, _, length in index["pieces"]) and "skipped" in index
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None
    return (index, codes) if whole else None


def _deaf() -> None:
    """Ctrl-C is the parent's: its children would each print where they were."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _make(files, model, codes_file: Path, index_file: Path, say) -> None:
    jobs = [(str(p), model.sample_rate, model.encoding) for _, p in files]
    pieces, skipped, total = [], [], 0
    # Temporary names of this process: another run may be making the same files.
    part, whole, aside = (codes_file.with_suffix(f".{os.getpid()}.{kind}") for kind in ("part", "whole", "index"))
    try:
        with open(part, "wb") as out, \
                concurrent.futures.ProcessPoolExecutor(
                    min(len(os.sched_getaffinity(0)), -(-len(jobs) // 4)),  # of four files per task
                    mp_context=anew, initializer=_deaf) as pool:
            for i, ((name, _), codes) in enumerate(zip(files, pool.map(_encode_file, jobs, chunksize=4))):
                if isinstance(codes, str):
                    skipped.append(f"{name}: {codes}")
                    say(f"skipped {name}: {codes}", file=sys.stderr)
                    continue
                out.write(codes.tobytes())
                pieces.append((name, total, len(codes)))
                total += len(codes)
                if (i + 1) % 500 == 0:
                    say(f"encoded {i + 1} of {len(files)} files")
        if not pieces:
            raise UserError(f"none of {len(files)} audio files could be read; the first: {skipped[0]}")
        header = np.lib.format.header_data_from_array_1_0(np.empty(0, np.uint8))
        header["shape"] = (total,)
        with open(whole, "wb") as out, open(part, "rb") as body:
            np.lib.format.write_array_header_1_0(out, header)
            while chunk := body.read(1 << 24):
                out.write(chunk)
        os.replace(whole, codes_file)
        index = dict(pieces=pieces, skipped=skipped, rate=model.sample_rate, encoding=model.encoding)
        aside.write_text(json.dumps(index))
        os.replace(aside, index_file)
    except concurrent.futures.process.BrokenProcessPool:
        raise UserError("a process that read the audio was ended from outside; expected memory for each processor's "
                        "longest file, found too little") from None
    finally:
        for file in (part, whole, aside):
            file.unlink(missing_ok=True)


class Crops:
    """Random crops. Which ones depends on (seed, step, part) alone, so a resumed run sees what an uninterrupted one
    would have seen, and every part of a batch is drawn where it is used, on any number of machines.

    whole, after_end, gap (here in samples): see TrainConfig. With after_end "next" or "again" a crop may begin at every
    sample. least: of crops within files, how many codes of its file each has at least (length); where the file ends
    before length, silence of no file follows."""

    def __init__(self, corpus: Corpus, held_out: bool, length: int, seed: int, whole: bool = False,
                 after_end: str = "stop", gap: int = 0, least: int | None = None):
        self.codes, self.length, self.seed, self.whole, self.after_end = corpus.codes, length, seed, whole, after_end
        self.gap = gap
        inside = not whole and after_end == "stop"
        least = (length if least is None else least) if inside else 1
        pieces = [p for p in corpus.side(held_out) if p.length >= least]
        self.left_out = len(corpus.side(held_out)) - len(pieces)  # too short
        self.begin = np.array([p.begin for p in pieces], np.int64)
        self.size = np.array([p.length for p in pieces], np.int64)
        self.names = [p.name for p in pieces]
        if not pieces:
            raise UserError(f"expected {'held-out' if held_out else 'training'} audio of at least {least} samples, "
                            "found none")
        # Possible starts of a crop: every place of every piece is equally likely, or every piece is.
        self.room = np.ones_like(self.size) if whole else self.size - least + 1 if inside else self.size
        self.edges = np.cumsum(self.room)

    def hours(self, rate: int) -> float:
        return int(self.size.sum()) / rate / 3600

    def batch(self, step: int, part: int, count: int) -> np.ndarray:
        """uint8 [count, length]."""
        return self.batch_and_files(step, part, count)[0]

    def batch_and_files(self, step: int, part: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(uint8 [count, length], int32 [count, length]: which of `names` each code is of, -1 where of none)."""
        chance = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, step, part])))
        places = chance.integers(0, self.edges[-1], count)
        out = np.full((count, self.length), SILENCE, np.uint8)
        of = np.full(out.shape, -1, np.int32)
        for row, whose, piece, place in zip(out, of, np.searchsorted(self.edges, places, side="right"), places):
            start = place - (self.edges[piece] - self.room[piece])
            filled = 1 if self.whole else 0
            filled += self._fill(row[filled:], whose[filled:], piece, start)
            while filled < self.length and self.after_end != "stop":  # else silence stays, or there was room
                piece = chance.integers(0, len(self.size)) if self.after_end == "next" else piece
                filled += int(chance.integers(0, self.gap + 1)) if self.gap else 0
                filled += self._fill(row[filled:], whose[filled:], piece, 0)
        return out, of

    def _fill(self, row: np.ndarray, whose: np.ndarray, piece: int, start: int) -> int:
        have = int(min(self.size[piece] - start, len(row)))
        whose[:have] = piece
        row[:have] = self.codes[self.begin[piece] + start:self.begin[piece] + start + have]
        return have
