"""What a pianist reads in a score before playing it: bars and beats, melody and bass, harmony.

Positions are in quarters from the score's beginning.
"""

from __future__ import annotations

import numpy as np

from .piano_score import Score


def metre_spans(score: Score) -> list[tuple[float, float, float, float]]:
    """-> [(from, to, bar's length, beat's length)]; three, six, nine quavers count in dotted beats"""
    end = float((score.notes[:, 0] + score.notes[:, 1]).max()) / score.per_quarter
    at = [*(score.metres[:, 0] / score.per_quarter), max(end, float(score.metres[-1, 0]) / score.per_quarter) + 1e-6]
    spans = []
    for i, (_, top, bottom) in enumerate(score.metres.tolist()):
        unit = 4 / bottom
        beat = 3 * unit if top % 3 == 0 and (top > 3 or bottom >= 8) else unit
        if at[i + 1] > at[i]:
            spans.append((float(at[i]), float(at[i + 1]), top * unit, beat))
    if not spans or spans[0][0] > 0:  # before the first signature: as after it
        spans.insert(0, (0.0, float(at[0]), *(spans[0][2:] if spans else (4.0, 1.0))))
    return [s for s in spans if s[1] > s[0]]


def weight(place: np.ndarray, bar: float, beat: float) -> np.ndarray:
    """How much a place in the bar is stressed: 1 the first beat, down to -0.8 for what is short."""
    beats = place / beat
    whole = np.abs(beats - np.round(beats)) < 0.02
    first = whole & (np.round(beats) % round(bar / beat) == 0)
    middle = whole & (bar / beat >= 4) & (np.abs(place - bar / 2) < 0.02)
    half = np.abs(beats * 2 - np.round(beats * 2)) < 0.04
    return np.select([first, middle, whole, half], [1.0, 0.5, 0.15, -0.4], -0.8)


def upbeat(score: Score, start: np.ndarray, length: np.ndarray, to: float, bar: float, beat: float) -> float:
    """Where the first bar line stands. MIDI does not store it; but long, low and full notes lie on it."""
    inside = start < min(to, 64 * bar)
    place, low = start[inside], score.notes[inside, 2] < 55
    heavy = np.minimum(length[inside] / beat, 2) + 0.7 * low
    step = beat / 3 if abs(beat * 2 / 3 - round(beat * 2 / 3)) < 1e-6 and beat > 1 else beat / 2
    offsets = np.arange(0, bar - 1e-6, step)
    fits = np.array([np.sum(heavy * weight((place - o) % bar, bar, beat)) for o in offsets])
    best = int(np.argmax(fits))
    return float(offsets[best]) if fits[best] > fits[0] + 0.12 * np.abs(fits).max() else 0.0


def bar_lines(score: Score) -> np.ndarray:
    """-> (n, 3): where each bar begins, its length and its beat's length; the first may begin before 0"""
    start, length = score.notes[:, 0] / score.per_quarter, score.notes[:, 1] / score.per_quarter
    spans = metre_spans(score)
    rows = []
    for i, (begin, to, bar, beat) in enumerate(spans):
        first = begin
        if i == 0:
            if len(spans) > 1 and (to - begin) % bar > 1e-6:
                first = begin + (to - begin) % bar  # the next signature stands at a bar line
            elif len(spans) == 1:
                first = begin + upbeat(score, start, length, to, bar, beat)
            if first > begin:
                rows.append((first - bar, bar, beat))
        rows += [(b, bar, beat) for b in np.arange(first, to - 1e-6, bar)]
    return np.array(rows)


def stresses(bars: np.ndarray, start: np.ndarray) -> np.ndarray:
    """-> each note's weight in its bar"""
    i = np.clip(np.searchsorted(bars[:, 0], start + 1e-6) - 1, 0, len(bars) - 1)
    out = np.empty(len(start))
    for bar, beat in np.unique(bars[:, 1:], axis=0):
        there = (bars[i, 1] == bar) & (bars[i, 2] == beat)
        out[there] = weight((start - bars[i, 0])[there], bar, beat)
    return out


