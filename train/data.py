"""A folder of audio as codes: encoded once, kept beside nothing of the user's, cropped at random.

The cache (`--cache`, default RUN/data) holds codes-HASH.npy, all files one after the other, memory-mapped in
training, and codes-HASH.json, which says where each begins and on which side of the split it is. HASH covers
the files' names, sizes and times, the rate and the encoding: change a file and it is made again.

Where DIR has train/ and held-out/, these are the split. Else a share of the files is held out, chosen by a
hash of their names, so that the choice stays when files are added. Names that begin alike up to a `~` are takes
of one piece and stay together.
"""
from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import audio
from .config import ModelConfig, UserError

SILENCE = 128  # in both encodings; what generation from nothing begins with


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

    def side(self, held_out: bool) -> list[Piece]:
        return [p for p in self.pieces if p.held_out == held_out]

    def hours(self, held_out: bool, rate: int) -> float:
        return sum(p.length for p in self.side(held_out)) / rate / 3600


def _unit(text: str) -> float:
    """A stable number in [0, 1) for a name."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2 ** 64


def split(names: list[str], share: float) -> dict[str, bool]:
    """name -> held out? By folder if there are train/ and held-out/, else by hash of the piece's name."""
    tops = {n.split("/", 1)[0] for n in names if "/" in n}
    if {"train", "held-out"} <= tops:
        return {n: n.startswith("held-out/") for n in names if n.startswith(("train/", "held-out/"))}
    piece = {n: n.split("~", 1)[0] for n in names}
    out = {n: _unit(piece[n]) < share for n in names}
    if share > 0 and len(set(piece.values())) > 1:  # a small folder: chance may leave one side empty
        order = sorted(set(piece.values()), key=_unit)
        if not any(out.values()):
            out = {n: piece[n] == order[0] for n in names}
        elif all(out.values()):
            out = {n: piece[n] != order[-1] for n in names}
    return out


def _encode_file(job):
    path, rate, encoding = job
    try:
        return audio.encode(audio.read(Path(path), rate), encoding)
    except ValueError as e:
        return str(e)


def load(folders: list[str], model: ModelConfig, cache: Path, held_out: float, least: int, say=print) -> Corpus:
    """Reads or makes the cache. Errors say what was expected of the folder and what is there: on each side at least
    one file of `least` samples."""
    files: list[tuple[str, Path]] = []
    for folder in folders:
        root = Path(folder)
        if not root.is_dir():
            raise UserError(f"{folder}: no such folder of audio")
        files += [(str(p.relative_to(root)), p) for p in audio.find(root)]
    if not files:
        raise UserError(f"{', '.join(folders)}: expected audio files ({', '.join(sorted(audio.SUFFIXES))}), found none")
    sides = split([n for n, _ in files], held_out)
    files = [(n, p) for n, p in files if n in sides]

    key = hashlib.sha256(json.dumps(
        [(n, p.stat().st_size, p.stat().st_mtime_ns) for n, p in files] + [model.sample_rate, model.encoding]
    ).encode()).hexdigest()[:16]
    cache.mkdir(parents=True, exist_ok=True)
    codes_file, index_file = cache / f"codes-{key}.npy", cache / f"codes-{key}.json"
    if index_file.exists() and codes_file.exists():
        index = json.loads(index_file.read_text())
    else:
        index = _make(files, model, codes_file, index_file, say)
    pieces = [Piece(n, b, length, sides[n]) for n, b, length in index["pieces"]]
    corpus = Corpus(np.load(codes_file, mmap_mode="r"), pieces, index["skipped"])

    for held in (False, True) if held_out > 0 else (False,):
        longest = max((p.length for p in corpus.side(held)), default=0)
        if longest < least:
            which = "held-out" if held else "training"
            raise UserError(
                f"{', '.join(folders)}: too little {which} audio: expected at least one file of {least} samples "
                f"({least / model.sample_rate:.1f} s, the crop), found {len(corpus.side(held))} files, the longest of "
                f"{longest} samples")
    return corpus


def _make(files, model, codes_file: Path, index_file: Path, say) -> dict:
    jobs = [(str(p), model.sample_rate, model.encoding) for _, p in files]
    pieces, skipped, total = [], [], 0
    part = codes_file.with_suffix(".part")
    with open(part, "wb") as out, concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
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
        part.unlink()
        raise UserError(f"none of {len(files)} audio files could be read; the first: {skipped[0]}")
    header = np.lib.format.header_data_from_array_1_0(np.empty(0, np.uint8))
    header["shape"] = (total,)
    whole = codes_file.with_suffix(".whole")
    with open(whole, "wb") as out, open(part, "rb") as body:
        np.lib.format.write_array_header_1_0(out, header)
        while chunk := body.read(1 << 24):
            out.write(chunk)
    part.unlink()
    os.replace(whole, codes_file)
    index = dict(pieces=pieces, skipped=skipped, rate=model.sample_rate, encoding=model.encoding)
    aside = index_file.with_suffix(".part")
    aside.write_text(json.dumps(index))
    os.replace(aside, index_file)
    return index


class Crops:
    """Random crops. Which ones depends on (seed, step, part) alone, so a resumed run sees what an unbroken one
    would have seen, and every part of a batch is drawn where it is used, on any number of machines."""

    def __init__(self, corpus: Corpus, held_out: bool, length: int, seed: int, whole: bool = False):
        self.codes, self.length, self.seed, self.whole = corpus.codes, length, seed, whole
        pieces = [p for p in corpus.side(held_out) if p.length >= (1 if whole else length)]
        self.begin = np.array([p.begin for p in pieces], np.int64)
        self.size = np.array([p.length for p in pieces], np.int64)
        # Places a crop can begin: every place of every piece is equally likely, or every piece is.
        self.room = np.ones_like(self.size) if whole else self.size - length + 1
        self.edges = np.cumsum(self.room)

    def batch(self, step: int, part: int, count: int) -> np.ndarray:
        """uint8 [count, length]."""
        seed = np.random.SeedSequence([self.seed, step, part])
        places = np.random.Generator(np.random.Philox(seed)).integers(0, self.edges[-1], count)
        out = np.full((count, self.length), SILENCE, np.uint8)
        for row, piece, place in zip(out, np.searchsorted(self.edges, places, side="right"), places):
            if self.whole:
                have = min(self.size[piece], self.length - 1)
                row[1:have + 1] = self.codes[self.begin[piece]:self.begin[piece] + have]
            else:
                start = self.begin[piece] + place - (self.edges[piece] - self.room[piece])
                row[:] = self.codes[start:start + self.length]
        return out
