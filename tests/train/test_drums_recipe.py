"""The recipe of drum loops, on synthetic strokes; the judge of sound recovers its tempo."""
import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np

from train import labels
from train.judge import sound, sounds
from train.recipes import drums, drums_kit, drums_patterns, wav


def strokes(folder: Path) -> None:
    rng = np.random.default_rng(1)
    t = np.arange(6000) / 16000
    for i, name in enumerate(drums_kit.STROKES):
        noisy = any(word in name for word in ("sn", "cymbal", "splash", "tick", "snap"))
        x = rng.standard_normal(6000) if noisy else np.sin(2 * np.pi * (60 + 7 * i) * t)
        wav.write(folder / f"{name}.wav", 0.3 * x * np.exp(-t * 25))


class Drums(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.held = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.held.name)
        (cls.folder / "strokes").mkdir()
        strokes(cls.folder / "strokes")
        for name, more in (("a", ["--jobs", "1"]), ("b", ["--jobs", "2"]), ("tens", ["--tempo-step", "10"]),
                           ("steady", ["--tempo-step", "20", "--steady"])):
            code = drums.main(["--samples", str(cls.folder / "strokes"), "-o", str(cls.folder / name), "--loops", "24",
                               "--held-out", "0.25", *more])
            assert code == 0
        cls.report = json.loads((cls.folder / "a" / "dataset.json").read_text())

    @classmethod
    def tearDownClass(cls):
        cls.held.cleanup()

    def test_the_same_seed_gives_the_same_bytes(self):
        for loop in self.report["loops"]:
            self.assertEqual(*((self.folder / n / loop["file"]).read_bytes() for n in ("a", "b")))

    def test_loops_are_whole_bars_and_not_too_loud(self):
        for loop in self.report["loops"]:
            x, rate = wav.read(self.folder / "a" / loop["file"])
            self.assertAlmostEqual(len(x) / rate, loop["bars"] * 240 / loop["bpm"], places=3)
            self.assertTrue(8 <= len(x) / rate <= 16.001)
            self.assertLessEqual(np.abs(x).max(), 0.8914)
            self.assertGreater(wav.rms_db(x), -40)

    def test_unseen_kits_and_patterns_are_held_out_only(self):
        for loop in self.report["loops"]:
            if loop["file"].startswith("train/"):
                self.assertFalse(loop["kit unseen in training"] or loop["kick pattern unseen in training"])
        held = [loop for loop in self.report["loops"] if loop["file"].startswith("held-out/")]
        self.assertTrue(any(loop["kit unseen in training"] for loop in held))

    def test_the_judge_finds_the_tempo(self):
        found = 0
        for loop in self.report["loops"]:
            bpm, _ = sound.tempo(*sounds.read(self.folder / "a" / loop["file"]))
            found += sound.tempo_ratio(loop["bpm"], bpm) < 0.04
        self.assertGreaterEqual(found, 0.8 * len(self.report["loops"]))

    def test_names_hold_style_tempo_and_kit_between_hyphens(self):
        for number, loop in enumerate(self.report["loops"]):
            parts = [labels.part_of(loop["file"], part) for part in (1, 2, 3, 4)]
            self.assertEqual(parts, [loop["style"].replace("-", ""), str(loop["bpm"]), loop["kit"], f"{number:04d}"])
        self.assertEqual({loop["style"] for loop in self.report["loops"]}, set(drums_patterns.STYLES))

    def test_tempi_are_multiples_of_the_step(self):
        report = json.loads((self.folder / "tens" / "dataset.json").read_text())
        for loop in report["loops"]:
            low, high = drums_patterns.STYLES[loop["style"]].bpm
            self.assertTrue(loop["bpm"] % 10 == 0 and low <= loop["bpm"] <= high, loop["file"])
        self.assertIn("--tempo-step 10", report["command"])
        self.assertIn("--tempo-step 10", report["recipe"])
        self.assertEqual(self.report["recipe"], "train.recipes.drums 2, --tempo-step 1")

        tens = {name: list(drums_patterns.tempi(style.bpm, 10)) for name, style in drums_patterns.STYLES.items()}
        self.assertEqual((tens["house"], tens["hip-hop"], tens["half-time"]),
                         ([120, 130], [80, 90, 100], [120, 130, 140, 150, 160]))
        for style in drums_patterns.STYLES.values():
            for step in range(1, 21):
                self.assertGreaterEqual(len(drums_patterns.tempi(style.bpm, step)), 1)

    def test_a_step_of_one_chooses_as_without_it(self):
        for name, style in drums_patterns.STYLES.items():
            for seed in range(20):
                bpm = int(np.random.default_rng(seed).integers(style.bpm[0], style.bpm[1] + 1))
                self.assertEqual(drums_patterns.compose(name, False, np.random.default_rng(seed), 1).bpm, bpm)

    def test_steady_bars_are_alike(self):
        report = json.loads((self.folder / "steady" / "dataset.json").read_text())
        self.assertIn("--tempo-step 20 --steady", report["command"])
        self.assertEqual(report["recipe"], "train.recipes.drums 2, --tempo-step 20 --steady")
        self.assertNotIn("steady", self.report["command"] + self.report["recipe"])
        for seed in range(20):
            for name in drums_patterns.STYLES:
                rng = np.random.default_rng(seed)
                groove = drums_patterns.compose(name, False, rng, 20, True)
                sixteenth = 15 / groove.bpm
                hits = [(h.voice, h.seconds / sixteenth, h.velocity) for h in drums_patterns.play(groove, rng)]
                steps = [round(at) for _, at, _ in hits]
                np.testing.assert_allclose([at for _, at, _ in hits], steps, atol=1e-6)
                bars = [{(voice, step % 16, round(velocity, 6)) for (voice, _, velocity), step in zip(hits, steps)
                         if step // 16 == bar} for bar in range(groove.bars)]
                period = max(len(line) for line in groove.lines.values()) // 16
                for bar in range(groove.bars):
                    self.assertEqual(bars[bar], bars[(bar + period) % groove.bars], f"{name} {seed}")
        for loop in report["loops"]:
            self.assertEqual((loop["swing"], loop["fill every"], loop["bpm"] % 20), (0.5, None, 0), loop["file"])
            x, rate = sounds.read(self.folder / "steady" / loop["file"])
            two_bars = 2 * 240 / loop["bpm"] * rate  # strokes fall between samples, so that levels are compared
            levels = [[np.sqrt(np.mean(np.square(part))) for part in np.array_split(x[round(at):round(at + two_bars)], 32)]
                      for at in (0, two_bars)]
            if len(x) >= 2 * two_bars:
                np.testing.assert_allclose(levels[0], levels[1], rtol=0.1, atol=0.002, err_msg=loop["file"])

    def test_a_step_out_of_range_is_refused(self):
        for step in ("0", "21", "-5", "2.5"):
            said = io.StringIO()
            with contextlib.redirect_stderr(said), self.assertRaises(SystemExit) as refused:
                drums.main(["-o", str(self.folder / "refused"), "--tempo-step", step])
            self.assertEqual(refused.exception.code, 2)
            self.assertRegex(said.getvalue(), "--tempo-step is 1 to 20|--tempo-step: invalid int")
            self.assertFalse((self.folder / "refused").exists())

    def test_missing_strokes_are_named(self):
        with self.assertRaisesRegex(wav.RecipeError, "sonic-pi-samples"):
            drums_kit.read_strokes(self.folder)
        with self.assertRaisesRegex(wav.RecipeError, "apt-get install sonic-pi-samples"):
            drums_kit.read_strokes(self.folder / "nowhere")

    def test_patterns_fill_bars(self):
        for style in drums_patterns.STYLES.values():
            for lines in style.lines.values():
                for line in lines:
                    self.assertEqual(len(line) % 16, 0)
                    self.assertLessEqual(set(line), set("Xxo?."))


if __name__ == "__main__":
    unittest.main()
