"""A CPU with little memory and little time, small folders, Ctrl-C in the middle; files of strangers."""
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import unittest
import unittest.mock
import zipfile

import torch

from support import ROOT, TINY, InFolder, quiet, tone, write_wave  # first: it makes train importable

from train import checkpoint, config, cpu_scan, evaluate, export, fit, memory, plain_pickle, tensors, trainer
from train.judge import digits
from train.model import Network


class Runs:
    """Unpickled by pickle, it makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


class Strangers(InFolder):
    def planted(self):
        """Files that would run code where a pickle is trusted: an archive, one beside sound values, an older format."""
        good = dict(format=checkpoint.FORMAT, judge="digits 1", config={}, ema={"x": torch.zeros(2)}, step=1, seconds=1.0,
                    samples=1, best=1.0, held_out=[1, 1.0], key="", audio=[], torch="")
        made = {}
        for name, what in (("alone", Runs(self.dir / "ran")), ("beside", good | {"state": {}, "more": Runs(self.dir / "ran")})):
            made[name] = self.dir / f"{name}.pt"
            torch.save(what, made[name])
        made["old"] = self.dir / "old.pt"
        torch.save(good | {"more": Runs(self.dir / "ran")}, made["old"], _use_new_zipfile_serialization=False)
        made["pickle"] = self.dir / "pickle.pt"
        made["pickle"].write_bytes(pickle.dumps(Runs(self.dir / "ran")))
        return made

    def test_no_code_of_a_file_runs(self):
        for name, file in self.planted().items():
            with self.subTest(name):
                with self.assertRaises(config.UserError) as said:
                    checkpoint.load(file)
                self.assertIn("expected a checkpoint of train.fit, tensors and plain values, found", str(said.exception))
                with self.assertRaisesRegex(digits.JudgeError, "expected a judge of digits"):
                    digits.load(file, "cpu")
                code, said = quiet(export.main, [str(file), "-o", str(self.dir / "m.safetensors")])
                self.assertEqual((code, len(said.strip().splitlines())), (2, 1), said)
                self.assertFalse((self.dir / "ran").exists())
        self.tones(3)
        (self.dir / "run").mkdir()
        self.planted()["beside"].rename(self.dir / "run" / "last.pt")
        for more, run in (([], "run"), (["--init", str(self.dir / "alone.pt")], "other")):
            code, said = self.fit("--set", "train.steps=1", *more, run=run)
            self.assertEqual(code, 2, said)
            self.assertIn("mkdir", said)
        self.assertFalse((self.dir / "ran").exists())
        torch.load(self.dir / "alone.pt", **({} if torch.__version__.startswith("1.") else {"weights_only": False}))
        self.assertTrue((self.dir / "ran").exists(), "the planted file was harmless")

    def archive(self, pickled, data=b"\0" * 8, method=zipfile.ZIP_STORED):
        with zipfile.ZipFile(self.dir / "a.pt", "w", method) as z:
            z.writestr("a/data.pkl", pickled)
            z.writestr("a/data/0", data)
        return self.dir / "a.pt"

    def test_what_is_out_of_proportion_is_refused(self):
        storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK%ctQ"
        tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\0%s%s\x89NtR."
        size, stride = b"K\x02\x85", b"K\x01\x85"
        good = b"\x80\x02" + tensor % (2, size, stride)
        self.assertEqual(plain_pickle.read(self.archive(good)).tolist(), [0, 0])
        huge = b"J\xff\xff\xff\x7f\x85"
        for why, pickled, expected in (
                ("a tensor of 2^31 numbers", b"\x80\x02" + tensor % (2, huge, b"K\0\x85"), "larger than its data"),
                ("strides that lead out", b"\x80\x02" + tensor % (2, size, huge), "damaged"),
                ("a length that is not so", b"\x80\x02" + tensor % (200, size, stride), "another length"),
                ("an index of 2^31", b"\x80\x02]r\xff\xff\xff\x7fK\x01.", None),
                ("attributes of a function", b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.", "attributes"),
                ("an object", b"\x80\x02ccollections\nOrderedDict\n)\x81.", "damaged"),
                ("its end", good[:-9], "damaged"), ("nothing", b"", "damaged"),
                ("another class of it", b"\x80\x02ccollections\nCounter\n.", "collections.Counter")):
            with self.subTest(why):
                if expected is None:
                    self.assertEqual(plain_pickle.read(self.archive(pickled)), 1)
                    continue
                with self.assertRaisesRegex(plain_pickle.Unplain, expected):
                    plain_pickle.read(self.archive(pickled))
        with self.assertRaisesRegex(plain_pickle.Unplain, "compressed"):
            plain_pickle.read(self.archive(good, b"\0" * 10**6, zipfile.ZIP_DEFLATED))
        with self.assertRaisesRegex(plain_pickle.Unplain, "more values"):
            plain_pickle.read(self.archive(b"\x80\x02" + b"N0" * plain_pickle.MOST_PICKLE))

    def test_models_are_held_to_their_size(self):
        """A header of two hundred bytes asks for a network of terabytes, or for its data a thousand times."""
        for c in (config.load("configs/piano.json").model, config.load("configs/digits-s4d.json").model):
            count = sum(p.numel() for p in Network(c).parameters())
            self.assertTrue(0.8 * count < c.least_parameters() <= count)
        native = config.ModelConfig(d_model=1 << 20, pool=[8], layers=[10**6, 1])
        native.check("")
        tensors.write(self.dir / "m.safetensors", {"x": torch.zeros(2)}, {"mambo.config": json.dumps(native.native())})
        code, said = quiet(evaluate.main, [str(self.dir / "m.safetensors"), "--audio", "x", "--cache", "c"])
        self.assertEqual((code, "weights or more for its configuration, found 2" in said), (2, True), said)
        body = b"\0" * 4096
        for header in ({f"t{i}": {"dtype": "F32", "shape": [1024], "data_offsets": [0, 4096]} for i in range(9)}, [], 3,
                       {"t": {"dtype": "F32", "shape": [1024], "data_offsets": [-4096, 4096]}},
                       {"t": {"dtype": "F32", "shape": [1024], "data_offsets": ["0", None]}}, {"t": 5}):
            text = json.dumps(header).encode()
            (self.dir / "m.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + body)
            with self.assertRaisesRegex(ValueError, "expected a safetensors file"):
                tensors.read(self.dir / "m.safetensors")
        text = b'{"__metadata__": null}'
        (self.dir / "m.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
        code, said = quiet(evaluate.main, [str(self.dir / "m.safetensors"), "--audio", "x", "--cache", "c"])
        self.assertEqual((code, "without its mambo.config" in said), (2, True), said)

    def test_sound_values_come_back(self):
        held = dict(a=torch.arange(6).reshape(2, 3).t(), b=[1, -5, 2**40, 0.5, float("inf"), None, True, "µ", (1, 2)],
                    c=torch.nn.Linear(2, 3).state_dict(), d=torch.zeros(0), e=torch.ones(3, dtype=torch.bfloat16))
        torch.save(held, self.dir / "a.pt")
        got = plain_pickle.read(self.dir / "a.pt")
        self.assertEqual(got["b"], held["b"])
        for mine, theirs in ((got["a"], held["a"]), (got["d"], held["d"]), (got["e"], held["e"]),
                             *((got["c"][k], held["c"][k]) for k in held["c"])):
            self.assertTrue(torch.equal(mine, theirs))


class Memory(InFolder):
    PIANO = "configs/piano.json"

    def test_an_update_is_divided_until_it_fits(self):
        for there, rows, crop in ((1e12, 2, 16384), (6e9, 2, 16384), (2e9, 1, 16384), (0.6e9, 1, 5696)):
            c = config.load(self.PIANO)
            said = memory.fit(c, 1, there)
            self.assertEqual((c.train.batch // c.train.accumulate, c.train.crop), (rows, crop), said)
            self.assertEqual("learns the same" in said, crop == 16384)
            c.train.check("", c.model)
            now = memory.fixed(c.model) + rows * crop * memory.per_sample(c.model)
            self.assertLess(now, there)
        small = config.load(self.PIANO)
        small.train.batch, small.train.crop = 2, 1024
        self.assertEqual(memory.fit(small, 1, 6e9), "")
        two = config.load(self.PIANO)
        memory.fit(two, 2, 6e9)
        self.assertEqual(two.train.batch % (2 * two.train.accumulate), 0)
        with self.assertRaisesRegex(config.UserError, "too little memory: expected about 148 MB for this model, found 100 MB"):
            memory.fit(config.load(self.PIANO), 1, 0.1e9)

    def test_a_run_says_it_and_goes_on_with_the_same(self):
        self.tones()
        each = memory.per_sample(config.ModelConfig(d_model=8, layers=[1, 1], pool=[4], d_state=4))
        with unittest.mock.patch.object(memory, "free", lambda: (33e6 + 600 * each) / memory.SHARE + 2e6):
            code, said = self.fit("--set", "train.steps=2")
        self.assertEqual(code, 0, said)
        self.assertRegex(said, r"an update of 4 crops of 256 samples takes about .* MB are free: the network takes [12] at once")
        first = checkpoint.load(self.dir / "run" / "last.pt")
        self.assertGreater(first["config"]["train"]["accumulate"], 1)
        code, said = self.fit("--set", "train.steps=3")
        self.assertEqual(code, 0, said)
        self.assertNotIn("at once", said)
        self.assertEqual(checkpoint.load(self.dir / "run" / "last.pt")["config"]["train"]["accumulate"],
                         first["config"]["train"]["accumulate"])

    def test_the_estimate_is_near(self):
        program = ("import resource, sys, torch\nsys.path.insert(0, sys.argv[1])\nfrom train import config, machines, memory, trainer\n"
                   "torch.set_num_threads(1)\n"
                   "c = config.Config(config.ModelConfig(d_model=32, layers=[2, 1], pool=[8]), config.TrainConfig(crop=256))\n"
                   "c.model.check('')\nt = trainer.Trainer(c, machines.Machines('cpu'), True)\n"
                   "def peak(length):\n"
                   "    t.update([(torch.zeros(1, length + 1, dtype=torch.uint8),)], 0.5)\n"
                   "    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
                   "peak(256)\nbefore = peak(1024)\n"
                   "print((peak(1024 + 8192) - before) / 8192 / memory.per_sample(c.model))\n")
        said = subprocess.run([sys.executable, "-c", program, str(ROOT)], capture_output=True, text=True, check=True).stdout
        self.assertTrue(0.5 < float(said) < 1.3, said)


class Time(InFolder):
    def test_warm_up_is_a_part_of_the_run(self):
        t = config.TrainConfig(lr=1.0, warmup=500, lr_end=1.0)
        self.assertAlmostEqual(trainer.learning_rate(t, 0, 0.0), 1 / 500)
        self.assertAlmostEqual(trainer.learning_rate(t, 3, 0.05), 0.5)  # four updates in a twentieth of the time
        self.assertAlmostEqual(trainer.learning_rate(t, 7, 0.1), 1.0)
        self.assertAlmostEqual(trainer.learning_rate(t, 249, 0.001), 0.5)  # a long run: by updates

    def test_ctrl_c_is_heard_within_an_update(self):
        """It leaves the weights of the update before, and the run goes on from there to the same end."""
        self.tones()
        self.assertEqual(self.fit("--set", "train.steps=4", "--set", "train.held_out=0", run="whole")[0], 0)
        original, count, waited = cpu_scan.Scan.forward, 0, False

        def interrupted(*args):
            nonlocal count, waited
            count += 1
            if count == 8:  # three scans per update: in the middle of the third
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(1000):  # a long pass
                    time.sleep(0.005)
                waited = True
            return original(*args)

        with unittest.mock.patch.object(cpu_scan.Scan, "forward", staticmethod(interrupted)):
            code, said = self.fit("--set", "train.steps=4", "--set", "train.held_out=0", run="parts")
        self.assertFalse(waited, "it went on to the end of the pass")
        self.assertEqual(code, 130, said)
        self.assertIn("stopped after update 2", said)
        self.assertEqual(checkpoint.load(self.dir / "parts" / "last.pt")["step"], 2)
        self.assertEqual(self.fit("--set", "train.steps=4", "--set", "train.held_out=0", run="parts")[0], 0)
        a, b = (checkpoint.load(self.dir / run / "last.pt") for run in ("whole", "parts"))
        self.assertEqual([k for k in a["ema"] if not torch.equal(a["ema"][k], b["ema"][k])], [])

    def looks(self, run="run"):
        lines = [json.loads(line) for line in (self.dir / run / "metrics.jsonl").read_text().splitlines()]
        return [line["step"] for line in lines if "held_out_bits" in line]

    def test_a_curve_of_a_short_run(self):
        self.tones(3)
        self.assertEqual(self.fit("--set", "train.steps=20")[0], 0)
        self.assertEqual(self.looks(), list(range(2, 21, 2)))
        quiet(export.main, [str(self.dir / "run"), "-o", str(self.dir / "m.safetensors")])
        self.assertEqual(self.fit("--set", "train.steps=10", "--init", str(self.dir / "m.safetensors"), run="more")[0], 0)
        self.assertEqual(self.looks("more")[:2], [0, 1], "what there was before is the start of the curve")

    def test_too_few_updates_are_told(self):
        self.tones()
        words = [x for x in TINY if x != "--quiet"]
        with unittest.mock.patch.multiple(fit, FEW=10**9, SMALL=1):
            code, said = quiet(fit.main, ["--audio", str(self.dir / "audio"), "--config", "configs/piano.json", "-o",
                                          str(self.dir / "run"), "--minutes", "0.01", *words])
        self.assertEqual(code, 0, said)
        self.assertEqual(said.count("--config configs/piano-cpu.json"), 1, said)

    def test_one_recording_is_held_out_in_part(self):
        write_wave(self.dir / "audio" / "one.wav", tone(1.0, 250))
        code, said = self.fit("--set", "train.steps=10", "--set", "train.held_out=0.05")
        self.assertEqual(code, 0, said)
        self.assertIn("too few files to hold one out: the end of one.wav, 5 % of it, is", said)
        self.assertEqual(len(self.looks()), 10)

    def test_short_files_are_judged_by_shorter_crops(self):
        self.tones(4, 0.2)
        code, said = self.fit("--set", "train.steps=2", "--set", "train.crop=8192", "--set", "train.after_end=next")
        self.assertEqual(code, 0, said)
        self.assertEqual(self.looks(), [1, 2])


class Configs(unittest.TestCase):
    def test_the_cpu_config_is_the_shipped_piano(self):
        small, large = config.load("configs/piano-cpu.json"), config.load("configs/piano.json")
        self.assertEqual(small.model, large.model)
        self.assertEqual(memory.fit(small, 1, 2e9), "", "it has to fit into a small machine")


if __name__ == "__main__":
    unittest.main()
