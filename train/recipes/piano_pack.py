"""Scores and bank in one compact file, and out of it with nothing but numpy."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from .piano_bank import Bank, Recording
from .piano_score import Score

FORMAT = "mambo piano pack 1"
TABLES = ("notes", "tempos", "metres", "pedals")
WORDS = ("name", "group", "composer", "title", "source", "licence", "per_quarter", "seconds", "old_style")


def write_pack(path: Path, scores: list[Score], bank: Bank, left_out: list[tuple[str, str]]) -> None:
    about = {"format": FORMAT, "rate": bank.rate, "tops": bank.tops, "left_out": left_out,
             "scores": [{w: getattr(s, w) for w in WORDS} for s in scores],
             "recordings": [[r.layer, r.low, r.high, r.root] for r in bank.recordings]}
    arrays = {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
    for table in TABLES:
        rows = [getattr(s, table) for s in scores]
        arrays[table] = np.concatenate(rows)
        arrays[f"{table}_count"] = np.array([len(r) for r in rows], np.int32)
    # A recording that serves in two layers is stored once; differences compress better than samples.
    store: dict[bytes, int] = {}
    sounds: list[np.ndarray] = []
    place = []
    for recording in bank.recordings:
        raw = recording.audio.tobytes()
        if raw not in store:
            store[raw] = len(sounds)
            sounds.append(recording.audio)
        place.append(store[raw])
    arrays["place"] = np.array(place, np.int32)
    arrays["sound_count"] = np.array([len(s) for s in sounds], np.int32)
    steps = np.diff(np.concatenate(sounds), prepend=np.int16(0))  # wraps round, and back again
    # All low bytes, then all high ones, which are nearly always 0 or -1.
    arrays["sounds"] = steps.astype("<i2").view(np.uint8).reshape(-1, 2).T.copy()
    aside = path.with_name(path.name + ".part")
    with open(aside, "wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(aside, path)


def read_pack(path: Path) -> tuple[list[Score], Bank, list[tuple[str, str]]]:
    if not path.is_file():
        raise FileNotFoundError(f"no pack there: {path}")
    try:
        with np.load(path, allow_pickle=False) as pack:
            arrays = {name: pack[name] for name in pack.files}
        about = json.loads(arrays["about"].tobytes())
        if about["format"] != FORMAT:
            raise ValueError(f"its format is {about['format']!r}, not {FORMAT!r}")
        tables = {t: np.split(arrays[t], np.cumsum(arrays[f"{t}_count"])[:-1]) for t in TABLES}
        scores = [Score(**words, **{t: tables[t][i] for t in TABLES}) for i, words in enumerate(about["scores"])]
        steps = np.ascontiguousarray(arrays["sounds"].T).view("<i2").ravel()
        audio = np.cumsum(steps, dtype=np.int16)
        sounds = np.split(audio, np.cumsum(arrays["sound_count"])[:-1])
        recordings = [Recording(*words, sounds[i]) for words, i in zip(about["recordings"], arrays["place"])]
    except (KeyError, TypeError, OSError, EOFError, ValueError) as error:
        raise ValueError(f"not a piano pack: {path} ({error})") from error
    return scores, Bank(about["rate"], about["tops"], recordings), [tuple(x) for x in about["left_out"]]
