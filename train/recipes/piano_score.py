"""Scores for the piano recipe: MIDI files read, checked and deduplicated.

A score keeps the written notes in ticks, with nothing of a performance in it; `piano_play` performs
it. Reading MIDI needs mido; rendering from a pack does not. Everything else here is numpy.
"""

from __future__ import annotations

import io
import re
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

import numpy as np

LOWEST, HIGHEST = 21, 108  # a piano's keys
KEYBOARDS = range(0, 8)  # General MIDI programs: pianos, harpsichord, clavinet
BEFORE_THE_PEDAL = {"BachJS", "BachCPE", "HandelGF", "FrobergerJJ", "FischerJKF", "RameauJP", "ScarlattiD",
                    "J. Kuhnau (1660-1722)"}
FREE = {"public domain", "cc0", "cc0 1.0"}


@dataclass
class Score:
    name: str
    group: str  # pieces of one group are never on both sides of the split
    composer: str
    title: str
    source: str
    licence: str
    per_quarter: int  # ticks
    notes: np.ndarray  # int32 (n, 5): start, length (ticks), pitch, velocity, staff; sorted by start
    tempos: np.ndarray  # float64 (m, 2): tick, quarters a minute
    metres: np.ndarray  # int32 (k, 3): tick, numerator, denominator
    pedals: np.ndarray  # int32 (p, 2): tick, value of controller 64
    seconds: float = 0.0  # as written
    old_style: bool = field(default=False)  # from before the sustain pedal


class NotAPiece(ValueError):
    """Why a file was left out; the message is one short line."""


def midi_files(where: Path) -> Iterator[tuple[str, bytes]]:
    """-> (name without .mid, bytes) of a folder or a tar file, in the order of their names"""
    if where.is_dir():
        for path in sorted(p for p in where.rglob("*") if p.suffix.lower() in (".mid", ".midi")):
            yield "__".join(path.relative_to(where).with_suffix("").parts), path.read_bytes()
        return
    if not where.is_file():
        raise FileNotFoundError(f"no MIDI there: {where}")
    try:
        with tarfile.open(where) as tar:
            members = [m for m in tar.getmembers() if m.isfile() and m.name.lower().endswith((".mid", ".midi"))]
            for member in sorted(members, key=lambda m: m.name):
                yield Path(member.name).stem, tar.extractfile(member).read()
    except tarfile.TarError as error:
        raise ValueError(f"neither a folder nor a tar file: {where} ({error})") from error


def read_credits(path: Path | None) -> dict[str, tuple[str, str, str, str]]:
    """-> {score's name with "__" for "/": (source, composer, title, licence)}"""
    if path is None or not path.is_file():
        return {}
    table = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        cells = (line.split("\t") + ["", "", ""])[:4]
        table[re.sub(r"\.ly$", "", cells[0]).replace("/", "__")] = tuple(cells)
    return table


def credit_of(name: str, table: dict[str, tuple[str, str, str, str]]) -> tuple[str, str, str, str]:
    """LilyPond adds a number to each MIDI file that it makes of one score."""
    for key in (name, name[:-1], name[:-2]):
        if key in table:
            return table[key]
    parts = name.split("__")
    return name, parts[0], parts[-1], ""


def work_of(name: str) -> str:
    """Composer and opus: the part of the name that movements of one work have in common."""
    parts = name.split("__")
    return "__".join(parts[:2]) if len(parts) > 2 else re.sub(r"\d$", "", name)


def parse(name: str, data: bytes, table: dict[str, tuple[str, str, str, str]] | None = None) -> Score:
    """One piano part of all the tracks. Raises NotAPiece where it cannot be."""
    import mido  # here, because rendering from a pack does not need it

    try:
        midi = mido.MidiFile(file=io.BytesIO(data), clip=True)
    except Exception as error:  # mido raises many kinds for broken files
        raise NotAPiece(f"unreadable: {type(error).__name__} {error}") from error
    if midi.type == 2 or midi.ticks_per_beat <= 0:
        raise NotAPiece("unreadable: a MIDI file of independent sequences or without beats")

    notes, tempos, metres, pedals, foreign = [], {}, {}, set(), 0
    for staff, track in enumerate(midi.tracks):
        tick, program, open_notes = 0, {}, {}
        for message in track:
            tick += message.time
            kind = message.type
            if kind == "set_tempo":
                tempos[tick] = 6e7 / max(message.tempo, 1)
            elif kind == "time_signature":
                metres[tick] = (max(message.numerator, 1), max(message.denominator, 1))
            elif kind == "program_change":
                program[message.channel] = message.program
            elif kind == "control_change" and message.control == 64 and message.channel != 9:
                pedals.add((tick, message.value))
            elif kind in ("note_on", "note_off") and message.channel != 9:
                key = (message.channel, message.note)
                if kind == "note_on" and message.velocity > 0:
                    if program.get(message.channel, 0) in KEYBOARDS:
                        open_notes.setdefault(key, []).append((tick, message.velocity))
                    else:
                        foreign += 1
                elif open_notes.get(key):
                    start, velocity = open_notes[key].pop(0)
                    notes.append((start, tick - start, message.note, velocity, staff))
    if foreign > 0.25 * (foreign + len(notes)):
        raise NotAPiece("not for a keyboard: other instruments play most of it")
    if not notes:
        raise NotAPiece("no notes")

    source, composer, title, licence = credit_of(name, table or {})
    if licence and licence.lower() not in FREE:
        raise NotAPiece(f"not free: {licence}")
    score = Score(name, work_of(name), composer, title, source, licence, midi.ticks_per_beat,
                  one_part(np.array(notes, np.int32)),
                  np.array(sorted(tempos.items()) or [(0, 120.0)], np.float64).reshape(-1, 2),
                  np.array([(t, *m) for t, m in sorted(metres.items())] or [(0, 4, 4)], np.int32).reshape(-1, 3),
                  np.array(sorted(pedals), np.int32).reshape(-1, 2),
                  old_style=composer in BEFORE_THE_PEDAL)
    # Rests before the first note are nothing to learn from; whole bars of them go.
    bar = score.per_quarter * 4 * score.metres[0, 1] // score.metres[0, 2]
    shift = int(score.notes[0, 0]) // bar * bar
    for rows in (score.notes, score.tempos, score.metres, score.pedals):
        rows[:, 0] = np.maximum(rows[:, 0] - shift, 0)
    score.seconds = written_seconds(score)
    check(score)
    return score


