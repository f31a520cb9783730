"""A score performed: loudness, onset and length of each note, and the sustain pedal.

Scores from LilyPond are exact and nearly all of one loudness; played so they sound like a
typewriter. A performance here has metre, a melody above its accompaniment, phrases that swell and
sink, sections from pp to ff, rubato, and hands that are a little uneven. The random seed is made
from the piece's name, the take and the set's random seed: each take is another performance, and always the same.
"""

from __future__ import annotations

import zlib

import numpy as np

from . import piano_reading as reading
from .piano_sampler import Performance
from .piano_score import HIGHEST, LOWEST, Score

WRITTEN = 90  # LilyPond's velocity where no dynamics are written
FASTEST = 13.0  # onsets per second that hands may have to play; faster files have a wrong tempo


def perform(score: Score, seed: int, take: int) -> Performance:
    chance = np.random.default_rng([seed, zlib.crc32(score.name.encode()), take])
    start, length = score.notes[:, 0] / score.per_quarter, score.notes[:, 1] / score.per_quarter
    pitch = score.notes[:, 2].astype(int)
    bars = reading.bar_lines(score)
    beat = float(bars[0, 2])
    melody, bass = reading.voices(start, length, pitch, beat)
    phrase = Phrases(bars, chance)
    clock = Clock(score, start, length, bars, phrase, chance)

    velocity = touches(score, start, length, pitch, melody, bass, bars, phrase, clock, chance)
    played, released = timing(score, start, length, pitch, melody, clock, chance)
    pedal = foot(score, start, length, pitch, bars, clock, chance)
    lead = chance.uniform(0.08, 0.3) - min(played.min(), 0)
    room = None
    if chance.random() < 0.65:
        room = (float(chance.uniform(0.35, 0.9)), float(chance.uniform(-24, -18)), int(chance.integers(2 ** 31)))
    return Performance(played + lead, released + lead, pitch + transposition(score, seed, take), velocity,
                       pedal + lead, room, float(chance.uniform(0.85, 1.3)), float(chance.uniform(1.2, 2.2)))


def transposition(score: Score, seed: int, take: int) -> int:
    """-3..3 semitones, another for each of up to seven takes."""
    order = np.random.default_rng([seed, zlib.crc32(score.name.encode())]).permutation(7) - 3
    by = int(order[(take - 1) % 7])
    pitch = score.notes[:, 2]
    return int(np.clip(by, LOWEST - pitch.min(), HIGHEST - pitch.max()))


class Phrases:
    """Arches over 2 to 8 bars, with shorter ones in the longer; and sections of their own loudness."""

    def __init__(self, bars: np.ndarray, chance: np.random.Generator):
        end = bars[-1, 0] + bars[-1, 1]
        edges, tops, sizes, i = [], [], [], 0
        while i < len(bars):
            edges.append(bars[i, 0])
            tops.append(chance.uniform(0.45, 0.75))
            sizes.append(chance.uniform(0.6, 1.3))
            i += int(chance.choice([2, 4, 4, 4, 8]))
        self.edges = np.array([*edges, max(end, edges[-1] + 1e-3)])
        self.tops, self.sizes = np.array(tops), np.array(sizes)

        at, level = [bars[0, 0]], [chance.normal(0, 9)]
        i = int(chance.choice([4, 8]))
        while i < len(bars):
            bar = bars[i, 1]
            change = min(bar * float(chance.choice([0.02, 1, 2, 4])), bars[i, 0] - at[-1])
            new = 0.45 * level[-1] + chance.normal(0, 12)
            at += [bars[i, 0] - change * 0.98, bars[i, 0]]  # a crescendo arrives on the bar line
            level += [level[-1], new]
            i += int(chance.choice([4, 8, 8, 12, 16]))
        self.at, self.level = np.array(at), np.clip(np.array(level), -19, 26)

    def arch(self, where: np.ndarray) -> np.ndarray:
        """0 at a phrase's ends, up to about 1 at its height"""
        i = np.clip(np.searchsorted(self.edges, where, side="right") - 1, 0, len(self.tops) - 1)
        part = np.clip((where - self.edges[i]) / (self.edges[i + 1] - self.edges[i]), 0, 1)
        top = self.tops[i]
        bent = np.where(part < top, 0.5 * part / top, 0.5 + 0.5 * (part - top) / (1 - top))
        return np.sin(np.pi * bent) * self.sizes[i]

    def section(self, where: np.ndarray) -> np.ndarray:
        return np.interp(where, self.at, self.level)


