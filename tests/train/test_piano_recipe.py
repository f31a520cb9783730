"""The piano recipe on a bank and scores made here: python3 -m unittest tests/train/test_piano_recipe.py

numpy only; what parses MIDI is skipped where mido is missing.
"""

import contextlib
import importlib.util
import io
import json
import struct
import sys
import tempfile
import unittest
import wave
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from train.recipes import piano, piano_bank, piano_pack, piano_play, piano_reading, piano_sampler, piano_score  # noqa: E402

RATE = 16000
HAS_MIDO = importlib.util.find_spec("mido") is not None


def tone(key: float, seconds: float = 2.0, phase: float = 0.0) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    f = 440 * 2 ** ((key - 69) / 12)
    parts = sum(np.sin(2 * np.pi * f * h * t + phase * h) / h for h in range(1, 9) if f * h < RATE / 2)
    return 0.3 * parts * np.exp(-2 * t)


def small_bank() -> piano_bank.Bank:
    recordings = []
    for low in range(21, 109, 8):
        for layer, gain in enumerate((0.5, 1.0)):
            audio = np.round(tone(low + 4) * gain * 32767).astype(np.int16)
            recordings.append(piano_bank.Recording(layer, low, low + 7, low + 4, audio))
    return piano_bank.Bank(RATE, [100, 127], recordings)


def small_score(name: str = "Nobody__O1__one0", shift: int = 0) -> piano_score.Score:
    rows = []
    for bar in range(8):
        for step in range(8):
            tune = 72 + (0, 2, 4, 5, 7, 5, 4, 2)[step] + shift
            rows.append((bar * 1536 + step * 192, 192, tune + bar % 3, 90, 1))
        for half in range(2):
            rows += [(bar * 1536 + half * 768, 768, p + shift, 90, 2) for p in (48, 52, 55)]
    notes = piano_score.one_part(np.array(rows, np.int32))
    score = piano_score.Score(name, piano_score.work_of(name), "Nobody", "One", name, "Public Domain", 384, notes,
                              np.array([[0, 120.0]]), np.array([[0, 4, 4]], np.int32), np.zeros((0, 2), np.int32))
    score.seconds = piano_score.written_seconds(score)
    return score


def midi_bytes(notes: list[tuple[int, int, int, int, int]], program: int = 0) -> bytes:
    """notes of (channel, start, length, pitch, velocity)"""
    events = [(0, bytes([0xC0, program]))]
    for channel, start, length, pitch, velocity in notes:
        events.append((start, bytes([0x90 | channel, pitch, velocity])))
        events.append((start + length, bytes([0x80 | channel, pitch, 0])))
    events.sort(key=lambda e: (e[0], e[1][0] & 0xF0))
    track, now = b"\x00\xff\x51\x03" + (500000).to_bytes(3, "big") + b"\x00\xff\x58\x04\x03\x02\x18\x08", 0
    for tick, message in events:
        delta = tick - now
        now = tick
        coded = [delta & 0x7F]
        while delta := delta >> 7:
            coded.insert(0, delta & 0x7F | 0x80)
        track += bytes(coded) + message
    track += b"\x00\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 384) + b"MTrk" + struct.pack(">I", len(track)) + track


def read_wav(path: Path) -> tuple[np.ndarray, tuple[int, int, int]]:
    with wave.open(str(path)) as file:
        about = file.getframerate(), file.getnchannels(), file.getsampwidth()
        return np.frombuffer(file.readframes(file.getnframes()), "<i2"), about


def run(*words: object) -> tuple[int, str]:
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = piano.main([str(w) for w in words])
    return code, said.getvalue()


