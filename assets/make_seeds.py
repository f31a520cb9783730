#!/usr/bin/env python3
"""Makes seeds/*.wav from music/*.txt.

    apt install fluidsynth sox musescore-general-soundfont
    assets/make_seeds.py

The notes are played a little unevenly, as hands do, and always alike: chance is seeded by the
piece's name. All clips get one gain, so that they keep their loudness to each other.

A music file has lines `tempo` (quarters a minute), `bar` and `pedal` (in quarters), `dry` (bars
without pedal, counted from 1), and voices: `voice NAME VELOCITY`, then notes `C#4/1.5` (length in quarters; left out: as before), `A+C` for
chords, `1:3` for a third of 1, `r` for rests, `|` where a bar must end.
"""

import random
import re
import struct
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOUNDFONT = "/usr/share/sounds/sf3/MuseScore_General_Full.sf3"
TICKS = 480  # a quarter
PEAK = 10 ** (-6 / 20)  # of the loudest clip
SEMITONE = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def pitch(name):
    letter, accidental, octave = re.fullmatch(r"([A-G])([#b]?)(\d)", name).groups()
    return 12 * (int(octave) + 1) + SEMITONE[letter] + {"": 0, "#": 1, "b": -1}[accidental]


def read(path):
    """-> settings {tempo, bar, pedal}, notes [(voice velocity, start, length, pitch, chord index)]"""
    settings, notes, velocity, at, length = {}, [], None, Fraction(0), Fraction(1)
    for line in path.read_text().splitlines():
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if words[0] in ("tempo", "bar", "pedal"):
            settings[words[0]] = Fraction(words[1])
            continue
        if words[0] == "dry":
            settings["dry"] = {int(w) for w in words[1:]}
            continue
        if words[0] == "voice":
            velocity, at = int(words[2]), Fraction(0)
            continue
        for word in words:
            if word == "|":
                if at % settings["bar"]:
                    sys.exit(f"{path.name}: a bar ends at quarter {float(at)}")
                continue
            chord, _, given = word.partition("/")
            if given:
                whole, _, parts = given.partition(":")
                length = Fraction(whole) / int(parts or 1)
            if chord != "r":
                for i, name in enumerate(chord.split("+")):
                    notes.append((velocity, at, length, pitch(name), i))
            at += length
    return settings, sorted(notes, key=lambda n: (n[1], n[3]))


def perform(settings, notes, chance):
    """-> events [(seconds, midi bytes)], seconds in all"""
    quarter = 60 / float(settings["tempo"])
    end = max(start + length for _, start, length, _, _ in notes)
    top = {start: p for _, start, _, p, _ in notes}  # the highest note that begins there
    events = []
    lead = 0.04 - float(notes[0][1]) * quarter  # rests of an upbeat are left out; the first note is not at 0
    for base, start, length, p, chord_index in notes:
        bar_place = start % settings["bar"]
        accent = 5 if bar_place == 0 else 2 if bar_place.denominator == 1 else -2
        arc = 7 * (1 - (2 * float(start / end) - 0.9) ** 2)  # a phrase swells and sinks
        melody = 5 if top[start] == p else 0
        velocity = base + accent + arc + melody + chance.gauss(0, 2.5)
        on = lead + float(start) * quarter + chance.gauss(0, 0.005) + 0.009 * chord_index
        off = on + float(length) * quarter * chance.uniform(0.92, 1.0)
        events.append((max(on, 0), bytes([0x90, p, round(min(max(velocity, 20), 115))])))
        events.append((off, bytes([0x80, p, 64])))
    at = Fraction(0)
    while at < end:  # up just after the new harmony began, down again at once, as a foot does
        seconds = max(lead + float(at) * quarter, 0)
        events.append((seconds + 0.05, bytes([0xB0, 64, 0])))
        if int(at / settings["bar"]) + 1 not in settings.get("dry", ()):
            events.append((seconds + 0.12, bytes([0xB0, 64, 127])))
        at += settings["pedal"]
    return sorted(events), lead + float(end) * quarter


def midi(events):
    def delta(n):
        out = [n & 127]
        while n := n >> 7:
            out.insert(0, 128 | (n & 127))
        return bytes(out)

    # 120 quarters a minute: a tick is 1/960 s, and the performance's own time is kept.
    track, now = b"\x00\xff\x51\x03" + (500_000).to_bytes(3, "big"), 0
    for seconds, message in events:
        tick = round(seconds * 2 * TICKS)
        track += delta(tick - now) + message
        now = tick
    track += delta(4 * TICKS) + b"\xff\x2f\x00"
    head = b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS)
    return head + b"MTrk" + struct.pack(">I", len(track)) + track


def run(*command):
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout + done.stderr


def main():
    with tempfile.TemporaryDirectory() as folder:
        raw = {}
        for path in sorted((HERE / "music").glob("*.txt")):
            settings, notes = read(path)
            events, seconds = perform(settings, notes, random.Random(path.stem))
            smf, wide = Path(folder, path.stem + ".mid"), Path(folder, path.stem + "-48k.wav")
            smf.write_bytes(midi(events))
            run("fluidsynth", "-ni", "-q", "-r", "48000", "-g", "0.7", "-o", "synth.reverb.active=0",
                "-o", "synth.chorus.active=0", "-o", "synth.dynamic-sample-loading=1",
                "-F", str(wide), "-T", "wav", "-O", "float", SOUNDFONT, str(smf))
            raw[path.stem] = Path(folder, path.stem + ".wav")
            run("sox", str(wide), "-e", "float", "-b", "32", str(raw[path.stem]), "remix", "-",
                "rate", "-v", "16000", "trim", "0", f"{seconds:.4f}")
        peaks = {}
        for name, path in raw.items():
            report = run("sox", str(path), "-n", "stat")
            high, low = (float(re.search(rf"{word} amplitude:\s+(\S+)", report)[1])
                         for word in ("Maximum", "Minimum"))
            peaks[name] = max(high, -low)
        gain = PEAK / max(peaks.values())
        for name, path in raw.items():
            out = HERE / "seeds" / (name + ".wav")
            run("sox", "-D", "-v", f"{gain:.6f}", str(path), "-b", "16", "-e", "signed", str(out))
            print(f"{out.name}: {run('sox', '--i', '-D', str(out)).strip()} s, "
                  f"peak {gain * peaks[name]:.3f}")


if __name__ == "__main__":
    main()