class Clock:
    """Quarters to seconds: the score's tempos, this take's own, rubato, and the slowing at the end."""

    def __init__(self, score: Score, start: np.ndarray, length: np.ndarray, bars: np.ndarray,
                 phrase: Phrases, chance: np.random.Generator):
        end = float((start + length).max())
        grid = np.arange(0, end + 8, 0.125)
        i = np.clip(np.searchsorted(score.tempos[:, 0] / score.per_quarter, grid + 1e-6) - 1, 0, None)
        tempo = score.tempos[i, 1].clip(15, 600)
        tempo *= min(1.0, FASTEST / busiest(np.unique(start), grid, tempo)) * chance.uniform(0.92, 1.08)

        freedom = chance.uniform(0.3, 1.1) * (0.5 if score.old_style or len(score.tempos) > 6 else 1.0)
        bent = 0.085 * freedom * (phrase.arch(grid) - 0.65)
        knots = np.arange(0, grid[-1] + 2, 1.0)
        wander = np.convolve(chance.normal(0, 1, len(knots) + 6), np.hanning(9)[1:-1] / 2, "valid")
        bent += 0.03 * freedom * np.interp(grid, knots, wander[:len(knots)])
        slowing = min(2 * float(bars[-1, 1]), 0.08 * end + 1)
        depth = chance.uniform(0.22, 0.45) * (0.7 if score.old_style else 1.0)
        bent -= depth * np.clip((grid - (end - slowing)) / slowing, 0, 1) ** 1.7
        self.grid = grid
        self.time = np.concatenate([[0], np.cumsum(0.125 * 60 / (tempo * np.exp(bent)))[:-1]])
        self.end = end

    def __call__(self, where: np.ndarray) -> np.ndarray:
        return np.interp(where, self.grid, self.time)


def busiest(moments: np.ndarray, grid: np.ndarray, tempo: np.ndarray) -> float:
    """Onsets per second where the score has most of them, trills and ornaments left aside."""
    if len(moments) < 20:
        return 1.0
    time = np.interp(moments, grid, np.concatenate([[0], np.cumsum(0.125 * 60 / tempo)[:-1]]))
    return float(np.percentile(8 / np.maximum(time[8:] - time[:-8], 1e-3), 90))


def touches(score: Score, start: np.ndarray, length: np.ndarray, pitch: np.ndarray, melody: np.ndarray,
            bass: np.ndarray, bars: np.ndarray, phrase: Phrases, clock: Clock,
            chance: np.random.Generator) -> np.ndarray:
    """-> velocities, as fractions"""
    level, accent, marked = reading.dynamics(score, start, bars, WRITTEN)
    middle = float(np.median(level))
    velocity = np.full(len(start), float(np.clip(chance.normal(67, 7), 54, 84)))
    velocity += 0.85 * (level - middle) + 0.5 * np.clip(middle - WRITTEN, -30, 20) + accent
    velocity += phrase.section(start) * (0.4 if marked else 1.0)
    velocity += chance.uniform(7, 13) * (phrase.arch(start) - 0.55)
    velocity += chance.uniform(4, 8) * reading.stresses(bars, start)

    # A chord's notes share one loudness: its melody above it, its filling under it.
    velocity += chance.uniform(7, 12) * melody - 3.5
    velocity -= np.where(bass, 1.0, np.where(melody < 0.3, 4.5, 0.0))
    top = melody > 0.5
    if top.sum() > 8:  # where the melody rises it grows
        line = pitch[top].astype(float)
        around = np.convolve(np.pad(line, 8, mode="edge"), np.ones(17) / 17, "valid")
        velocity[top] += np.clip(0.5 * (line - around), -4, 5)
    velocity -= np.clip(46 - pitch, 0, 24) * 0.2  # low strings carry further
    velocity += np.clip(length / bars[0, 2] - 1, 0, 2) * 1.5  # long notes must be heard to their end

    time = clock(start)
    around = np.searchsorted(time, time + 0.5) - np.searchsorted(time, time - 0.5)
    velocity -= np.clip(around - 12, 0, 20) * 0.35  # many notes are light notes
    same_moment = np.unique(start, return_inverse=True)[1].ravel()
    velocity += chance.normal(0, 1.5, same_moment.max() + 1)[same_moment] + np.clip(chance.normal(0, 2, len(start)), -4, 4)
    # Towards the ends of the keyboard's reach the curve bends instead of breaking off.
    velocity = np.where(velocity > 100, 100 + 24 * np.tanh((velocity - 100) / 24), velocity)
    return np.where(velocity < 30, 30 + 20 * np.tanh((velocity - 30) / 20), velocity)


