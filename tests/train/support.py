"""Shared by the trainer's tests. Imported first: it puts the repository on Python's path."""
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
import wave
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from train import fit  # noqa: E402

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


def ranks(count=2):
    """The environment of each of several processes, as torchrun sets it (Debian's does not start under Python 3.11)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [{**os.environ, "WORLD_SIZE": str(count), "RANK": str(rank), "LOCAL_RANK": str(rank),
             "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)} for rank in range(count)]


def run_ranks(test, program, count=2):
    """The output of each of `count` processes of a Python program; the test fails unless all exit with 0."""
    processes = [subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, env=environment) for environment in ranks(count)]
    said = []
    for p in processes:
        test.addCleanup(p.kill)
        said.append(p.communicate(timeout=120)[0])
    test.assertEqual([p.returncode for p in processes], [0] * count, said)
    return said