def dynamics(score: Score, start: np.ndarray, bars: np.ndarray, unmarked: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """-> loudness written for each note's moment, its own accent, whether the score has dynamics.

    LilyPond applies a dynamic sign to the voice it stands at and leaves the others at `unmarked`, so
    that an inner voice may shout over a soft melody. A sign is meant for the whole piano: here the
    notes that have one set the level of those around them."""
    written = score.notes[:, 3].astype(float)
    moments = np.unique(start)
    has_sign = written != unmarked
    level = np.full(len(moments), float(unmarked))
    reach = float(bars[0, 1]) / 2
    first = np.searchsorted(start, moments - reach)
    last = np.searchsorted(start, moments + reach, side="right")
    for i, (a, b) in enumerate(zip(first, last)):
        with_sign = written[a:b][has_sign[a:b]]
        if len(with_sign) >= 0.25 * (b - a):
            level[i] = np.median(with_sign)
    at = np.searchsorted(moments, start)
    accent = np.where(has_sign, np.clip(written - level[at], -4, 10), 0)
    return level[at], 0.7 * accent, bool(level.std() > 3 and len(np.unique(level)) >= 3)


def voices(start: np.ndarray, length: np.ndarray, pitch: np.ndarray, beat: float) -> tuple[np.ndarray, np.ndarray]:
    """-> how much each note is melody (0..1), whether it is the bass.

    The melody is the highest note that sounds; but an afterbeat under a melody that rests is none,
    so a note loses as it lies lower than what is highest within a beat."""
    moments, first = np.unique(start, return_index=True)
    last = np.append(first[1:], len(start))
    highest = np.maximum.reduceat(pitch, first)
    end = start + length
    melody, bass = np.zeros(len(start)), np.zeros(len(start), bool)
    sounding: list[tuple[float, int]] = []
    before = np.searchsorted(moments, moments - beat)
    after = np.searchsorted(moments, moments + beat, side="right")
    for i, moment in enumerate(moments):
        a, b = first[i], last[i]
        sounding = [s for s in sounding if s[0] > moment + 1e-6]
        sounding += zip(end[a:b].tolist(), pitch[a:b].tolist())
        pitches = [s[1] for s in sounding]
        top, low = max(pitches), min(pitches)
        reference = max(top, highest[before[i]:after[i]].max())
        here = pitch[a:b]
        melody[a:b] = (here == top) * np.clip(1 - (reference - here) / 12, 0, 1)
        bass[a:b] = (here == low) & (low < top)
    return melody, bass


def harmonies(bars: np.ndarray, start: np.ndarray, length: np.ndarray, pitch: np.ndarray,
              by_harmony: bool, patience: int) -> list[tuple[float, float]]:
    """-> spans that one pedal may hold: half bars, or as long as the harmony stays. `patience` is
    how many neighbouring steps may blur in a span; what blurs more is halved, then left dry."""
    spans: list[tuple[float, float]] = []
    for begin, bar, beat in bars.tolist():
        beats = round(bar / beat)
        parts = beats if by_harmony else (2 if beats % 2 == 0 else 1)
        edges = np.linspace(begin, begin + bar, parts + 1)
        classes = []
        for a, b in zip(edges[:-1], edges[1:]):
            there = (start < b - 1e-6) & (start + length > a + 1e-6)
            classes.append(set((pitch[there] % 12).tolist()))
        i = 0
        while i < parts:
            j, together = i + 1, set(classes[i])
            while by_harmony and j < parts and len(classes[j] - together) <= (1 if len(together) < 4 else 0):
                together |= classes[j]
                j += 1
            spans += clear(float(edges[i]), float(edges[j]), beat, start, pitch, patience)
            i = j
    return spans


def clear(a: float, b: float, beat: float, start: np.ndarray, pitch: np.ndarray, patience: int) -> list:
    here = np.unique(pitch[(start >= a - 1e-6) & (start < b - 1e-6)])
    if not len(here):
        return []
    here = here[here < 86]  # the highest strings blur nothing
    steps = int(np.sum(np.abs(here[:, None] - here[None, :])[np.triu_indices(len(here), 1)] <= 2))
    if steps <= patience:
        return [(a, b)]
    if b - a > beat + 1e-6:
        middle = (a + b) / 2
        return clear(a, middle, beat, start, pitch, patience) + clear(middle, b, beat, start, pitch, patience)
    return []
