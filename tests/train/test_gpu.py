"""The fused kernels against float64 autograd, on a GPU. Skipped by name where there is none."""
import math
import unittest

import torch
import torch.nn.functional as F

from support import run_ranks  # first: it makes train importable

from train import augment, ops, s4d, scan
from train.config import Config, ModelConfig, TrainConfig
from train.machines import Machines
from train.model import Network
from train.trainer import Trainer

GPU = torch.cuda.is_available()


def relative(got, want):
    got, want = got.detach().double().cpu(), want.detach().double().cpu()
    return float((got - want).norm() / want.norm().clamp(min=1e-30))


@unittest.skipUnless(GPU, "no GPU that PyTorch can use")
class Kernels(unittest.TestCase):
    def compare(self, fused, plain, inputs, dtype, tolerance):
        """Outputs and gradients of fused(inputs) on the GPU against plain(inputs) in float64 on the same numbers."""
        torch.manual_seed(1)
        low = [x.to(dtype if kind == "activation" else torch.float32).cuda().requires_grad_() for kind, x in inputs]
        wide = [x.detach().double().cpu().requires_grad_() for x in low]
        got, want = fused(*low), plain(*wide)
        push = torch.randn(want.shape, dtype=torch.float64)
        push = push.to(dtype).double()
        got.backward(push.to(got.dtype).cuda())
        want.backward(push)
        self.assertLess(relative(got, want), tolerance, "output")
        for i, (a, b) in enumerate(zip(low, wide)):
            self.assertLess(relative(a.grad, b.grad), tolerance, f"gradient of input {i}")

    def test_selective_scan(self):
        cases = [(2, 1, 32, 16), (1, 3, 5, 4), (2, 64, 128, 16), (3, 200, 96, 16), (1, 4096, 40, 8), (1, 777, 33, 5),
                 (2, 1024, 64, 64), (1, 5000, 64, 16)]
        for B, L, D, N in cases:
            for dtype, tolerance in ((torch.float32, 2e-5), (torch.bfloat16, 1e-2)):
                with self.subTest(B=B, L=L, D=D, N=N, dtype=dtype):
                    torch.manual_seed(0)
                    inputs = [("activation", torch.randn(B, L, D)), ("activation", torch.randn(B, L, D + 2 * N)),
                              ("weight", torch.randn(D) * 3 - 6), ("weight", torch.log(torch.rand(D, N) * 16 + 0.1)),
                              ("weight", torch.randn(D))]

                    def plain(u, p, bias, A_log, Dk):
                        # On the GPU for speed; test_network.py compares scan_chunks with scan_literal.
                        u, p, bias, A_log, Dk = (x.cuda() for x in (u, p, bias, A_log, Dk))
                        dt, Bm, C = p.split([D, N, N], -1)
                        return scan.scan_chunks(u, F.softplus(dt + bias), -torch.exp(A_log), Bm, C, Dk).cpu()

                    self.compare(scan.selective_scan, plain, inputs, dtype, tolerance)

    def test_s4d_scan(self):
        for B, L, D, M in ((2, 1, 32, 16), (1, 3, 5, 4), (2, 64, 128, 16), (3, 200, 96, 8), (1, 777, 33, 5), (1, 5000, 64, 16)):
            for dtype, tolerance in ((torch.float32, 5e-5), (torch.bfloat16, 1e-2)):
                with self.subTest(B=B, L=L, D=D, M=M, dtype=dtype):
                    torch.manual_seed(0)
                    inputs = [("activation", torch.randn(B, L, D)), ("weight", torch.rand(D) * 3 - 5),
                              ("weight", torch.randn(D, M) * 0.5 - 0.7), ("weight", torch.rand(D, M) * 40),
                              ("weight", torch.randn(D, M, 2)), ("weight", torch.randn(D))]
                    self.compare(s4d.s4d_scan, s4d.s4d_chunks, inputs, dtype, tolerance)

    def test_norm(self):
        for rows, D in ((1, 64), (1000, 64), (77, 96), (5, 256), (70000, 64)):
            for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 1e-2)):
                with self.subTest(rows=rows, D=D, dtype=dtype):
                    self.compare(lambda x, w: ops.rms_norm(x, w, 1e-5, dtype),
                                 lambda x, w: ops.rms_norm(x, w, 1e-5),
                                 [("weight", torch.randn(rows, D)), ("weight", torch.randn(D))], dtype, tolerance)

    def test_conv(self):
        for B, L, D, K in ((1, 1, 32, 4), (2, 37, 128, 4), (3, 1000, 96, 3), (2, 64, 256, 2), (1, 40000, 128, 4), (2, 50, 64, 1)):
            for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 1e-2)):
                with self.subTest(B=B, L=L, D=D, K=K, dtype=dtype):
                    self.compare(ops.conv_silu, ops.conv_silu,
                                 [("activation", torch.randn(B, L, D)), ("weight", torch.randn(D, K)), ("weight", torch.randn(D))],
                                 dtype, tolerance)

    def test_gate(self):
        for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 1e-2)):
            with self.subTest(dtype=dtype):
                self.compare(ops.gate, ops.gate, [("activation", torch.randn(3, 1001)), ("activation", torch.randn(3, 1001))],
                             dtype, tolerance)

    def test_embedding(self):
        for V, D, L in ((256, 64, 10000), (256, 128, 77), (16, 24, 333)):
            with self.subTest(V=V, D=D, L=L):
                codes = torch.randint(0, V, (2, L), dtype=torch.uint8)
                self.compare(lambda w: ops.embed(codes.to(w.device), w), lambda w: ops.embed(codes, w),
                             [("weight", torch.randn(V, D))], torch.float32, 1e-5)

    def test_the_whole_network(self):
        """Loss and gradients of a U-Net with both mixers, float32 on the GPU against float64 on the CPU."""
        for mixer in (["s6", "s6"], ["s4d", "s6"]):
            with self.subTest(mixer=mixer):
                torch.manual_seed(3)
                c = ModelConfig(d_model=32, pool=[4], layers=[2, 2], mixer=mixer)
                slow = Network(c).double()
                fast = Network(c).cuda()
                fast.load_state_dict(slow.state_dict())
                codes = torch.randint(0, 256, (2, 513))
                a, b = slow.loss(codes), fast.loss(codes.cuda())
                a.backward()
                b.backward()
                self.assertLess(abs(float(a) - float(b)), 1e-4)
                worst = max((relative(q.grad, p.grad), n) for (n, p), q in zip(slow.named_parameters(), fast.parameters()))
                self.assertLess(worst[0], 2e-3, worst[1])

    def test_twice_the_same_bits(self):
        c = ModelConfig(d_model=64, pool=[16], layers=[1, 1], mixer=["s6", "s6"])
        grads = []
        for _ in range(2):
            torch.manual_seed(5)
            net = Network(c).cuda()
            codes = torch.randint(0, 256, (4, 2049)).cuda()
            with torch.autocast("cuda", torch.bfloat16):
                loss = net.loss(codes)
            loss.backward()
            grads.append([loss.detach()] + [p.grad for p in net.parameters()])
        different = [i for i, (x, y) in enumerate(zip(*grads)) if not torch.equal(x, y)]
        self.assertEqual(different, [])
        self.assertTrue(math.isfinite(float(grads[0][0])))

    def test_a_graph_gives_the_same_bits(self):
        """Updates by a replayed CUDA graph and by launches one at a time end in the same weights."""
        ends = []
        for graph in (True, False):
            config = Config(ModelConfig(d_model=32, pool=[4], layers=[1, 1], mixer=["s4d", "s6"]),
                            TrainConfig(crop=512, batch=4, warmup=1, foresight=0.3))
            machines = Machines("cuda")
            trainer = Trainer(config, machines, float32=False, graph=graph, classes=[list("abcde"), list("xyz")])
            draw = torch.Generator().manual_seed(2)
            for i in range(4):
                codes = torch.randint(0, 256, (4, 513), generator=draw, dtype=torch.uint8).cuda()
                told = torch.randint(-1, 3, (4, 128, 2), generator=draw).cuda()
                trainer.update([(codes, augment.misheard(codes, 4.0, i), told)], 0.1)
            ends.append([p.detach().clone() for p in trainer.net.parameters()])
        self.assertTrue(all(torch.equal(a, b) for a, b in zip(*ends)))