class Scores(unittest.TestCase):
    @unittest.skipUnless(HAS_MIDO, "needs mido")
    def test_midi_becomes_one_part(self):
        notes = [(0, 1536 + 384 * i, 384, 60 + i % 7, 90) for i in range(60)]
        notes += [(1, 1536, 768, 60, 70), (9, 0, 100, 38, 100)]  # the same key again; a drum
        score = piano_score.parse("A__B__c0", midi_bytes(notes))
        self.assertEqual(len(score.notes), 60)
        self.assertEqual(score.notes[0].tolist()[:3], [384, 768, 60], "a bar of rest is left out; the longer note stays")
        self.assertEqual((score.group, score.metres[0, 1], score.tempos[0, 1]), ("A__B", 3, 120.0))
        self.assertAlmostEqual(score.seconds, 61 * 0.5, delta=0.6)

    @unittest.skipUnless(HAS_MIDO, "needs mido")
    def test_what_is_no_piece_says_why(self):
        many = [(0, 384 * i, 384, 60 + i % 7, 90) for i in range(60)]
        for data, why in ((b"", "unreadable"), (b"MThd nonsense", "unreadable"), (midi_bytes(many[:5]), "too short"),
                          (midi_bytes(many, program=40), "not for a keyboard"), (midi_bytes([]), "no notes"),
                          (midi_bytes([(0, 384 * i, 384, 40 + k, 90) for i in range(60) for k in range(0, 40, 3)]),
                           "two hands")):
            with self.assertRaisesRegex(piano_score.NotAPiece, why):
                piano_score.parse("x", data)

    def test_copies_go_and_kin_stay_together(self):
        one, copy, other = small_score(), small_score("Nobody__O2__copy0"), small_score("Nobody__O3__else0", shift=5)
        kept, left_out = piano_score.without_copies([one, copy, other])
        self.assertEqual([s.name for s in kept], [one.name, other.name])
        self.assertEqual(left_out[0][0], copy.name)

    def test_the_split_is_by_work_and_stable(self):
        names = [f"Composer{i}__O{i}__movement{k}0" for i in range(300) for k in range(2)]
        scores = [small_score(n) for n in names[:2]]
        self.assertEqual(piano.held_out(scores[0], 0.5), piano.held_out(scores[1], 0.5))
        groups = {piano_score.work_of(n) for n in names}
        for s in scores:
            s.group = "x"
        held = []
        for g in groups:
            scores[0].group = g
            held.append(piano.held_out(scores[0], 0.1))
            self.assertLessEqual(piano.held_out(scores[0], 0.05), held[-1], "a larger part holds out the smaller")
        self.assertTrue(0.05 < np.mean(held) < 0.16)