def timing(score: Score, start: np.ndarray, length: np.ndarray, pitch: np.ndarray, melody: np.ndarray,
           clock: Clock, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """-> seconds at which each key goes down and comes up"""
    moments, moment, count = np.unique(start, return_inverse=True, return_counts=True)
    moment = moment.ravel()
    onset = clock(start) + np.clip(chance.normal(0, 0.004, len(moments)), -0.01, 0.01)[moment]
    onset += np.clip(chance.normal(0, 0.0045, len(start)), -0.01, 0.01)
    chord = count[moment] > 1
    onset -= np.where(chord & (melody > 0.5), chance.uniform(0.004, 0.014), 0)

    # Chords are struck from below: nearly together, some of the wide ones as arpeggios.
    step = chance.uniform(0.0005, 0.003, len(moments))
    wide = (np.maximum.reduceat(pitch, np.flatnonzero(np.diff(moment, prepend=-1))) - pitch[
        np.flatnonzero(np.diff(moment, prepend=-1))] > 14) & (count >= 4)
    rolled = wide & (chance.random(len(moments)) < 0.12)
    step = np.where(rolled, chance.uniform(0.012, 0.03, len(moments)), step)
    rank = np.arange(len(start)) - np.concatenate([[0], np.cumsum(count)[:-1]])[moment]
    onset += step[moment] * np.minimum(rank, 7)

    legato = chance.uniform(0.86, 0.97) if score.old_style else chance.uniform(0.93, 1.03)
    lasting = length * np.clip(legato + chance.normal(0, 0.035, len(start)), 0.7, 1.08)
    release = clock(start + lasting) + (onset - clock(start))
    final = start + length > clock.end - 1e-6  # the last chord may ring
    release[final] += chance.uniform(0.2, 1.2)
    return onset, np.maximum(release, onset + 0.045)


def foot(score: Score, start: np.ndarray, length: np.ndarray, pitch: np.ndarray, bars: np.ndarray,
         clock: Clock, chance: np.random.Generator) -> np.ndarray:
    """-> (n, 2) seconds between which the sustain pedal is down"""
    down_after, up_after = chance.uniform(0.03, 0.09), chance.uniform(0.0, 0.03)
    way = chance.choice(["none", "half bars", "harmony"],
                        p=[0.6, 0.1, 0.3] if score.old_style else [0.12, 0.28, 0.6])
    patience = int(chance.choice([0, 1] if score.old_style else [2, 3, 4]))
    spans: list[tuple[float, float]] = []
    if len(score.pedals) >= 8 and chance.random() < 0.9:  # the score says it
        down = None
        for tick, value in score.pedals.tolist():
            at = tick / score.per_quarter
            if value < 64 and down is not None:
                spans.append((down, at))
                down = None
            elif value >= 64 and down is None:
                down = at
    elif way != "none":
        spans = reading.harmonies(bars, start, length, pitch, way == "harmony", patience)
    rows = []
    for a, b in spans:
        down, up = float(clock(a)) + down_after, float(clock(b)) + up_after
        if up - down > 0.12:
            rows.append((down, up + (0.8 if b >= clock.end - 1e-6 else 0)))
    return np.array(rows, float).reshape(-1, 2)
