"""What a model file says of itself, changed in place: train.about. Needs no PyTorch."""
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from train import about, config  # noqa: E402

MODEL = ROOT / "tests" / "golden" / "rand-unet-p4.safetensors"


def parts(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + length]), data[8 + length:]


class About(unittest.TestCase):
    def setUp(self):
        self.dir = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.dir)
        self.file = self.dir / "m.safetensors"
        shutil.copy(MODEL, self.file)

    def run_it(self, *words):
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            code = about.main([str(w) for w in words])
        return code, said.getvalue()

    def test_tensors_stay_byte_for_byte(self):
        before, tensors = parts(self.file)
        code, said = self.run_it(self.file, "--ranges", '{"temperature": [0.7, 1.05]}', "--defaults",
                                 '{"floor": 1e-5, "min_p": 0.1, "gate": 3}', "--about", "licence=CC0")
        self.assertEqual(code, 0, said)
        after, still = parts(self.file)
        self.assertEqual(still, tensors)
        self.assertEqual(len(self.file.read_bytes()) % 8, len(MODEL.read_bytes()) % 8)
        old = json.loads(before.pop("__metadata__")["mambo.config"])
        new = json.loads(after.pop("__metadata__")["mambo.config"])
        self.assertEqual(after, before)
        said_of_it = new.pop("about")
        self.assertEqual(said_of_it["ranges"], {"temperature": [0.7, 1.05]})
        self.assertEqual(said_of_it["defaults"], {"floor": 1e-5, "min_p": 0.1, "gate": 3})
        self.assertEqual(said_of_it["licence"], "CC0")
        old.pop("about", None)
        self.assertEqual(new, old)
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["m.safetensors"])

    def test_what_is_not_said_stays(self):
        self.run_it(self.file, "--ranges", '{"temperature": [0.7, 1.05]}')
        other = self.dir / "other.safetensors"
        code, said = self.run_it(self.file, "-o", other, "--about", "steps=5")
        self.assertEqual(code, 0, said)
        now = json.loads(parts(other)[0]["__metadata__"]["mambo.config"])["about"]
        self.assertEqual((now["ranges"], now["steps"]), ({"temperature": [0.7, 1.05]}, 5))
        self.assertNotIn("steps", json.loads(parts(self.file)[0]["__metadata__"]["mambo.config"])["about"])

    def test_what_the_app_would_refuse_is_refused(self):
        before = self.file.read_bytes()
        for words, why in ((["--ranges", "5"], "expected an object, found 5"),
                           (["--ranges", '{"temperature": 1}'], "expected its ends, two numbers"),
                           (["--ranges", '{"temperature": [1, 0.5]}'], "expected the lower end first"),
                           (["--ranges", '{"temperature": [1, 11]}'], "temperature[1]: expected a number from 0 to 10"),
                           (["--ranges", '{"top_p": [0, 1]}'], "unknown key top_p"),
                           (["--ranges", "{"], "found an error"),
                           (["--defaults", '{"floor": 0}'], "floor: expected a number from 1e-07 to 1"),
                           (["--defaults", '{"gate": true}'], "gate: expected a number from 0 to 8"),
                           (["--about", "licence"], "expected KEY=VALUE"), ([], "expected --defaults, --ranges or --about")):
            code, said = self.run_it(self.file, *words)
            self.assertEqual((code, len(said.strip().splitlines())), (2, 1), said)
            self.assertIn(why, said)
        self.assertEqual(self.file.read_bytes(), before)
        for text in (b"", b"x" * 100, struct.pack("<Q", 1 << 60) + b"{}", struct.pack("<Q", 2) + b"{}"):
            bad = self.dir / "bad"
            bad.write_bytes(text)
            code, said = self.run_it(bad, "--about", "a=1")
            self.assertEqual(code, 2, said)
            self.assertIn("expected a native model file", said)
        self.assertEqual(self.run_it(self.dir / "none", "--about", "a=1")[0], 2)

    def test_a_training_configuration_may_say_it(self):
        ranges = {"temperature": [0.7, 1.05]}
        self.assertEqual(config.parse({"ranges": ranges}, "c.json").ranges, ranges)
        with self.assertRaisesRegex(config.UserError, "c.json: ranges: temperature: expected its ends"):
            config.parse({"ranges": {"temperature": [1]}}, "c.json")

    @unittest.skipUnless(os.environ.get("MAMBO"), "MAMBO names no program that reads it")
    def test_the_program_reads_it(self):
        self.run_it(self.file, "--ranges", '{"temperature": [0.7, 1.05]}', "--defaults", '{"floor": 1e-5}')
        done = subprocess.run([os.environ["MAMBO"], "info", "-m", str(self.file), "--json"], capture_output=True, check=True)
        told = json.loads(done.stdout)
        self.assertEqual((told["ranges"], told["sampling"]["floor"]), ({"temperature": [0.7, 1.05]}, 1e-5))


if __name__ == "__main__":
    unittest.main()