def one_part(notes: np.ndarray) -> np.ndarray:
    """Sorted, on the keyboard, and no key struck twice at once: of such notes the longest stays."""
    notes = notes[(notes[:, 1] > 0) & (notes[:, 2] >= LOWEST) & (notes[:, 2] <= HIGHEST)]
    if not len(notes):
        raise NotAPiece("no notes on the piano's keyboard")
    notes = notes[np.lexsort((-notes[:, 1], notes[:, 2], notes[:, 0]))]
    again = np.zeros(len(notes), bool)
    again[1:] = (np.diff(notes[:, 0]) == 0) & (np.diff(notes[:, 2]) == 0)
    return np.ascontiguousarray(notes[~again])


def written_seconds(score: Score) -> float:
    """How long the score lasts at its own tempos."""
    end = float((score.notes[:, 0] + score.notes[:, 1]).max())
    ticks = np.append(score.tempos[:, 0], max(end, float(score.tempos[-1, 0])))
    return float((np.diff(ticks) * 60 / score.tempos[:, 1]).sum() / score.per_quarter)


def check(score: Score) -> None:
    """Raises NotAPiece where two hands at one piano do not seem to be meant."""
    notes = score.notes
    if len(notes) < 40 or score.seconds < 10:
        raise NotAPiece(f"too short: {len(notes)} notes, {score.seconds:.0f} s")
    if score.seconds > 1500:
        raise NotAPiece(f"too long: {score.seconds:.0f} s")
    _, struck = np.unique(notes[:, 0], return_counts=True)
    if (struck > 7).mean() > 0.03 or struck.max() > 12:
        raise NotAPiece(f"more than two hands: {struck.max()} notes struck at once")
    times = np.concatenate([notes[:, 0], notes[:, 0] + notes[:, 1]])
    change = np.repeat([1, -1], len(notes))
    order = np.lexsort((change, times))
    held = np.cumsum(change[order])
    if np.percentile(held, 95) > 11:
        raise NotAPiece(f"more than two hands: {int(np.percentile(held, 95))} notes held")
    if len(notes) / score.seconds > 24:
        raise NotAPiece(f"not playable: {len(notes) / score.seconds:.0f} notes per second")
    if len(np.unique(notes[:, 2])) < 6:
        raise NotAPiece("fewer than six different keys")


def shingles(score: Score) -> set[int]:
    """The score's runs of six pitches, as numbers: alike scores have most of them in common."""
    pitch = score.notes[:, 2].astype(np.int64)
    if len(pitch) < 6:
        return set()
    return set(sum(pitch[i:len(pitch) - 5 + i] << (7 * i) for i in range(6)).tolist())


def without_copies(scores: list[Score]) -> tuple[list[Score], list[tuple[str, str]]]:
    """-> (scores, [(name left out, why)]). Scores that share much get one group, so that none of
    them is heard in training and held out as well."""
    scores = sorted(scores, key=lambda s: (-len(s.notes), s.name))
    kept: list[tuple[Score, set[int]]] = []
    left_out = []
    for score in scores:
        runs = shingles(score)
        for other, others in kept:
            shared = len(runs & others) / max(len(runs), 1)
            if shared > 0.7:
                left_out.append((score.name, f"the same as {other.name}"))
                break
            if shared > 0.3 and score.group != other.group:
                first, second = sorted((score.group, other.group))
                score.group = first
                for third, _ in kept:
                    if third.group == second:
                        third.group = first
        else:
            kept.append((score, runs))
    return sorted((score for score, _ in kept), key=lambda s: s.name), left_out
