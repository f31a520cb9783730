"""The trainer on the CPU: a model that learns, resuming, export, several processes, the engine's agreement."""
import json
import math
import os
import pickletools
import re
import subprocess
import sys
import unittest
import unittest.mock
import zipfile
from types import SimpleNamespace

import numpy as np
import torch

from support import ROOT, TINY, InFolder, quiet, ranks, run_ranks, tone, write_wave  # first: it makes train importable

from train import audio, checkpoint, config, evaluate, export, fit, machines, tensors, trainer


class Fit(InFolder):
    def learn_a_tone(self, mixer):
        """Trains a tiny model on a tone; gives its run."""
        for name in ("a.wav", "b.wav"):
            write_wave(self.dir / "audio" / name, tone(1.0, 250))
        run = "run-" + mixer
        code, said = self.fit("--set", "train.steps=120", "--set", "train.lr=0.01", "--set", "train.ema=0.9",
                              "--set", f'model.mixer=["{mixer}","s6"]', run=run)
        self.assertEqual(code, 0, said)
        return self.dir / run

    def test_slow_updates_are_told_one_by_one(self):
        """Ten updates can take an hour on a CPU: a single process reports by the clock."""
        self.tones(3)
        with unittest.mock.patch.object(fit.Loop, "_line_is_due", lambda self: True):
            self.assertEqual(self.fit("--set", "train.steps=3")[0], 0)
        lines = [json.loads(line) for line in (self.dir / "run" / "metrics.jsonl").read_text().splitlines()]
        self.assertEqual([line["step"] for line in lines if "bits" in line], [1, 2, 3])

    def test_overfits_a_sine(self):
        """Far below the 8 bits of an untrained model; and the exported file records its provenance."""
        for mixer in ("s6", "s4d"):
            with self.subTest(mixer=mixer):
                run = self.learn_a_tone(mixer)
                lines = [json.loads(x) for x in (run / "metrics.jsonl").read_text().splitlines()]
                best = min(x["held_out_bits"] for x in lines if "held_out_bits" in x)
                self.assertLess(best, 3.5)
                model = self.dir / "model.safetensors"
                code, said = quiet(export.main, [str(run), "-o", str(model), "--about", "licence=CC0",
                                                 "--defaults", '{"temperature": 0.9}'])
                self.assertEqual(code, 0, said)
                weights, metadata = tensors.read(model)
                about = json.loads(metadata["mambo.config"])["about"]
                self.assertEqual((about["licence"], about["defaults"], about["updates"]), ("CC0", {"temperature": 0.9}, 120))
                self.assertAlmostEqual(about["held_out_bits"], best, 3)
                self.assertEqual(weights["center.0.in_proj.weight"].dtype, torch.float16)
                self.assertEqual(weights["center.0.A_log"].dtype, torch.float32)

    @unittest.skipUnless(os.environ.get("MAMBO"), "MAMBO names no engine to compare with")
    def test_the_engine_agrees(self):
        """`mambo eval` of the exported file gives the bits per sample that PyTorch gives."""
        clip = 0.3 * np.random.default_rng(1).standard_normal(2049) * np.linspace(0, 1, 2049)
        write_wave(self.dir / "clip.wav", clip)
        codes = audio.encode(audio.read(self.dir / "clip.wav", 16000), "mulaw8")
        for mixer in ("s6", "s4d"):
            with self.subTest(mixer=mixer):
                model = self.dir / "model.safetensors"
                code, said = quiet(export.main, [str(self.learn_a_tone(mixer)), "-o", str(model)])
                self.assertEqual(code, 0, said)
                mine = evaluate.bits(evaluate.open_network(str(model)), [codes], torch.device("cpu"), False)[0]
                told = subprocess.run([os.environ["MAMBO"], "eval", "-m", str(model), "-a", str(self.dir / "clip.wav"),
                                       "--weights", "f32", "--backend", "cpu", "--json", "--quiet"],
                                      capture_output=True, text=True)
                self.assertEqual(told.returncode, 0, told.stderr)
                self.assertAlmostEqual(json.loads(told.stdout)["bits_per_sample"], mine, delta=1e-3)

    def test_resumes_exactly(self):
        """Stopped in the middle and resumed, a run ends with the weights of one that was not, bit for bit."""
        self.tones()
        more = ["--set", "train.steps=12", "--set", "train.gain_db=3", "--set", "train.pitch_semitones=1",
                "--set", "train.input_noise=2", "--set", "train.foresight=0.3", "--set", "train.labels=[1]"]
        for i in range(3):  # a part of the name that is no one file's alone
            write_wave(self.dir / "audio" / f"{'ab'[i % 2]}-{'cd'[i // 2]}-{i}.wav", tone(0.5, 300))
            (self.dir / "audio" / f"tone{i}.wav").rename(self.dir / "audio" / f"{'ab'[i % 2]}-{'cd'[i // 2]}-t{i}.wav")
        (self.dir / "audio" / "tone3.wav").unlink()
        self.assertEqual(self.fit(*more, run="whole")[0], 0)
        count = 0
        original = trainer.Trainer.update

        def interrupted(self, *args):
            nonlocal count
            count += 1
            if count == 5:
                os.kill(os.getpid(), 2)  # Ctrl-C
            return original(self, *args)

        trainer.Trainer.update = interrupted
        try:
            code, said = self.fit(*more, run="parts")
        finally:
            trainer.Trainer.update = original
        self.assertEqual(code, 130, said)
        self.assertIn("stopped after update 4", said)  # the fifth is not finished
        self.assertEqual(checkpoint.load(self.dir / "parts" / "last.pt")["step"], 4)
        code, said = self.fit(*more, run="parts")
        self.assertIn("going on from update 4", said)
        a, b = (checkpoint.load(self.dir / r / "last.pt") for r in ("whole", "parts"))
        for part in ("model", "ema", "foresight", "labels"):
            self.assertEqual([k for k in a[part] if not torch.equal(a[part][k], b[part][k])], [])
        self.assertEqual((a["step"], a["samples"]), (b["step"], b["samples"]))
        for other, named in (("model.d_state=8", "d_state"), ("train.foresight=0", "began with train.foresight"),
                             ("train.foresight_ahead=[1,2]", "began with train.foresight_ahead [1, 4, 16, 64]"),
                             ("train.labels=[]", "began with train.labels"), ("train.labels=[2]", "its labels are others"),
                             ("train.labels=[9]", "expected 9 parts"), ("train.labels=[-1]", "found [-1]")):
            code, said = self.fit(*more, "--set", other, run="parts")
            self.assertEqual(code, 2)
            self.assertIn(named, said)

    def test_accumulation_is_one_large_batch(self):
        self.tones()
        ends = []
        for parts in (1, 2):
            t = config.TrainConfig(crop=256, batch=4, accumulate=parts, warmup=1)
            made = trainer.Trainer(config.Config(config.ModelConfig(d_model=8, pool=[4], layers=[1, 1], mixer=["s6", "s6"]), t),
                                  machines.Machines("cpu"), True)
            codes = torch.randint(0, 256, (4, 257), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
            made.update([(part,) for part in codes.split(4 // parts)], 0.5)
            ends.append(torch.cat([p.detach().flatten() for p in made.model.parameters()]))
        torch.testing.assert_close(ends[0], ends[1], rtol=0, atol=2e-5)

    @unittest.skipUnless(torch.distributed.is_available(), "this PyTorch has no distributed training")
    def test_two_processes(self):
        """As torchrun starts them: both end with the same weights, those of one process with the same batches; by
        time, too, where each has its own clock and one is slower."""
        self.tones()
        program = (
            "import os, sys, time, torch\n"
            "from train import fit, trainer\n"
            "rank = os.environ.get('RANK', 'alone')\n"
            "update, run = trainer.Trainer.update, fit.Loop.run\n"
            "def slower(self, *args):\n"
            "    time.sleep(0.02 if rank == '1' else 0)\n"
            "    return update(self, *args)\n"
            "def keep(self):\n"
            "    code = run(self)\n"
            "    torch.save(dict(step=self.trainer.step, model=self.trainer.model.state_dict()), sys.argv[1] + rank + '.pt')\n"
            "    return code\n"
            "trainer.Trainer.update, fit.Loop.run = slower, keep\n"
            "sys.exit(fit.main(sys.argv[2:]))\n")

        def start(name, more, environment):
            words = [sys.executable, "-c", program, str(self.dir / name), "--audio", str(self.dir / "audio"), "--config",
                     "configs/piano.json", "-o", str(self.dir / name), *TINY, *more]
            process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                       env={**environment, "OMP_NUM_THREADS": "1"})
            self.addCleanup(process.stdout.close)
            self.addCleanup(process.kill)
            return process

        def finish(processes):
            said = [p.communicate(timeout=100)[0] for p in processes]
            self.assertEqual([p.returncode for p in processes], [0] * len(processes), said)

        for name, more in (("steps", ["--set", "train.steps=6"]), ("minutes", ["--minutes", "0.02"])):
            finish([start(name, more, environment) for environment in ranks()])
            a, b = (torch.load(self.dir / f"{name}{rank}.pt") for rank in range(2))
            self.assertEqual(a["step"], b["step"])
            self.assertEqual([k for k in a["model"] if not torch.equal(a["model"][k], b["model"][k])], [], name)
        finish([start("one", ["--set", "train.steps=6", "--set", "train.accumulate=2"], os.environ)])
        one, two = torch.load(self.dir / "onealone.pt")["model"], torch.load(self.dir / "steps0.pt")["model"]
        for key in one:
            torch.testing.assert_close(one[key], two[key], rtol=0, atol=1e-4, msg=key)

    @unittest.skipUnless(torch.distributed.is_available(), "this PyTorch has no distributed training")
    def test_the_mean_over_processes(self):
        """What replaces DDP beside a recorded pass: every tensor becomes its mean, in place, on all processes."""
        program = ("import sys, torch\nfrom train.machines import Machines\nm = Machines('cpu')\n"
                   "t = [torch.tensor([[1., 2.], [3., 4.]]) * (m.rank + 1), torch.tensor(5.) - m.rank, torch.zeros(0)]\n"
                   "own = [x.data_ptr() for x in t]\nm.mean_of(t)\n"
                   "assert own == [x.data_ptr() for x in t]\nprint(t[0].tolist(), t[1].tolist(), t[2].tolist())\n")
        for said in run_ranks(self, program):
            self.assertEqual(said.splitlines()[-1], "[[1.5, 3.0], [4.5, 6.0]] 4.5 []")

    def test_parts_vary_and_are_misheard(self):
        """By the update's number alone; the silence before a whole file stays; noise and pitch from different random streams."""
        codes = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (6, 200), dtype=np.uint8))
        codes[:, 0] = 128
        files = torch.zeros(codes.shape, dtype=torch.int32)
        files[:, 0] = -1
        here = machines.Machines("cpu")

        def parts(step, **more):
            t = config.TrainConfig(**{**dict(crop=64, batch=6, whole=True), **more})
            loop = SimpleNamespace(config=config.Config(config.ModelConfig(), t),
                                   feeder=SimpleNamespace(next=lambda: (codes, files)), machines=here,
                                   trainer=SimpleNamespace(step=step))
            return fit.Loop._batch(loop)[0]

        self.assertEqual(len(parts(1)), 1)
        said, heard = parts(1, input_noise=4.0, pitch_semitones=2.0)
        self.assertEqual((said.shape, heard.shape), ((6, 65), (6, 65)))
        self.assertEqual(said[:, 0].tolist(), [128] * 6)
        self.assertFalse(torch.equal(said, heard))
        self.assertTrue(torch.equal(heard, parts(1, input_noise=4.0, pitch_semitones=2.0)[1]))
        here.rank = 1
        self.assertFalse(torch.equal(said, parts(1, input_noise=4.0, pitch_semitones=2.0)[0]))
        here.rank = 0
        codes = torch.full((400, 200), 128, dtype=torch.uint8)
        other = parts(2, input_noise=4.0)[1]
        self.assertFalse(torch.equal(other, parts(3, input_noise=4.0)[1]))
        noise = (other.float() - 128).std(1)
        seed = ((1 * 1000003 + 2) * 64) * 64
        pitch = torch.rand(400, 1, generator=torch.Generator().manual_seed(seed))[:, 0]
        self.assertLess(abs(float(torch.corrcoef(torch.stack([noise, pitch]))[0, 1])), 0.3)

    def test_gradients_are_clipped(self):
        c = config.ModelConfig(d_model=8, pool=[4], layers=[1, 1], mixer=["s6", "s6"])
        for clip in (0.1, 1e-3):
            made = trainer.Trainer(config.Config(c, config.TrainConfig(crop=64, batch=2, clip=clip)), machines.Machines("cpu"),
                                   True)
            _, norm = made.update([(torch.randint(0, 256, (2, 65), dtype=torch.uint8),)], 0.0)
            self.assertGreater(float(norm), 0.2)
            first = torch.cat([s["exp_avg"].flatten() for s in made.optimiser.state.values()])  # a tenth of the gradient
            self.assertAlmostEqual(float(first.norm()), 0.1 * clip, delta=1e-3 * clip)

    def test_what_a_run_says(self):
        self.tones()
        code, said = quiet(fit.main, ["--audio", str(self.dir / "audio"), "--config", "configs/piano.json", "-o",
                                      str(self.dir / "run"), "--cache", str(self.dir / "cache"), "--stop-after", "1e-6",
                                      *(x for x in TINY if x != "--quiet")])
        self.assertEqual(code, 0, said)
        self.assertIn("stopped after update 1; saved to", said)
        code, said = quiet(fit.main, ["--audio", str(self.dir / "audio"), "--config", "configs/piano.json", "-o",
                                      str(self.dir / "run"), "--cache", str(self.dir / "cache"), "--set", "train.steps=10",
                                      *(x for x in TINY if x != "--quiet")])
        self.assertRegex(said, r"update 10 +\d\.\d{4} bits per sample +[\d.]+ [kM] samples/s +0:00:0\d left")
        self.assertTrue(list((self.dir / "cache").glob("codes-*.npy")))
        self.assertFalse((self.dir / "run" / "data").exists())

    def test_best_is_of_the_same_held_out_crops(self):
        """Touched files change nothing; other crops start anew, and the best weights are kept aside."""
        self.tones(8)
        more = ["--set", "train.held_out=0.2", "--set", "train.eval_every=2"]
        self.assertEqual(self.fit(*more, "--set", "train.steps=4")[0], 0)
        run, best = self.dir / "run", checkpoint.load(self.dir / "run" / "last.pt")["best"]
        for file in (self.dir / "audio").iterdir():
            os.utime(file, (5, 5))
        code, said = self.fit(*more, "--set", "train.steps=5", "--set", "train.lr=0")
        self.assertEqual((code, "anew" in said), (0, False), said)
        self.assertLessEqual(checkpoint.load(run / "last.pt")["best"], best)
        best = checkpoint.load(run / "last.pt")["best"]
        self.assertTrue((run / "best.pt").exists())
        code, said = self.fit("--set", "train.held_out=0.6", "--set", "train.steps=6")
        self.assertEqual(code, 0, said)
        self.assertIn("bits on them start anew; best-until-5.pt is what was best", said)
        self.assertEqual(checkpoint.load(run / "best-until-5.pt")["best"], best)

    def test_machines_with_other_files_do_not_train_together(self):
        self.tones()
        args = fit.parse_arguments(["--audio", str(self.dir / "audio"), "--config", "configs/piano.json", "-o", "x", *TINY])
        c = fit.load_config(args)
        here = machines.Machines("cpu")
        same = fit.read_corpus(args, c, here, self.dir, print).fingerprint()
        here.from_first = lambda value: same
        self.assertEqual(fit.read_corpus(args, c, here, self.dir, print).fingerprint(), same)
        write_wave(self.dir / "audio" / "more.wav", tone(0.5, 300))
        with self.assertRaisesRegex(config.UserError, "expected the files of the first machine, found others"):
            fit.read_corpus(args, c, here, self.dir, print)

    def test_what_the_app_would_refuse_is_refused(self):
        self.tones()
        self.assertEqual(self.fit("--set", "train.steps=1")[0], 0)
        out = str(self.dir / "m.safetensors")
        for bad, why in (("5", "expected an object, found 5"), ('{"temperature": -3}', "temperature: expected a number from 0"),
                         ('{"temprature": 0.9}', "unknown key temprature"), ('{"top_k": 1.5}', "top_k: expected a whole number"),
                         ('{"top_p": 0}', "top_p: expected a number from 0.001"), ('{"temperature": 10.5}', "expected a number from 0 to 10"), ("{", "found an error")):
            code, said = quiet(export.main, [str(self.dir / "run"), "-o", out, "--defaults", bad])
            self.assertEqual(code, 2, said)
            self.assertIn(why, said)
        code, said = quiet(export.main, [str(self.dir / "run"), "-o", out])
        self.assertIn("no licence is written", said)
        for bad in ("model.mixer=5", "model.mixer=[[1],2]", 'train.labels=["a"]'):
            code, said = self.fit("--set", bad)
            self.assertEqual((code, len(said.strip().splitlines())), (2, 1), said)
        with self.assertRaisesRegex(config.UserError, "defaults: unknown key mood"):
            config.parse({"defaults": {"mood": "calm"}}, "c.json")
        code, said = quiet(fit.main, ["--audio", "x", "--config", "configs/piano.json", "-o", "y", "--minutes", "nan"])
        self.assertIn("--minutes: expected more than 0, found nan", said)

    def test_the_head_of_foresight_learns(self):
        t = config.TrainConfig(crop=64, batch=2, lr=0.01, warmup=0, foresight=0.3)
        made = trainer.Trainer(config.Config(config.ModelConfig(d_model=8, pool=[4], layers=[1, 1], mixer=["s6", "s6"]), t),
                               machines.Machines("cpu"), True)
        before = made.foresight.head.weight.detach().clone()
        norms = []
        for _ in range(2):
            norms.append(made.update([(torch.randint(0, 256, (2, 65), dtype=torch.uint8),)], 0.0)[1])
        self.assertFalse(torch.equal(before, made.foresight.head.weight))
        for broken, expected in (({"pool": [], "layers": [1]}, "without pool"), ({"pool": [32, 2]}, "expected 128 or more")):
            with self.assertRaisesRegex(config.UserError, expected):
                config.parse({"model": broken, "train": {"crop": 64, "foresight": 0.3}}, "c.json")
        pools = {"pool": [4], "layers": [1, 1]}
        for ahead, crop, expected in (([], 64, "foresight_ahead: expected numbers"), ([0], 64, r"found \[0\]"),
                                      ([1, 2.5], 64, r"found \[1, 2.5\]"), ([15, 20], 60, "expected 64 or more")):
            with self.assertRaisesRegex(config.UserError, expected):
                config.parse({"model": pools, "train": {"crop": crop, "foresight": 0.3, "foresight_ahead": ahead}}, "c.json")

    def test_an_update_by_hand(self):
        """The average follows as it should, norms and decays are not decayed."""
        t = config.TrainConfig(crop=64, batch=2, lr=0.1, warmup=0, weight_decay=0.5, lr_end=1.0)
        c = config.ModelConfig(d_model=8, pool=[], layers=[1], mixer=["s6"])
        made = trainer.Trainer(config.Config(c, t), machines.Machines("cpu"), True)
        before = {k: v.clone() for k, v in made.model.state_dict().items()}
        made.update([(torch.randint(0, 256, (2, 65), dtype=torch.uint8),)], 0.0)
        after = made.model.state_dict()
        for key in before:
            torch.testing.assert_close(made.ema.state_dict()[key], 0.1 * before[key] + 0.9 * after[key], msg=key)
        groups = {g["weight_decay"]: len(g["params"]) for g in made.optimiser.param_groups}
        self.assertEqual(groups, {0.5: 6, 0.0: 8})

    def test_what_is_held_out_is_not_learned(self):
        """Held-out noise stays at eight bits while the tone is learned, and the file says what was measured."""
        write_wave(self.dir / "audio" / "train" / "tone.wav", tone(1.0, 250))
        write_wave(self.dir / "audio" / "held-out" / "noise.wav", np.random.default_rng(1).uniform(-1, 1, 16000))
        code, said = self.fit("--set", "train.steps=60", "--set", "train.lr=0.01", "--set", "train.eval_every=30")
        self.assertEqual(code, 0, said)
        lines = [json.loads(x) for x in (self.dir / "run" / "metrics.jsonl").read_text().splitlines()]
        looks = [x["held_out_bits"] for x in lines if "held_out_bits" in x]
        self.assertGreater(looks[-1], 7)
        for last, expected in (("--last", looks[-1]), (None, min(looks))):
            model = self.dir / "model.safetensors"
            quiet(export.main, [str(self.dir / "run"), "-o", str(model), "--storage", "f32"] + ([last] if last else []))
            _, metadata = tensors.read(model)
            self.assertAlmostEqual(json.loads(metadata["mambo.config"])["about"]["held_out_bits"], expected, 3)
            if last:
                weights, average = tensors.read(model)[0], checkpoint.load(self.dir / "run" / "last.pt")["ema"]
                self.assertEqual([k for k in average if not torch.equal(weights[k], average[k])], [])
        code, said = self.fit("--fresh", "--set", "train.held_out=0", "--set", "train.steps=2")
        self.assertEqual(code, 0, said)
        self.assertFalse((self.dir / "run" / "best.pt").exists(), "another model's best weights")

    def test_weights_that_are_no_numbers_are_not_saved(self):
        self.tones()
        for share in ("0.3", "0"):  # with a look at held-out audio before a save, and without
            nothing_else = ["--set", f"train.held_out={share}"]
            code, said = self.fit("--fresh", "--set", "train.steps=4", *nothing_else)
            self.assertEqual(code, 0, said)
            # It ends before the first progress line, which would look too.
            code, said = self.fit("--set", "train.steps=8", "--set", "train.lr=1e30", *nothing_else)
            self.assertEqual(code, 2)
            self.assertIn("no number any more", said)
            saved = checkpoint.load(self.dir / "run" / "last.pt")
            self.assertTrue(all(torch.isfinite(v).all() for v in saved["model"].values()))

    def test_checkpoints_hold_plain_things(self):
        """PyTorch from 2.0 on opens them with weights_only, which knows tensors and plain values alone."""
        self.tones()
        self.assertEqual(self.fit("--set", "train.steps=2")[0], 0)
        with zipfile.ZipFile(self.dir / "run" / "last.pt") as z:
            pickled = z.read(next(n for n in z.namelist() if n.endswith("data.pkl")))
        named = {op[1] for op in pickletools.genops(pickled) if op[0].name == "GLOBAL"}
        strange = {n for n in named if n not in ("collections OrderedDict", "torch._utils _rebuild_tensor_v2")
                   and not re.fullmatch(r"torch \w+Storage", n)}
        self.assertEqual(strange, set())
        self.assertTrue(named)

    def test_checkpoints_of_others_are_refused(self):
        (self.dir / "run").mkdir()
        (self.dir / "run" / "last.pt").write_bytes(b"not a checkpoint")
        code, said = quiet(export.main, [str(self.dir / "run"), "-o", str(self.dir / "m.safetensors")])
        self.assertEqual(code, 2)
        self.assertIn("expected a checkpoint of train.fit", said)
        code, said = quiet(export.main, [str(self.dir / "nothing"), "-o", str(self.dir / "m.safetensors")])
        self.assertEqual(code, 2)
        self.assertIn("no such checkpoint", said)
        self.assertFalse((self.dir / "m.safetensors").exists())

    def test_learning_rate(self):
        t = config.TrainConfig(lr=1.0, warmup=10, lr_end=0.1)
        self.assertAlmostEqual(trainer.learning_rate(t, 0, 0.0), 0.1)
        self.assertAlmostEqual(trainer.learning_rate(t, 100, 0.5), 0.55)
        self.assertAlmostEqual(trainer.learning_rate(t, 100, 1.0), 0.1)
        self.assertTrue(math.isclose(trainer.learning_rate(t, 9, 0.0), 1.0))


if __name__ == "__main__":
    unittest.main()