class Playing(unittest.TestCase):
    def test_a_take_is_always_the_same_and_takes_differ(self):
        score = small_score()
        a, b, c = (piano_play.perform(score, 1, take) for take in (1, 1, 2))
        for name in ("start", "end", "key", "velocity", "pedal"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        self.assertFalse(np.array_equal(a.velocity, c.velocity))
        self.assertNotEqual(a.key[0], c.key[0], "takes are in different keys")

    def test_a_performance_is_musical(self):
        score = small_score()
        start, length = score.notes[:, 0] / 384, score.notes[:, 1] / 384
        melody, bass = piano_reading.voices(start, length, score.notes[:, 2].astype(int), 1.0)
        bars = piano_reading.bar_lines(score)
        self.assertEqual(len(bars), 8)
        stress = piano_reading.stresses(bars, start)
        louder = []
        for take in range(1, 8):
            p = piano_play.perform(score, 1, take)
            self.assertTrue((p.velocity >= 1).all() and (p.velocity <= 127).all())
            self.assertTrue((p.end > p.start).all() and p.start.min() >= 0)
            self.assertTrue((p.key >= 21).all() and (p.key <= 108).all())
            self.assertTrue((np.abs(p.key - score.notes[:, 2]) <= 3).all())
            together = start % 2 == 0  # tune and chord
            louder.append((p.velocity[together & (melody > 0.4)].mean() - p.velocity[together & (melody == 0)].mean(),
                           p.velocity[stress == 1].std()))
            if len(p.pedal):
                self.assertTrue((p.pedal[:, 1] > p.pedal[:, 0]).all() and (np.diff(p.pedal[:, 0]) > 0).all())
        self.assertGreater(np.mean([x[0] for x in louder]), 4, "the melody stands out")
        self.assertGreater(np.mean([x[1] for x in louder]), 3, "loudness moves")

    def test_an_upbeat_is_found(self):
        score = small_score()
        score.notes = score.notes.copy()
        score.notes[:, 0] += 384  # a quarter before the first full bar
        score.notes = np.concatenate([np.array([[0, 384, 79, 90, 1]], np.int32), score.notes])
        self.assertAlmostEqual(piano_reading.bar_lines(score)[1, 0], 1.0)

    def test_signs_at_one_voice_speak_for_all(self):
        score = small_score()
        score.notes[score.notes[:, 4] == 1, 3] = 62
        level, _, _ = piano_reading.dynamics(score, score.notes[:, 0] / 384, piano_reading.bar_lines(score), 90)
        self.assertEqual(set(level), {62.0})


class Sound(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bank = small_bank()
        cls.instrument = piano_bank.Instrument(cls.bank, RATE)

    def test_keys_are_in_tune(self):
        for key in (33, 60, 61, 76, 90):
            sound = self.instrument.sounds[0, key][0][:RATE]
            spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 18))
            f = 440 * 2 ** ((key - 69) / 12)
            around = np.arange(int(f * 0.9 * (1 << 18) / RATE), int(f * 1.1 * (1 << 18) / RATE))
            found = around[np.argmax(spectrum[around])] * RATE / (1 << 18)
            self.assertLess(abs(1200 * np.log2(found / f)), 3, f"key {key}")

    def test_loudness_rises_smoothly_with_velocity(self):
        def level(velocity):
            p = piano_sampler.Performance(np.array([0.0]), np.array([1.0]), np.array([60]), np.array([velocity]),
                                          np.zeros((0, 2)))
            return 10 * np.log10(np.mean(piano_sampler.play(self.instrument, p)[:8000].astype(float) ** 2))
        levels = [level(float(v)) for v in range(10, 128, 3)]
        self.assertTrue((np.diff(levels) > 0).all())
        self.assertLess(np.diff(levels)[4:].max(), 3, "no step between layers")

    def test_damper_pedal_and_the_same_key_again(self):
        start, end = np.array([0.0, 0.5]), np.array([0.2, 0.6])
        def tail(pedal, key=60):
            p = piano_sampler.Performance(start[:1], end[:1], np.array([key]), np.array([90.0]), np.array(pedal, float).reshape(-1, 2))
            sound = piano_sampler.play(self.instrument, p).astype(float)
            return np.abs(sound[int(0.7 * RATE):int(0.8 * RATE)]).max()
        self.assertLess(tail([]), 1e-6)
        self.assertGreater(tail([(0.1, 1.0)]), 1e-3)
        self.assertGreater(tail([], key=100), 1e-5, "the highest strings have no dampers")
        p = piano_sampler.Performance(start, end, np.array([60, 60]), np.array([90.0, 90.0]), np.array([[0.0, 2.0]]))
        until, again = piano_sampler.sounding_until(p)
        self.assertEqual((until.tolist(), again.tolist()), ([0.5, 2.0], [True, False]))
        self.assertLess(np.abs(np.diff(piano_sampler.play(self.instrument, p), 2)).max(), 0.1, "no click")

    def test_the_limiter_never_passes_its_ceiling(self):
        chance = np.random.default_rng(3)
        sound = (chance.standard_normal(40000) * np.repeat(chance.uniform(0, 1.5, 40), 1000)).astype(np.float32)
        quiet, _ = piano_sampler.limited(sound * np.float32(0.1), RATE)
        np.testing.assert_array_equal(quiet, sound * np.float32(0.1))
        loud, count = piano_sampler.limited(sound, RATE)
        self.assertLessEqual(np.abs(loud).max(), piano_sampler.CEILING + 1e-6)
        self.assertGreater(count, 0)

    def test_two_sides_that_cancel_are_not_added(self):
        left = tone(60).astype(np.float32)
        mono = piano_bank.to_mono([[left, -0.5 * left], [left, 0.9 * left]])
        np.testing.assert_array_equal(mono[0], left)
        np.testing.assert_array_equal(mono[1], left)


