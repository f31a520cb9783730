"""The judges: distances with known answers, and sounds that must be distinguished."""
import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np

from train.judge import numbers, sound, sounds
from train.recipes import wav

try:
    import torch
    from train.judge import digits as judge_digits
    from train.judge.digits_net import NONE, Judge, listen, mel_filters
except ImportError:
    torch = None


class Numbers(unittest.TestCase):
    def test_frechet_of_the_same_is_nothing(self):
        x = np.random.default_rng(1).standard_normal((300, 16))
        self.assertLess(numbers.frechet_distance(x, x), 1e-6)

    def test_frechet_of_gaussians(self):
        # Rows made to have exactly the mean and covariance that the closed form is for.
        rng = np.random.default_rng(2)
        x = rng.standard_normal((500, 4))
        x -= x.mean(0)
        x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
        a, b, shift = np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 5, 0]), np.array([1.0, -1, 0, 2])
        want = (shift ** 2).sum() + ((a - b) ** 2).sum()  # of diagonal covariances a^2 and b^2
        self.assertAlmostEqual(numbers.frechet_distance(x * a, x * b + shift), want, places=6)

    def test_inception_score_extremes(self):
        self.assertAlmostEqual(numbers.inception_score(np.eye(10).repeat(7, 0)), 10, places=4)
        self.assertAlmostEqual(numbers.inception_score(np.full((20, 10), 0.1)), 1, places=6)
        self.assertAlmostEqual(numbers.inception_score(np.eye(10)[[3] * 20]), 1, places=6)


