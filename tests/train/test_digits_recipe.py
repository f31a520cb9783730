"""The recipe of spoken digits: placing, levels, speakers kept apart; the real synthesisers where installed."""
import json
import tempfile
import unittest
from collections import Counter
from pathlib import Path

import numpy as np

from train.recipes import digits, digits_placing, digits_voices, wav

TOOLS = digits_voices.missing_tools()


def hum(requests, jobs):
    """In place of a synthesiser: a buzz of the requested length, with silence around it."""
    for r in requests:
        t = np.arange(int(16000 * 0.5 * r.stretch)) / 16000
        x = 0.3 * np.sign(np.sin(2 * np.pi * 120 * r.pitch * t))
        wav.write(r.path, np.concatenate([np.zeros(3000), x, np.zeros(2000)]))


class Placing(unittest.TestCase):
    def test_resampling_keeps_a_tone(self):
        x = np.sin(2 * np.pi * 1000 * np.arange(32000) / 32000)
        y = digits_placing.resample(x, np.full(16000, 2.0))[100:-100]
        want = np.sin(2 * np.pi * 1000 * (np.arange(len(y)) + 100) / 16000)
        self.assertLess(np.abs(y - want).max(), 0.01)

    def test_trim_takes_silence_away(self):
        x = np.concatenate([np.zeros(4000), 0.5 * np.sin(np.arange(5000) / 5), np.zeros(6000)])
        self.assertAlmostEqual(len(digits_placing.trim(x)), 5000, delta=700)
        self.assertEqual(len(digits_placing.trim(np.zeros(16000))), 0)

    def test_levels_and_place(self):
        word = np.sin(np.arange(7000) * 0.3) * 0.2
        starts, levels = [], []
        for seed in range(30):
            rng = np.random.default_rng(seed)
            clip, start = digits_placing.place(word, digits_placing.random_colour(rng), rng)
            self.assertEqual(len(clip), 16000)
            self.assertLessEqual(np.abs(clip).max(), 0.98)
            starts.append(start)
            levels.append(wav.rms_db(clip[start:start + 7000]))
        self.assertGreater(np.ptp(starts), 5000)
        self.assertTrue(all(-27 < level < -15 for level in levels), levels)

    def test_a_word_too_long_is_refused(self):
        rng = np.random.default_rng(1)
        with self.assertRaises(ValueError):
            digits_placing.place(np.ones(15900), digits_placing.random_colour(rng), rng)


class Recipe(unittest.TestCase):
    def test_speakers_are_kept_apart_and_long_words_made_faster(self):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "set"
            wav.new_folder(out)
            speakers = digits_voices.cast(12, 0.2, np.random.default_rng(1), list(digits_voices.VOICES[:2]))
            planned = digits.plan(speakers, 240, 1, out, Path(folder))
            for clip in planned[::7]:
                clip.stretch *= 2.5
            done, dropped = digits.make(planned, hum, 1)
            self.assertEqual((len(done), dropped), (240, []))
            said = Counter(clip.word for clip, _, _ in done)
            self.assertEqual(set(said.values()), {24})
            names = {part: {p.stem.split("-")[1] for p in (out / part).glob("*.wav")} for part in ("train", "held-out")}
            self.assertTrue(names["train"] and names["held-out"])
            self.assertFalse(names["train"] & names["held-out"])

    def test_clean_clips_are_silent_around_the_word(self):
        with tempfile.TemporaryDirectory() as folder:
            speakers = digits_voices.cast(6, 0, np.random.default_rng(1), list(digits_voices.VOICES[:2]))
            for clean in (False, True):
                out = Path(folder) / f"clean-{clean}"
                wav.new_folder(out)
                done, _ = digits.make(digits.plan(speakers, 60, 1, out, Path(folder), clean), hum, 1)
                still = 0  # clips whose sound takes no more time than their word
                for clip, samples, _ in done:
                    heard = np.flatnonzero(wav.read(clip.out)[0])
                    still += heard[-1] - heard[0] < samples
                self.assertEqual(still == len(done), clean)

    def test_early_words_begin_early(self):
        with tempfile.TemporaryDirectory() as folder:
            speakers = digits_voices.cast(6, 0, np.random.default_rng(1), list(digits_voices.VOICES[:2]))
            for early in (False, True):
                out = Path(folder) / f"early-{early}"
                wav.new_folder(out)
                done, _ = digits.make(digits.plan(speakers, 60, 1, out, Path(folder), True, early), hum, 1)
                begin = [np.flatnonzero(wav.read(clip.out)[0])[0] for clip, _, _ in done]
                self.assertEqual(max(begin) < digits_placing.EARLY + 200, early)
                self.assertGreater(np.ptp(begin), digits_placing.EARLY / 2)

    def test_at_most_half_is_espeak(self):
        cast = digits_voices.cast(200, 0.12, np.random.default_rng(1), list(digits_voices.VOICES))
        self.assertLessEqual(sum(s.voice.tool == "espeak-ng" for s in cast), 100)
        self.assertAlmostEqual(sum(s.held_out for s in cast) / 200, 0.12, delta=0.02)
        self.assertEqual(len({s.name for s in cast}), 200)

    def test_a_folder_in_use_is_left_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "mine.txt").write_text("mine")
            with self.assertRaisesRegex(wav.RecipeError, "not empty"):
                wav.new_folder(Path(folder))

    @unittest.skipIf(TOOLS, f"not installed: {', '.join(TOOLS)}")
    def test_real_voices(self):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "set"
            self.assertEqual(digits.main(["-o", str(out), "--clips", "40", "--takes", "2", "--clean", "--early",
                                          "--jobs", "1"]), 0)
            report = json.loads((out / "dataset.json").read_text())
            self.assertIn("--takes 2 --clean --early", report["command"])
            files = list(out.glob("*/*.wav"))
            self.assertEqual(len(files) + len(report["dropped"]), 40)
            self.assertEqual({len(wav.read(f)[0]) for f in files}, {16000})


if __name__ == "__main__":
    unittest.main()
