"""Labels from the names of files, and the loss that trains the innermost tier on them."""
import contextlib
import unittest
from types import SimpleNamespace

import numpy as np
import torch

from support import InFolder, tone, write_wave  # first: it makes train importable

from train import augment, config, fit, labels, machines, trainer
from train.model import Network


class Labels(unittest.TestCase):
    def test_classes_are_parts_of_names(self):
        names = ["train/zero/a-slow-1.wav", "1:one/b-fast-1.wav", "one/a-slow.v2-1.wav", "2:zero/c-fast-2.flac"]
        table, known = labels.classes(names, [0, 1, 2])
        self.assertEqual(known, [["one", "zero"], ["a", "b", "c"], ["fast", "slow", "slow.v2"]])
        self.assertEqual(labels.classes(["a-1.wav", "b-1.wav", "1:a-1.wav"], [1])[1], [["a", "b"]])
        self.assertEqual(table.tolist(), [[1, 0, 1], [0, 1, 0], [0, 0, 2], [1, 2, 0]])
        self.assertEqual(labels.classes(names, [])[0].shape, (4, 0))
        self.assertEqual(labels.classes(["x.wav", "z.wav", "y/x.wav"], [0])[1], [["", "y"]])
        for one_each, part in ((["tone1.wav", "tone2.wav"], 1), (["a/x.wav", "b/x.wav"], 0)):
            with self.assertRaisesRegex(config.UserError, "expected classes of several files, found one for each of 2 files"):
                labels.classes(one_each, [part])
        with self.assertRaisesRegex(config.UserError, "expected 4 parts .* found 3 in train/zero/a-slow-1.wav"):
            labels.classes(names, [4])
        with self.assertRaisesRegex(config.UserError, "found one: the part 1 of the files' names is always 'a'"):
            labels.classes(names[:1], [1])

    def test_the_loss_is_of_what_has_a_label(self):
        torch.manual_seed(1)
        head = labels.Labels(4, [3, 2]).double()
        center = torch.randn(2, 5, 4, dtype=torch.float64)
        wanted = torch.randint(0, 2, (2, 5, 2))
        wanted[0, 0] = labels.NONE
        wanted[1, 3, 1] = labels.NONE
        told = torch.log_softmax(head.head(center)[..., :3], -1), torch.log_softmax(head.head(center)[..., 3:], -1)
        total = sum(-float(t[b, j, wanted[b, j, i]]) for b in range(2) for j in range(5) for i, t in enumerate(told)
                    if wanted[b, j, i] >= 0)
        self.assertAlmostEqual(float(head(center, wanted)), total / 10, delta=1e-6)
        halves = [float(head(c, w)) for c, w in zip(center.split(1), wanted.split(1))]
        self.assertAlmostEqual(sum(halves) / 2, total / 10, delta=1e-6, msg="parts of a batch add up")
        self.assertEqual(float(head(center, torch.full_like(wanted, labels.NONE))), 0.0)

    def test_it_teaches_the_innermost_tier(self):
        c = config.ModelConfig(d_model=8, pool=[4], layers=[1, 1], mixer=["s6", "s6"], d_state=4)
        codes = torch.randint(0, 256, (2, 65), generator=torch.Generator().manual_seed(1))
        torch.manual_seed(1)
        net, head = Network(c).double(), labels.Labels(16, [3]).double()
        told = torch.randint(0, 3, (2, 16, 1))
        plain, whole = trainer._Loss(net, None, 0.0), trainer._Loss(net, None, 0.0, head, 0.5)
        a, b = plain(codes)[0], whole(codes, codes, told)
        self.assertEqual(float(a), float(b[1]))
        self.assertAlmostEqual(float(b[0] - a), 0.5 * float(head(net.with_center(codes[:, :-1])[1], told)), delta=1e-6)
        weights = [net.center[0].in_proj.weight, net.up[0][0].in_proj.weight]
        a, b = torch.autograd.grad(a, weights), torch.autograd.grad(b[0], weights)
        self.assertFalse(torch.allclose(a[0], b[0]))
        torch.testing.assert_close(a[1], b[1])


class InTraining(InFolder):
    def test_labels_are_of_what_a_step_has_heard_last(self):
        """Three files of constant level, one without a label, whatever the pitch, with noise and without."""
        stride = config.ModelConfig().stride
        length = 9 * stride + 1
        for semitones, noise in ((0.0, 0.0), (0.0, 4.0), (3.0, 2.0)):
            t = config.TrainConfig(crop=8 * stride, batch=40, labels=[1, 2], input_noise=noise, pitch_semitones=semitones,
                                   after_end="next")
            files = torch.zeros(40, augment.longer(length, 3.0), dtype=torch.int32)
            files[:, 3 * stride:] = 1  # to the sample: step 2 has not heard it
            files[:, 5 * stride + 40:] = -1
            codes = torch.tensor([60, 190, 128], dtype=torch.uint8)[files.long()]
            made = SimpleNamespace(config=config.Config(config.ModelConfig(), t), machines=machines.Machines("cpu"), step=1,
                                   seconds=0.0, samples=0)
            loop = fit.Loop(SimpleNamespace(minutes=None), made, SimpleNamespace(next=lambda: (codes, files)), [], None,
                            SimpleNamespace(at_once=contextlib.nullcontext), self.dir, np.array([[3, 1], [0, 2]]))
            said, heard, told = loop._batch()[0]
            self.assertEqual((said.shape, told.shape), ((40, t.crop + 1), (40, 8, 2)))
            self.assertEqual(torch.equal(said, heard), noise == 0)
            if not semitones:
                self.assertEqual(told[7].tolist(), [[3, 1]] * 3 + [[0, 2]] * 2 + [[-1, -1]] * 3)
            last = said[:, stride - 1:-1:stride].int()
            want = torch.where(last < 80, 3, torch.where(last > 170, 0, -1))
            self.assertGreater(float((told[..., 0] == want).float().mean()), 0.98)
        self.assertGreater(len({tuple(row[:, 0].tolist()) for row in told}), 3)

    def test_labels_weigh_what_they_should(self):
        t = config.TrainConfig(crop=64, batch=2, labels=[1], label_weight=2.5, foresight=0.5)
        made = trainer.Trainer(config.Config(config.ModelConfig(d_model=8, pool=[4], layers=[1, 1], mixer=["s6", "s6"]), t),
                               machines.Machines("cpu"), True, classes=[["a", "b"]])
        codes = torch.randint(0, 256, (2, 65))
        told = torch.zeros(2, 16, 1, dtype=torch.long)
        with torch.no_grad():
            center = made.model.with_center(codes[:, :-1])[1]
            want = 0.5 * made.foresight(center, codes) + 2.5 * made.labels(center, told)
            whole, said = made.net(codes, codes, told)
        self.assertAlmostEqual(float(whole - said), float(want), delta=1e-5)

    def test_labels_of_what_is_used(self):
        """A file shorter than the crop is not used, and its class is not counted."""
        for name, seconds in (("a-1", 0.001), ("b-1", 0.5), ("b-2", 0.5), ("c-1", 0.5), ("c-2", 0.5)):
            write_wave(self.dir / "audio" / "train" / f"{name}.wav", tone(seconds, 300))
        write_wave(self.dir / "audio" / "held-out" / "d-1.wav", tone(0.5, 300))
        code, said = self.fit("--set", "train.labels=[1]", "--set", "train.steps=1", "--set", "train.after_end=stop")
        self.assertEqual(code, 0, said)
        self.assertIn("labels: 2 classes", said)
        self.assertIn("(1 files are shorter than the crop and are not used)", said)


if __name__ == "__main__":
    unittest.main()
