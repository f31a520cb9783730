"""Judges whether rendered WAV files stay music: loudness and flatness over time, silence, noise, drones, tempo.

    python -m train.judge.sound RENDERED [--reference DIR] [--seed-seconds S] [--json]

With --reference, noise is what is flatter than nearly all of the real audio there; with --seed-seconds, the tempo of
the continuation is compared with that of the clip before it.
"""
from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from . import sounds
from .sounds import JudgeError

END = 3.0            # seconds at the end that decide between music, silence and noise
SILENT = -60.0       # dBFS RMS
FLAT = 0.35          # spectral flatness of noise where there is no reference; white noise has 0.56, music under 0.2
MARGIN = 1.5         # noise is flatter than the reference's 99th percentile by this
STILL_DB = 3.0       # mean change of the spectrum from one quarter of a second to the next, below which nothing happens
STILL_SECONDS = 2.0  # and for how long that has to last to be a drone
HOP = 160            # of onsets, at 16 kHz: 10 ms


def rms_db(x: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(x, dtype=np.float64)) + 1e-12)) if len(x) else -120.0


def spectra(x: np.ndarray, window: int, hop: int) -> np.ndarray:
    """Power spectra of windowed frames, one row per frame."""
    x = np.pad(x, (0, max(0, window - len(x))))
    frames = np.lib.stride_tricks.sliding_window_view(x, window)[::hop]
    return np.square(np.abs(np.fft.rfft(frames * np.hanning(window)))).astype(np.float64)


def flatness(x: np.ndarray) -> float:
    """Geometric by arithmetic mean of the power spectrum, the loud frames' average: 0.56 for white noise, ~0 for a tone."""
    power = spectra(x, 1024, 512)[:, 1:]
    level = power.mean(1)
    heard = power[level > max(level.max() * 1e-4, 1e-7)] + 1e-12
    if not len(heard):
        return 0.0
    each = np.exp(np.log(heard).mean(1)) / heard.mean(1)
    return float(np.average(each, weights=np.sqrt(heard.mean(1))))