class Whole(unittest.TestCase):
    def test_pack_to_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            pack, out = Path(folder) / "piano.npz", Path(folder) / "out"
            names = [f"Nobody__O{i}__piece0" for i in range(4)]
            scores = [small_score(n, shift=i) for i, n in enumerate(names)]
            piano_pack.write_pack(pack, scores, small_bank(), [("bad", "unreadable")])
            read, bank, left_out = piano_pack.read_pack(pack)
            self.assertEqual([s.name for s in read], names)
            np.testing.assert_array_equal(read[2].notes, scores[2].notes)
            np.testing.assert_array_equal(bank.recordings[5].audio, small_bank().recordings[5].audio)
            self.assertEqual(left_out, [("bad", "unreadable")])

            words = ("--pack", pack, "--takes", 2, "--held-out", 0.4, "--jobs", 2)
            self.assertEqual(run(*words, "-o", out), (0, ""))
            about = json.loads((out / "dataset.json").read_text())
            files = sorted(p.relative_to(out).as_posix() for p in out.rglob("*.wav"))
            held = [s.name for s in read if piano.held_out(s, 0.4)]
            self.assertEqual(len(files), 2 * (4 - len(held)) + len(held))
            self.assertEqual(len(files), about["sides"]["train"]["files"] + about["sides"]["held-out"]["files"])
            self.assertFalse(list(out.rglob("*.part")))
            for name in files:
                audio, form = read_wav(out / name)
                self.assertEqual(form, (RATE, 1, 2))
                self.assertLess(np.abs(audio.astype(int)).max(), 32767 * 0.9)
                self.assertGreater(np.sqrt(np.mean(audio.astype(float) ** 2)), 100)
                self.assertEqual(audio[-1], 0, "fades out")

            code, said = run(*words, "-o", out)
            self.assertEqual(code, 1)
            self.assertIn("not an empty folder", said)
            again = Path(folder) / "again"
            run(*words, "-o", again)
            for name in files:
                self.assertEqual((out / name).read_bytes(), (again / name).read_bytes(), "the same every time")

    def test_what_is_missing_is_said(self):
        with tempfile.TemporaryDirectory() as folder:
            base = Path(folder)
            (base / "bank").mkdir()
            (base / "midi").mkdir()
            for words, part in ((("--pack", base / "none.npz"), "no pack there"),
                                (("--midi", base / "midi", "--bank", base / "bank"), "no zones.json")):
                code, said = run(*words, "-o", base / "out")
                self.assertEqual(code, 1)
                self.assertIn(part, said)
            (base / "broken.npz").write_bytes(b"nothing")
            self.assertIn("not a piano pack", run("--pack", base / "broken.npz", "-o", base / "out")[1])
            zone = {"name": "a", "sid": 7, "key": [60, 62], "pvel": [0, 127], "root": 61, "corr": 0}
            (base / "bank" / "zones.json").write_text(json.dumps([zone]))
            words = ("--midi", base / "midi", "--bank", base / "bank", "-o", base / "out")
            self.assertIn("a recording that is not there", run(*words)[1])
            piano_sampler.write_wav(base / "bank" / "7.wav", np.round(tone(61) * 9999).astype("<i2"), RATE)
            self.assertIn("no MIDI files", run(*words)[1])
            with self.assertRaisesRegex(ValueError, "no recording within"):
                piano_bank.Instrument(piano_bank.read_bank(base / "bank"), RATE)


if __name__ == "__main__":
    unittest.main()
