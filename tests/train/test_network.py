"""The network and its scans on the CPU: logits, gradients, causality."""
import unittest
import unittest.mock

import torch
import torch.nn.functional as F

from support import ROOT  # first: it makes train importable

from train import config, cpu_scan, evaluate, foresight, ops, s4d, scan, tensors, trainer
from train.model import Network


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
                for block in (1, 70, 1 << 18):  # one step per block, several, all in one
                    with unittest.mock.patch.object(cpu_scan, "BLOCK", block):
                        self.check(cpu_scan.Scan.apply, scan.scan_literal, (u, delta, A, Bm, C, skip))

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
        """The golden logits with which the engines are compared, made by independent code."""
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

    def test_what_is_said_is_not_what_is_heard(self):
        net = Network(config.ModelConfig(d_model=8, pool=[4], layers=[1, 1], mixer=["s6", "s6"])).double()
        codes, heard = torch.randint(0, 256, (2, 2, 65), generator=torch.Generator().manual_seed(1))
        loss = trainer._Loss(net, None, 0.0)
        with torch.no_grad():
            want = F.cross_entropy(net(heard[:, :-1]).flatten(0, 1), codes[:, 1:].flatten())
            self.assertAlmostEqual(float(loss(codes, heard)[1]), float(want), delta=1e-12)
            self.assertEqual(float(loss(codes, codes)[1]), float(net.loss(codes)))
            ahead = foresight.Foresight(16, 4, "mulaw8").double()
            whole, said = trainer._Loss(net, ahead, 0.5)(codes, heard)
            self.assertAlmostEqual(float(whole - said), 0.5 * float(ahead(net.with_center(heard[:, :-1])[1], codes)),
                                   delta=1e-12, msg="what is foretold is what is said")


class Foresight(unittest.TestCase):
    def test_it_is_asked_for_what_a_step_has_not_heard(self):
        """Levels that the network could compute from codes it has heard would not be foresight."""
        c = config.ModelConfig(d_model=8, pool=[4, 2], layers=[1, 1, 1], mixer=["s6", "s6", "s6"], d_state=4)
        net = Network(c).double()
        net.requires_grad_(False)
        codes = torch.randint(100, 156, (1, 65), generator=torch.Generator().manual_seed(1))
        loud = codes.clone()
        loud[0, 24 + 1:32 + 1] = torch.tensor([0, 255] * 4)
        ahead = foresight.Foresight(32, 8, "mulaw8")
        a, b = ahead.targets(codes), ahead.targets(loud)
        self.assertEqual(a.shape, (1, 8, 4))
        self.assertEqual(((a != b).any(2)[0]).nonzero().flatten().tolist(), [3])
        self.assertEqual(int(b[0, 3].argmax()), 3, "a square wave of half the rate")
        embedded = net.embed.weight.data
        changed = codes.clone()
        changed[0, 23] ^= 1  # the last code that step 2 hears
        self.assertFalse(torch.equal(embedded[codes[0, 23]], embedded[changed[0, 23]]))
        for name, heard in (("step 2", changed), ("step 3", loud)):
            x, y = net.with_center(codes[:, :-1])[1], net.with_center(heard[:, :-1])[1]
            first = int((x != y).any(2)[0].nonzero()[0])
            self.assertEqual(name, f"step {first}")

        def disturb(module, inputs, x):
            x = x.clone()
            x[:, 2] += 1
            return x

        before = net(codes[:, :-1])
        with net.center[-1].register_forward_hook(disturb):
            after = net(codes[:, :-1])
        # From tier to tier, each to its next group: code 29 is the first that step 2 influences.
        self.assertEqual(int((before != after).any(2)[0].nonzero()[0]), 28)

    def test_levels_are_those_of_bands(self):
        spectrum = foresight.Spectrum(64)
        self.assertEqual(spectrum.bands, 8)
        t = torch.arange(64) / 64
        x = torch.stack([2 ** 0.5 * 10 ** (db / 20) * torch.cos(2 * torch.pi * line * t)
                         for line, db in ((1, -40.0), (30, -40.0), (30, 0.0), (30, -80.0))])
        levels = spectrum(x)
        self.assertEqual(levels.max(1).values.tolist(), [9, 9, 15, 0])
        self.assertEqual(levels[:3].argmax(1).tolist(), [0, 7, 7])
        self.assertEqual(levels.sum(1).tolist(), [9, 9, 15, 0], "in one band alone")
        for stride in (2, 4, 8, 256):
            self.assertEqual(foresight.Spectrum(stride).bands, min(8, stride // 2))

    def test_each_guess_is_of_its_own_time(self):
        """A head that outputs the true levels of the requested step has zero loss."""
        ahead = foresight.Foresight(4 * 20, 8, "mulaw8", [1, 3, 18, 19, 20])  # one step after the last is never asked for
        codes = torch.randint(0, 256, (1, 20 * 8 + 1), generator=torch.Generator().manual_seed(2))
        wanted = ahead.targets(codes)
        said = torch.full((1, 20, len(ahead.ahead), 4, foresight.LEVELS), -30.0)
        for i, k in enumerate(ahead.ahead):
            said[:, :-k, i].scatter_(3, wanted[:, k:, :, None], 30.0)
        ahead.head = torch.nn.Identity()
        self.assertLess(float(ahead(said.flatten(2), codes)), 1e-6)
        self.assertGreater(float(ahead(said.flatten(2).roll(1, 1), codes)), 1.0)

    def test_it_teaches_the_innermost_tier(self):
        c = config.ModelConfig(d_model=8, pool=[4], layers=[1, 1], mixer=["s6", "s6"], d_state=4)
        codes = torch.randint(0, 256, (2, 65), generator=torch.Generator().manual_seed(1))
        grads = []
        for weight in (0.0, 0.5):
            torch.manual_seed(1)
            net = Network(c).double()
            ahead = foresight.Foresight(16, 4, "mulaw8").double() if weight else None
            whole, said = trainer._Loss(net, ahead, weight)(codes)
            if weight:
                self.assertAlmostEqual(float(whole - said), weight * float(ahead(net.with_center(codes[:, :-1])[1], codes)),
                                       delta=1e-12)
            grads.append(torch.autograd.grad(whole, [net.center[0].in_proj.weight, net.up[0][0].in_proj.weight]))
        self.assertFalse(torch.allclose(grads[0][0], grads[1][0]))
        torch.testing.assert_close(grads[0][1], grads[1][1])


if __name__ == "__main__":
    unittest.main()