class Sound(unittest.TestCase):
    def test_music_noise_and_silence(self):
        rng, t = np.random.default_rng(1), np.arange(8 * 16000) / 16000
        chord = sum(np.sin(2 * np.pi * f * t) for f in (220, 277, 330)) * 0.1 * (1 - (t * 2 % 1) * 0.9)
        fade = np.where(t < 4, 1.0, 0.0)
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder)
            wav.write(made / "music.wav", chord)
            wav.write(made / "noise.wav", np.where(t < 4, chord, 0.1 * rng.standard_normal(len(t))))
            wav.write(made / "quiet.wav", chord * fade)
            (made / "real").mkdir()
            wav.write(made / "real" / "a.wav", chord)
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                self.assertEqual(sound.main([str(made), "--reference", str(made / "real"), "--json"]), 0)
        rows = {r["file"]: (r["silent"], r["noise"]) for r in json.loads(printed.getvalue())["files"]}
        self.assertEqual(rows["music.wav"], (False, False))
        self.assertEqual(rows["noise.wav"], (False, True))
        self.assertEqual(rows["quiet.wav"], (True, False))

    def test_flatness(self):
        self.assertAlmostEqual(sound.flatness(np.random.default_rng(1).standard_normal(48000)), 0.56, delta=0.03)
        self.assertLess(sound.flatness(np.sin(np.arange(48000) * 0.1)), 0.01)

    def test_drones(self):
        """A sound that does not change for two seconds or more; at any sampling rate."""
        chance = np.random.default_rng(1)
        for rate in (16000, 44100):
            t = np.arange(8 * rate) / rate
            hum = 0.1 * sum(np.sin(2 * np.pi * 300 * k * t + k) / k for k in range(1, 12))
            hum += 1e-3 * chance.standard_normal(len(t))
            self.assertGreater(sound.drone(hum, rate), 0.9)
            self.assertEqual(sound.drone(hum * 1e-4, rate), 0, "too soft to be heard")
            self.assertEqual(sound.drone(np.zeros(len(t)), rate), 0)
            notes = hum * np.exp(-6 * (t % 0.5))  # struck twice per second
            self.assertEqual(sound.drone(notes, rate), 0)
            half = np.where(t < 4, hum, notes)
            self.assertAlmostEqual(sound.drone(half, rate), 0.5, delta=0.08)
            short = np.where(t < 1.6, hum, notes)
            self.assertEqual(sound.drone(short, rate), 0, "shorter than two seconds")
            self.assertEqual(sound.drone(hum[:rate // 10], rate), 0)

    def test_tempo_ratio_knows_octaves(self):
        self.assertAlmostEqual(sound.tempo_ratio(60, 120), 0)
        self.assertAlmostEqual(sound.tempo_ratio(100, 110), 0.1)

    def test_an_empty_folder_is_named(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(sounds.JudgeError, "no WAV files"):
            sounds.find(Path(folder))


@unittest.skipIf(torch is None, "PyTorch is not installed (python3-torch)")
class Digits(unittest.TestCase):
    def test_every_mel_filter_hears_something(self):
        self.assertTrue((mel_filters().sum(1) > 0).all())

    def test_fit_and_score(self):
        rng, t = np.random.default_rng(1), np.arange(16000) / 16000
        with tempfile.TemporaryDirectory() as folder:
            real, model = Path(folder) / "real", Path(folder) / "judge.pt"
            real.mkdir()
            for speaker in range(3):
                for i, word in enumerate(judge_digits.WORDS):  # "words": tones of different pitch
                    x = np.sin(2 * np.pi * 150 * 1.4 ** i * t) * np.exp(-((t - rng.uniform(.4, .6)) / .12) ** 2)
                    wav.write(real / f"{word}-s{speaker}-01.wav", 0.3 * x)
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                self.assertEqual(judge_digits.main(["fit", "--real", str(real), "-o", str(model), "--epochs", "3",
                                                    "--device", "cpu"]), 0)
                printed.truncate(0), printed.seek(0)
                self.assertEqual(judge_digits.main(["score", "--judge", str(model), "--real", str(real), "--generated",
                                                    str(real), "--json", "--device", "cpu", "--limit", "8"]), 0)
        table = json.loads(printed.getvalue())
        self.assertLess(table["generated"]["frechet distance"], 1e-6)
        self.assertEqual(table["generated"]["clips"], 30)
        self.assertIn("silence", table)

    def test_clicks(self):
        t = np.arange(16000) / 16000
        tone = 0.3 * np.sin(2 * np.pi * 300 * t) * (t > 0.2)
        loud = np.stack([tone, tone, tone])
        loud[1, 9000] += 0.3
        loud[2] += 0.02 * np.random.default_rng(1).standard_normal(16000)  # noise is no click
        quiet, clicked, noisy = judge_digits.click(loud.astype(np.float32))
        self.assertLess(quiet, 10)
        self.assertGreater(clicked, 20)
        self.assertLess(noisy, 10)

    def test_choice(self):
        p = np.full((8, NONE + 1), 0.01)
        for clip, (word, sure) in enumerate([(3, .9), (3, .9), (3, .9), (3, .7), (5, .9), (5, .85), (NONE, .95), (0, .5)]):
            p[clip, word] = sure
        clicks = np.array([1, 1, 1, 1, 12, 9, 1, 1.0])
        kept = judge_digits.choose(p, clicks, 0.8, 10, 2, 1)
        self.assertEqual([len(k) for k in kept], [0, 0, 0, 2, 0, 1, 0, 0, 0, 0])
        self.assertTrue(set(kept[3]) < {0, 1, 2})
        self.assertEqual(kept[5].tolist(), [5])
        self.assertEqual([k.tolist() for k in kept], [k.tolist() for k in judge_digits.choose(p, clicks, 0.8, 10, 2, 1)])

    def test_keep(self):
        with tempfile.TemporaryDirectory() as folder:
            said, judge = Path(folder) / "said", Path(folder) / "judge.pt"
            torch.manual_seed(1)
            net = Judge()
            net.out.weight.data.zero_()
            net.out.bias.data[7] = 9  # hears a seven in everything
            torch.save({"judge": "digits 1", "state": net.state_dict()}, str(judge))
            said.mkdir()
            t = np.arange(16000) / 16000
            for i in range(4):
                x = 0.3 * np.sin(2 * np.pi * 200 * (i + 1) * t)
                x[8000] += 0.5 * (i == 2)
                wav.write(said / f"{i}.wav", x)

            def keep(to, *more):
                out, err = io.StringIO(), io.StringIO()
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    code = judge_digits.main(["keep", "--judge", str(judge), "--generated", str(said), "-o",
                                              str(Path(folder) / to), "--device", "cpu", *more])
                return code, out.getvalue() + err.getvalue()

            code, told = keep("kept")
            self.assertEqual(code, 0, told)
            self.assertIn("kept 3 of 4 clips: 4 surer than 0.8, 3 of them without a click", told)
            files = sorted((Path(folder) / "kept").iterdir())
            self.assertEqual([f.name for f in files], [f"seven-own-0000{n}.wav" for n in (1, 2, 3)])
            self.assertEqual([f.read_bytes() for f in files], [(said / f"{i}.wav").read_bytes() for i in (0, 1, 3)])
            self.assertEqual(keep("kept")[0], 1)
            self.assertIn("expected a new or empty folder", keep("kept")[1])
            (Path(folder) / "file").write_text("")
            code, told = keep("file/kept")
            self.assertEqual(code, 1)
            self.assertIn("Not a directory", told)
            for wrong in (["--sure", "1"], ["--click", "0"], ["--each", "0"]):
                with self.assertRaises(SystemExit):
                    keep("none", *wrong)
            code, told = keep("none", "--sure", "0.99999")
            self.assertEqual(code, 1)
            self.assertIn("expected clips that are a digit", told)

    def test_probabilities(self):
        p, features = listen(Judge(), np.zeros((3, 16000), np.float32))
        self.assertEqual(p.shape, (3, NONE + 1))
        self.assertTrue(np.isfinite(features).all() and np.allclose(p.sum(1), 1, atol=1e-5))


if __name__ == "__main__":
    unittest.main()
