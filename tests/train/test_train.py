"""The trainer on the CPU: gradients, data, a model that learns, resuming, export and the engine's agreement."""
import io
import json
import math
import os
import pickletools
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
import wave
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from train import augment, audio, checkpoint, config, data, evaluate, export, feeder, fit, machines, ops, s4d, scan, tensors, trainer  # noqa: E402
from train.model import Network  # noqa: E402

TINY = ["--set", "model.d_model=8", "--set", "model.layers=[1,1]", "--set", "model.pool=[4]", "--set", "model.d_state=4",
        "--set", "train.crop=256", "--set", "train.batch=4", "--set", "train.warmup=5", "--set", "train.eval_crops=4",
        "--set", "train.eval_every=1000", "--quiet", "--device", "cpu"]


def write_wave(path, x, rate=16000):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as f:
        f.setnchannels(1 if x.ndim == 1 else x.shape[1])
        f.setsampwidth(2)
        f.setframerate(rate)
        f.writeframes(np.round(np.clip(x, -1, 1) * 32767).astype("<i2").tobytes())


def tone(seconds, hz, rate=16000, level=0.4):
    return level * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)


def quiet(call, *args):
    """(result, what it printed)."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        result = call(*args)
    return result, out.getvalue()


class InFolder(unittest.TestCase):
    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="mambo-train-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        torch.manual_seed(0)

    def tones(self, count=4, seconds=0.5):
        for i in range(count):
            write_wave(self.dir / "audio" / f"tone{i}.wav", tone(seconds, 200 + 50 * i))
        return self.dir / "audio"

    def fit(self, *more, audio=None, run="run"):
        return quiet(fit.main, ["--audio", str(audio or self.dir / "audio"), "--config", "configs/piano.json",
                                "-o", str(self.dir / run), *TINY, *more])


class Scans(unittest.TestCase):
    def check(self, fast, slow, inputs):
        """Equal outputs and equal gradients in float64."""
        a = [x.clone().requires_grad_() for x in inputs]
        b = [x.clone().requires_grad_() for x in inputs]
        got, want = fast(*a), slow(*b)
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)
        push = torch.randn_like(want)
        got.backward(push)
        want.backward(push)
        for i, (x, y) in enumerate(zip(a, b)):
            torch.testing.assert_close(x.grad, y.grad, rtol=1e-8, atol=1e-9, msg=f"gradient of input {i}")

    def test_selective_scan(self):
        for B, L, D, N in ((1, 1, 3, 2), (2, 7, 5, 4), (1, 64, 2, 16), (2, 130, 3, 5)):
            with self.subTest(L=L):
                torch.manual_seed(L)
                u, delta = torch.randn(B, L, D).double(), torch.rand(B, L, D).double() * 2
                A, skip = -torch.rand(D, N).double() * 8, torch.randn(D).double()
                Bm, C = torch.randn(B, L, N).double(), torch.randn(B, L, N).double()
                self.check(scan.scan_chunks, scan.scan_literal, (u, delta, A, Bm, C, skip))

    def test_gradients_are_those_of_the_equations(self):
        """Finite differences of the literal scan, through softplus and A = -exp(A_log)."""
        torch.manual_seed(1)
        inputs = [torch.randn(1, 9, 2), torch.randn(1, 9, 2 + 2 * 3), torch.randn(2), torch.randn(2, 3), torch.randn(2)]
        self.assertTrue(torch.autograd.gradcheck(scan.selective_scan, [x.double().requires_grad_() for x in inputs]))

    def test_strong_decays_do_not_overflow(self):
        u = torch.randn(1, 400, 2).double()
        out = scan.scan_chunks(u, torch.full_like(u, 50.0), torch.full((2, 3), -40.0).double(),
                               torch.randn(1, 400, 3).double(), torch.randn(1, 400, 3).double(), torch.ones(2).double())
        self.assertTrue(torch.isfinite(out).all())

    def test_s4d(self):
        for L, chunk in ((1, 128), (7, 4), (64, 16), (130, 128), (300, 32)):
            with self.subTest(L=L, chunk=chunk):
                torch.manual_seed(L)
                D, M = 3, 4
                inputs = (torch.randn(2, L, D).double(), torch.rand(D).double() * 3 - 5, torch.randn(D, M).double(),
                          torch.rand(D, M).double() * 20, torch.randn(D, M, 2).double(), torch.randn(D).double())
                self.check(lambda *x: s4d.s4d_chunks(*x, chunk=chunk), s4d.s4d_literal, inputs)

    def test_s4d_is_held_for_a_step(self):
        """Zero-order hold, by the plain formula in double precision: it loses nothing that counts there."""
        log_dt, A_log, A_im = torch.rand(3).double() * 4 - 5, torch.randn(3, 4).double(), torch.rand(3, 4).double() * 30
        C = torch.randn(3, 4, 2).double()
        A = torch.complex(-torch.exp(A_log), A_im)
        dtA, gain = s4d.discretise(log_dt, A_log, A_im, C)
        torch.testing.assert_close(dtA, torch.exp(log_dt)[:, None] * A)
        torch.testing.assert_close(gain, 2 * torch.complex(C[..., 0], C[..., 1]) * (torch.exp(dtA) - 1) / A)

    def test_convolution_is_causal_and_weights_the_present_last(self):
        x = torch.zeros(1, 6, 1)
        x[0, 2] = 1
        weight = torch.tensor([[4.0, 3.0, 2.0, 1.0]])
        out = ops.conv_silu(x, weight, torch.zeros(1))[0, :, 0]
        torch.testing.assert_close(out, F.silu(torch.tensor([0.0, 0.0, 1.0, 2.0, 3.0, 4.0])))


class Model(unittest.TestCase):
    def test_independent_logits(self):
        """The golden logits that the engines are held to, made by other code."""
        for name in ("rand-unet-p4", "rand-flat"):
            with self.subTest(name=name):
                folder = ROOT / "tests" / "golden"
                net = evaluate.open_network(str(folder / f"{name}.safetensors")).double()
                golden, _ = tensors.read(folder / f"{name}.golden.safetensors")
                codes = golden["tokens"].reshape(1, -1)
                use = codes.shape[1] // net.config.stride * net.config.stride
                with torch.no_grad():
                    got = net(codes[:, :use])[0]
                self.assertLess(float((got - golden["logits"][:use]).abs().max()), 1e-5)

    def test_nothing_sees_its_future(self):
        for mixer in (["s6", "s6", "s6"], ["s4d", "s6", "s4d"]):
            c = config.ModelConfig(d_model=8, pool=[4, 2], layers=[1, 1, 1], mixer=mixer, d_state=4)
            net = Network(c).double()
            codes = torch.randint(0, 256, (1, 64))
            other = codes.clone()
            other[0, 37] = (other[0, 37] + 1) % 256
            with torch.no_grad():
                a, b = net(codes)[0], net(other)[0]
            self.assertTrue(torch.equal(a[:37], b[:37]))
            self.assertFalse(torch.equal(a[37], b[37]))


class Data(InFolder):
    def test_codes(self):
        self.assertEqual(audio.encode([0.0, 1.0, -1.0, 2.0], "mulaw8").tolist(), [128, 255, 0, 255])
        every = np.arange(256)
        for encoding in ("mulaw8", "linear8"):
            self.assertEqual(audio.encode(audio.decode(every, encoding), encoding).tolist(), every.tolist())
            back = augment.compress(augment.expand(torch.arange(256), encoding), encoding)
            self.assertEqual(back.tolist(), every.tolist())

    def test_reads_mixes_and_resamples(self):
        left = tone(0.5, 440, 44100)
        write_wave(self.dir / "stereo.wav", np.stack([left, np.zeros_like(left)], 1), 44100)
        x = audio.read(self.dir / "stereo.wav", 16000)
        self.assertEqual(len(x), 8000)
        want = tone(0.5, 440) / 2
        self.assertLess(float(np.abs(x[100:-100] - want[100:-100]).max()), 2e-3)

    def test_splits(self):
        names = [f"p{i}~take{t}.wav" for i in range(200) for t in range(2)]
        sides = data.split(names, 0.1)
        self.assertTrue(all(sides[f"p{i}~take0.wav"] == sides[f"p{i}~take1.wav"] for i in range(200)))
        self.assertTrue(20 <= sum(sides.values()) <= 64)
        more = data.split(names + ["new.wav"], 0.1)
        self.assertTrue(all(more[n] == sides[n] for n in names))
        self.assertEqual(data.split(["train/a.wav", "held-out/b.wav", "c.wav"], 0.5), {"train/a.wav": False, "held-out/b.wav": True})
        for i in range(50):  # takes and formats of one piece
            alike = data.split([f"x/p{i}.wav", f"x/p{i}~take2.wav", f"x/p{i}.flac"] + names, 0.3)
            self.assertEqual(len({alike[n] for n in alike if n.startswith("x/")}), 1)
        two = data.split(["a.wav", "b.wav"], 0.05)
        self.assertEqual(sorted(two.values()), [False, True])

    def test_finds_audio_wherever_the_folder_lies(self):
        write_wave(self.dir / ".hidden" / "deep" / "a.wav", tone(0.1, 300))
        write_wave(self.dir / ".hidden" / ".not" / "b.wav", tone(0.1, 300))
        for folder in (self.dir / ".hidden", self.dir / ".hidden" / "deep" / ".." / "deep"):
            self.assertEqual([p.name for p in audio.find(folder)], ["a.wav"])

    def test_cache_and_crops(self):
        folder = self.tones()
        (folder / "broken.wav").write_bytes(b"RIFF nonsense")
        m = config.ModelConfig()
        corpus, said = quiet(lambda: data.load([str(folder)], m, self.dir / "cache", 0.3, 513))
        self.assertIn("skipped broken.wav", said)
        self.assertEqual(len(corpus.pieces), 4)
        for p in corpus.pieces:
            want = audio.encode(audio.read(folder / p.name, 16000), "mulaw8")
            self.assertTrue(np.array_equal(corpus.codes[p.begin:p.begin + p.length], want))
        before = (self.dir / "cache").stat().st_mtime_ns
        again, said = quiet(lambda: data.load([str(folder)], m, self.dir / "cache", 0.3, 513))
        self.assertEqual((self.dir / "cache").stat().st_mtime_ns, before, "made twice")
        crops = data.Crops(again, False, 513, 7)
        a, b = crops.batch(5, 0, 6), data.Crops(corpus, False, 513, 7).batch(5, 0, 6)
        self.assertTrue(np.array_equal(a, b))
        self.assertFalse(np.array_equal(a, crops.batch(6, 0, 6)))
        flat = bytes(np.concatenate([corpus.codes[p.begin:p.begin + p.length] for p in corpus.side(False)]))
        self.assertTrue(all(bytes(row) in flat for row in a))

    def test_parts_and_processes_read_other_crops(self):
        folder = self.tones()
        crops = data.Crops(data.load([str(folder)], config.ModelConfig(), self.dir / "cache", 0.3, 513), False, 513, 7)
        seen = []
        for rank in range(2):
            ahead = feeder.Feeder(crops, 3, 2, rank, 4, False)
            seen += [bytes(ahead.next().numpy()) for _ in range(4)]  # two parts of two updates
            ahead.stop()
        self.assertEqual(len(set(seen)), 8)

    def test_whole_files_follow_silence(self):
        write_wave(self.dir / "audio" / "train" / "a.wav", tone(0.02, 300))
        write_wave(self.dir / "audio" / "train" / "b.wav", tone(0.05, 500))
        write_wave(self.dir / "audio" / "held-out" / "c.wav", tone(0.02, 400))
        corpus = data.load([str(self.dir / "audio")], config.ModelConfig(), self.dir / "cache", 0.3, 1)
        rows = data.Crops(corpus, False, 401, 1, whole=True).batch(0, 0, 20)
        expected = []
        for p in corpus.side(False):
            codes = corpus.codes[p.begin:p.begin + min(400, p.length)]
            expected.append(bytes(np.concatenate([[128], codes, np.full(400 - len(codes), 128)]).astype(np.uint8)))
        self.assertEqual({bytes(r) for r in rows}, set(expected))

    def test_after_the_end_of_a_file(self):
        """stop: within files; again: round and round one; next: on with the beginning of any."""
        for name, length, hz in (("a", 0.02, 300), ("b", 0.05, 500)):
            write_wave(self.dir / "audio" / "train" / f"{name}.wav", tone(length, hz))
        write_wave(self.dir / "audio" / "held-out" / "c.wav", tone(0.02, 400))
        corpus = data.load([str(self.dir / "audio")], config.ModelConfig(), self.dir / "cache", 0.3, 1)
        files = [bytes(corpus.codes[p.begin:p.begin + p.length]) for p in corpus.side(False)]
        loops = [f * 6 for f in files]
        rows = [bytes(r) for r in data.Crops(corpus, False, 1001, 1, after_end="again").batch(0, 0, 60)]
        self.assertTrue(all(any(r in loop for loop in loops) for r in rows))
        self.assertTrue(all(any(r in loop for r in rows) for loop in loops), "both are heard")
        crops = data.Crops(corpus, False, 1001, 1, after_end="next")
        rows = [bytes(r) for r in crops.batch(0, 0, 60)]
        self.assertEqual(rows, [bytes(r) for r in crops.batch(0, 0, 60)], "what follows is by chance of the update alone")
        follows = set()
        for r in rows:
            # One of the files' ends, then whole files, then a beginning.
            ways = [(i, r[n:]) for i, f in enumerate(files) for n in range(1, min(len(f), len(r)) + 1) if f.endswith(r[:n])]
            for i, rest in ways:
                while rest and any(len(rest) >= len(f) and rest.startswith(f) for f in files):
                    j = next(j for j, f in enumerate(files) if rest.startswith(f))
                    follows.add((i, j))
                    i, rest = j, rest[len(files[j]):]
                if any(f.startswith(rest) for f in files):
                    break
            else:
                self.fail("neither an end nor a beginning")
        self.assertEqual(follows, {(0, 0), (0, 1), (1, 0), (1, 1)})
        with self.assertRaises(config.UserError):
            data.Crops(corpus, False, 1001, 1)
        code, said = self.fit("--set", "train.after_end=never")
        self.assertEqual(code, 2)
        self.assertIn("expected stop, next or again, found never", said)
        code, said = self.fit("--set", "train.steps=2", "--set", "train.crop=1024", "--set", "train.after_end=again")
        self.assertEqual(code, 0, said)

    def test_augments(self):
        x = torch.from_numpy(audio.encode(tone(0.3, 400), "mulaw8"))[None].repeat(3, 1)
        draw = torch.Generator().manual_seed(1)
        out = augment.vary(x[:, :augment.longer(4000, 2.0)], 4000, "mulaw8", 6.0, 2.0, draw)
        self.assertEqual((out.shape, out.dtype), ((3, 4000), torch.uint8))
        y = audio.decode(out.numpy(), "mulaw8")
        hz = np.abs(np.fft.rfft(y * np.hanning(4000), axis=1)).argmax(1) * 16000 / 4000
        self.assertTrue(all(400 * 2 ** (-2 / 12) - 8 <= h <= 400 * 2 ** (2 / 12) + 8 for h in hz), hz)
        self.assertGreater(float(np.ptp(hz)), 4)
        self.assertGreater(float(np.ptp(np.abs(y).max(1))), 0.02)

    def test_errors_name_what_is_wrong(self):
        cases = [
            (["--audio", str(self.dir / "none")], "no such folder"),
            (["--audio", str(self.dir)], "found none"),
        ]
        for more, expected in cases:
            code, said = quiet(fit.main, [*more, "--config", "configs/piano.json", "-o", str(self.dir / "run"), *TINY])
            self.assertEqual(code, 2)
            self.assertIn(expected, said)
            self.assertNotIn("Traceback", said)
        folder = self.tones(2, 0.01)
        for after, which in (("stop", "training"), ("next", "held-out")):
            code, said = self.fit("--set", f"train.after_end={after}")
            self.assertEqual(code, 2)
            self.assertIn(f"too little {which} audio", said)
        (folder / "tone0.wav").write_bytes(b"x")
        (folder / "tone1.wav").write_bytes(b"x")
        code, said = self.fit()
        self.assertIn("none of 2 audio files could be read", said)
        for change, expected in (("train.lr=fast", "train.lr: expected float"), ("model.wings=2", "unknown key wings"),
                                 ("train.crop=257", "multiple of 4"), ("model.mixer=[\"s6\",\"h3\"]", "expected s6 or s4d"),
                                 ("nonsense", "expected model.KEY=VALUE"), ("train.steps=0", "train.steps: expected 1 or more"),
                                 ("train.batch=0", "train.batch: expected 1"), ("train.seed=-1", "train.seed: expected 0"),
                                 ('model.layers=["a","b"]', "model.layers: expected integers"),
                                 ("train.accumulate=0", "train.accumulate: expected 1")):
            code, said = self.fit("--set", change)
            self.assertEqual(code, 2, change)
            self.assertIn(expected, said)
        code, said = quiet(fit.main, ["--audio", "x", "--config", "nowhere.json", "-o", "y"])
        self.assertIn("configs/piano.json", said)


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

    def test_overfits_a_sine(self):
        """Far below the 8 bits of knowing nothing; and the exported file says where it comes from."""
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
        """`mambo eval` of the exported file gives the bits a sample that PyTorch gives."""
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
        more = ["--set", "train.steps=12", "--set", "train.gain_db=3", "--set", "train.pitch_semitones=1"]
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
        self.assertIn("stopped after update 5", said)
        self.assertEqual(checkpoint.load(self.dir / "parts" / "last.pt")["step"], 5)
        code, said = self.fit(*more, run="parts")
        self.assertIn("going on from update 5", said)
        a, b = (checkpoint.load(self.dir / r / "last.pt") for r in ("whole", "parts"))
        for part in ("model", "ema"):
            self.assertEqual([k for k in a[part] if not torch.equal(a[part][k], b[part][k])], [])
        self.assertEqual((a["step"], a["samples"]), (b["step"], b["samples"]))
        code, said = self.fit(*more, "--set", "model.d_state=8", run="parts")
        self.assertEqual(code, 2)
        self.assertIn("d_state", said)

    def test_accumulation_is_one_large_batch(self):
        self.tones()
        ends = []
        for parts in (1, 2):
            t = config.TrainConfig(crop=256, batch=4, accumulate=parts, warmup=1)
            made = trainer.Trainer(config.Config(config.ModelConfig(d_model=8, pool=[4], layers=[1, 1], mixer=["s6", "s6"]), t),
                                  machines.Machines("cpu"), True)
            codes = torch.randint(0, 256, (4, 257), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
            made.update(list(codes.split(4 // parts)), 0.5)
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
                                       env={**os.environ, "OMP_NUM_THREADS": "1", **environment})
            self.addCleanup(process.stdout.close)
            self.addCleanup(process.kill)
            return process

        def finish(processes):
            said = [p.communicate(timeout=100)[0] for p in processes]
            self.assertEqual([p.returncode for p in processes], [0] * len(processes), said)

        for name, more in (("steps", ["--set", "train.steps=6"]), ("minutes", ["--minutes", "0.02"])):
            with socket.socket() as free:  # Debian's torchrun does not start under Python 3.11
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            finish([start(name, more, {"WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank),
                                       "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}) for rank in range(2)])
            a, b = (torch.load(self.dir / f"{name}{rank}.pt") for rank in range(2))
            self.assertEqual(a["step"], b["step"])
            self.assertEqual([k for k in a["model"] if not torch.equal(a["model"][k], b["model"][k])], [], name)
        finish([start("one", ["--set", "train.steps=6", "--set", "train.accumulate=2"], {})])
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
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        processes = [subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True,
                                      env={**os.environ, "WORLD_SIZE": "2", "RANK": str(r), "LOCAL_RANK": str(r),
                                           "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}) for r in range(2)]
        for p in processes:
            self.addCleanup(p.kill)
            self.assertEqual(p.communicate(timeout=60)[0].splitlines()[-1], "[[1.5, 3.0], [4.5, 6.0]] 4.5 []")

    def test_an_update_by_hand(self):
        """The average follows as it should, norms and decays are not decayed."""
        t = config.TrainConfig(crop=64, batch=2, lr=0.1, warmup=0, weight_decay=0.5, lr_end=1.0)
        c = config.ModelConfig(d_model=8, pool=[], layers=[1], mixer=["s6"])
        made = trainer.Trainer(config.Config(c, t), machines.Machines("cpu"), True)
        before = {k: v.clone() for k, v in made.model.state_dict().items()}
        made.update([torch.randint(0, 256, (2, 65), dtype=torch.uint8)], 0.0)
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