def drone(x: np.ndarray, rate: int) -> float:
    """The fraction of the time in stretches of at least STILL_SECONDS that sound and whose spectrum, from 250 Hz to
    5 kHz, hardly changes: a rumble or a note that does not decay. Silence does not count."""
    window = max(2, rate * 512 // 16000)
    hertz = np.fft.rfftfreq(window, 1 / rate)
    power = spectra(x, window, window)[:, (hertz >= 250) & (hertz < 5000)]
    each = 8  # windows of 32 ms per quarter of a second
    quarters = len(power) // each
    if quarters < 2:
        return 0.0
    power = power[:quarters * each].reshape(quarters, each, -1).mean(1)
    change = np.abs(np.diff(10 * np.log10(power + 1e-9), axis=0)).mean(1)
    level = np.array([rms_db(q) for q in np.array_split(x[:quarters * each * window], quarters)])
    still = (change < STILL_DB) & (level[1:] > SILENT)
    least, run, inside = round(STILL_SECONDS * rate / (each * window)), 0, 0
    for s in [*still, False]:
        if not s:
            inside += run if run >= least else 0
        run = run + 1 if s else 0
    return inside / len(still)


def onsets(x: np.ndarray, rate: int) -> np.ndarray:
    """How much louder each 10 ms is than the previous one, over the bands of the spectrum."""
    hop = max(1, rate * HOP // 16000)
    power = spectra(x, 4 * hop, hop)
    bands = np.stack([b.mean(1) for b in np.array_split(power[:, 1:], 16, axis=1)], 1)
    log = np.log1p(bands / (bands.mean() * 1e-2 + 1e-12))
    rise = np.clip(np.diff(log, axis=0), 0, None).sum(1)
    return rise - rise.mean()


def tempo(x: np.ndarray, rate: int, low: float = 60, high: float = 180) -> tuple[float, float]:
    """-> (beats per minute, the autocorrelation there, 0 to 1). 0 where nothing repeats."""
    rise = onsets(x, rate)
    if len(rise) < 300 or not rise.any():
        return 0.0, 0.0
    size = 1 << (2 * len(rise)).bit_length()
    spectrum = np.abs(np.fft.rfft(rise, size)) ** 2
    repeat = np.fft.irfft(spectrum, size)[:len(rise)] / np.maximum(len(rise) - np.arange(len(rise)), 1)
    repeat /= repeat[0] + 1e-12
    beats = np.arange(low, high + 0.01, 0.5)
    lags = np.arange(len(rise))
    limit = len(rise) * 0.75
    scores = np.zeros(len(beats))
    for i, bpm in enumerate(beats):
        beat = 6000 / bpm
        at = beat * np.array([1, 2, 4, 8])  # the bar repeats more reliably than the beat
        part = np.array([0.6, 0.8, 1.2, 1.0])[at < limit]
        scores[i] = np.dot(part, np.interp(at[at < limit], lags, repeat)) / part.sum() if len(part) else 0
    scores *= np.exp(-0.5 * (np.log2(beats / 110) / 0.9) ** 2)  # among equal ones, the moderate tempo
    best = int(scores.argmax())
    return float(beats[best]), float(np.clip(scores[best], 0, 1))


def tempo_ratio(a: float, b: float) -> float:
    """The relative distance of b from a; double and half the tempo count as the same."""
    if a <= 0 or b <= 0:
        return 1.0
    octave = np.log2(b / a)
    return float(2 ** abs(octave - round(octave)) - 1)


def measure(path: Path, noise_above: float, seed_seconds: float) -> dict:
    x, rate = sounds.read(path)
    seconds = [x[i:i + rate] for i in range(0, max(len(x) - rate // 2, 1), rate)]
    end = x[-int(END * rate):]
    level, flat = rms_db(end), flatness(end)
    row = {"file": path.name, "seconds": round(len(x) / rate, 2), "dBFS": round(rms_db(x), 1),
           "dBFS each second": [round(rms_db(s), 1) for s in seconds],
           "flatness each second": [round(flatness(s), 3) for s in seconds], "end dBFS": round(level, 1),
           "end flatness": round(flat, 3), "silent": level < SILENT, "noise": bool(level >= SILENT and flat > noise_above)}
    row["drone"] = round(drone(x, rate), 3)
    bpm, clear = tempo(x, rate)
    row.update({"bpm": bpm, "clearness": round(clear, 3)})
    cut = int(seed_seconds * rate)
    if cut and len(x) > cut + 3 * rate:
        before, after = tempo(x[:cut], rate)[0], tempo(x[cut:], rate)[0]
        row.update({"seed bpm": before, "continued bpm": after, "tempo deviation": round(tempo_ratio(before, after), 4)})
    return row


def calibrate(folder: Path, limit: int = 100) -> float:
    """The flatness above which a file's end is noise, from the ends of real files."""
    files = sounds.find(folder)
    files = [files[i] for i in sorted(np.random.default_rng(0).permutation(len(files))[:limit])]
    ends = [flatness(x[-int(END * rate):]) for x, rate in map(sounds.read, files)]
    return float(np.clip(np.percentile(ends, 99) * MARGIN, 0.05, 0.5))  # white noise must stay noise


def summary(rows: list[dict], noise_above: float) -> dict:
    longest = max(len(r["dBFS each second"]) for r in rows)

    def over_time(key: str) -> list[float]:
        return [round(float(np.mean([r[key][i] for r in rows if len(r[key]) > i])), 3) for i in range(longest)]

    total = {"files": len(rows), "dBFS": round(float(np.mean([r["dBFS"] for r in rows])), 2),
             "decay to silence": sum(r["silent"] for r in rows) / len(rows),
             "blow up to noise": sum(r["noise"] for r in rows) / len(rows), "noise is flatter than": round(noise_above, 3),
             "with a drone": sum(r["drone"] > 0 for r in rows) / len(rows),
             "part of the time that drones": float(np.mean([r["drone"] for r in rows])),
             "dBFS each second": over_time("dBFS each second"), "flatness each second": over_time("flatness each second")}
    kept = [r["tempo deviation"] for r in rows if "tempo deviation" in r]
    if kept:
        total["tempo deviation, median"] = float(np.median(kept))
        total["tempo kept within 4 %"] = float(np.mean(np.array(kept) < 0.04))
    return total


def show(rows: list[dict], total: dict) -> None:
    width = max(len(r["file"]) for r in rows)
    print(f"{'file':{width}} seconds   dBFS  end dBFS  end flatness  bpm    clear  verdict")
    for r in rows:
        verdict = "silence" if r["silent"] else "noise" if r["noise"] else "sound"
        more = f", {r['drone']:.0%} drones" if r["drone"] else ""
        more += f", tempo {r['seed bpm']:g} -> {r['continued bpm']:g}" if "seed bpm" in r else ""
        print(f"{r['file']:{width}} {r['seconds']:7.1f} {r['dBFS']:6.1f} {r['end dBFS']:9.1f} {r['end flatness']:13.3f}  "
              f"{r['bpm']:5.1f} {r['clearness']:6.2f}  {verdict}{more}")
    for name, value in total.items():
        print(f"{name}: " + (" ".join(f"{v:g}" for v in value) if isinstance(value, list) else f"{value:g}"))


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.judge.sound", description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, metavar="RENDERED")
    parser.add_argument("--reference", type=Path, metavar="DIR", help="real audio, from which the threshold of noise is taken")
    parser.add_argument("--seed-seconds", type=float, default=0.0, metavar="S", help="length of the clip at the start of each file")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(words)
    try:
        noise_above = calibrate(args.reference) if args.reference else FLAT
        rows = [measure(path, noise_above, args.seed_seconds) for path in sounds.find(args.folder)]
    except JudgeError as e:
        print(f"judge: {e}", file=sys.stderr)
        return 1
    total = summary(rows, noise_above)
    if args.json:
        print(json.dumps({"all": total, "files": rows}, indent=1))
    else:
        show(rows, total)
    return 0


if __name__ == "__main__":
    sys.exit(main())
