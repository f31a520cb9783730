"""Which temperatures a model is useful between, judged by train.judge.temperature."""
import contextlib
import io
import os
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from train.judge import temperature  # noqa: E402

REAL = {"dBFS": -20.0, "silent": 0.0, "noise": 0.0, "drone": 0.1, "flatness": 0.01, "bits": 2.0}


class Temperature(unittest.TestCase):
    def test_faults_are_named(self):
        self.assertEqual(temperature.faults(REAL, REAL), [])
        for change, fault in (({"silent": 1.0}, "silent"), ({"noise": 0.5}, "noise"), ({"drone": 0.9}, "drone"),
                              ({"dBFS": -31.0}, "soft"), ({"dBFS": -10.0}, "loud"), ({"bits": 0.5}, "too sure"),
                              ({"bits": 3.5}, "too random")):
            self.assertEqual(temperature.faults({**REAL, **change}, REAL), [fault])
        droning = {**REAL, "drone": 0.8}  # as the clips do themselves
        self.assertEqual(temperature.faults(droning, droning), [])

    def test_the_range_is_the_run_about_the_models_own(self):
        bad = ["noise"]
        rows = {0.5: [], 0.6: [], 0.7: bad, 0.8: [], 0.9: [], 1.0: [], 1.2: bad}
        self.assertEqual(temperature.useful(rows, 0.98), (0.8, 1.0))
        self.assertEqual(temperature.useful(rows, 0.55), (0.5, 0.6))
        self.assertEqual(temperature.useful(rows, 5.0), (0.8, 1.0))
        self.assertIsNone(temperature.useful({0.5: [], 0.6: bad, 0.7: []}, 0.5))

    @unittest.skipUnless(os.environ.get("MAMBO"), "MAMBO names no program that draws")
    def test_a_model_of_noise_has_none(self):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = temperature.main([str(ROOT / "tests/golden/rand-unet-p4.safetensors"), "--clips",
                                     str(ROOT / "assets/seeds/digit-seven.wav"), "--seconds", "1", "--temperatures", "0.5", "1"])
        self.assertEqual(code, 1, said.getvalue())
        self.assertIn("no two temperatures", said.getvalue())
        self.assertEqual(sum(line.endswith("noise") for line in said.getvalue().splitlines()), 2, said.getvalue())


if __name__ == "__main__":
    unittest.main()