@unittest.skipUnless(torch.cuda.device_count() > 1, "fewer than two GPUs that PyTorch can use")
class TwoGpus(unittest.TestCase):
    def test_a_graph_on_two_gpus(self):
        """Both end with the same weights, and with those that DDP and launches one at a time give."""
        program = (
            "import sys, torch, torch.distributed as dist\n"
            "from train.config import *\nfrom train.machines import Machines\nfrom train.trainer import Trainer\n"
            "m = Machines('cuda')\nends = []\n"
            "for graph in (True, False):\n"
            "    c = Config(ModelConfig(d_model=32, pool=[4], layers=[1, 1], mixer=['s4d', 's6']),\n"
            "               TrainConfig(crop=512, batch=8, warmup=1, foresight=0.3))\n"
            "    t = Trainer(c, m, float32=True, graph=graph, classes=[list('abc')])\n"
            "    draw = torch.Generator().manual_seed(m.rank)\n"
            "    for _ in range(4):\n"
            "        codes = torch.randint(0, 256, (4, 513), generator=draw, dtype=torch.uint8).cuda()\n"
            "        told = torch.randint(-1, 3, (4, 128, 1), generator=draw).cuda()\n"
            "        t.update([(codes, codes, told)], 0.1)\n"
            "    ends.append(torch.cat([p.detach().flatten() for p in t.model.parameters()]))\n"
            "    first = ends[-1].clone()\n    dist.broadcast(first, 0)\n    assert torch.equal(first, ends[-1])\n"
            "    assert (t.graphed is not None) == graph\n"
            "print('greatest', float((ends[0] - ends[1]).abs().max()))\n"
            "dist.destroy_process_group()\n")
        for said in run_ranks(self, program):
            self.assertLess(float(said.split("greatest")[1].split()[0]), 1e-4, said)


if __name__ == "__main__":
    unittest.main()
