"""How fast a model trains here, and where the time goes: python -m train.profile --config configs/piano.json

Measures with random codes the whole update (forward, backward, clipping, AdamW, EMA). The table sums GPU time by kind of
kernel, from PyTorch's profiler.
"""
from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from types import SimpleNamespace

import torch

from . import config as configs
from .config import UserError
from .fit import load_config
from .machines import Machines
from .trainer import Trainer

KINDS = (  # first match wins
    ("scan, backward", ("_back_walk", "_back_ends", "_back4")), ("scan, forward", ("_walk", "_ends", "_delta_kernel")),
    ("scan, carry", ("_carry",)), ("convolution", ("_conv",)), ("gate", ("_gate",)), ("norm", ("_norm",)),
    ("matrix products", ("gemm", "cutlass", "cublas", "nvjet", "xmma", "splitK")),
    ("loss", ("softmax", "nll_loss", "cross_entropy")), ("embedding", ("embedding", "Embedding", "radix", "DeviceScan")),
    ("optimiser, EMA, clipping", ("multi_tensor", "foreach", "adam", "lpnorm")),
    ("sums", ("reduce",)), ("copies and casts", ("copy", "Memcpy", "Memset", "fill", "cat", "Cat")),
    ("element by element", ("elementwise", "vectorized")))


def kind(name: str) -> str:
    return next((k for k, words in KINDS if any(w in name for w in words)), "other")


CLASSES = 32  # of each label: there is no audio to count them in


def main(argv=None) -> int:
    p = argparse.ArgumentParser(prog="python -m train.profile", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--config", default="configs/piano.json", metavar="FILE")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    p.add_argument("--updates", type=int, default=20)
    p.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    p.add_argument("--float32", action="store_true")
    p.add_argument("--no-graph", action="store_true")
    p.add_argument("--json", action="store_true")
    args = p.parse_args(argv)
    try:
        config: configs.Config = load_config(SimpleNamespace(config=args.config, set=args.set))
        if args.updates < 1:
            raise UserError(f"--updates: expected 1 or more, found {args.updates}")
        machines = Machines(args.device)
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    torch.backends.cuda.matmul.allow_tf32 = True
    t = config.train
    trainer = Trainer(config, machines, args.float32, not args.no_graph, [[str(i) for i in range(CLASSES)]] * len(t.labels))
    rows = t.batch // t.accumulate
    parts = [(torch.randint(0, 256, (rows, t.crop + 1), dtype=torch.uint8, device=machines.device),)
             for _ in range(t.accumulate)]
    if t.labels:
        told = torch.randint(0, CLASSES, (rows, t.crop // config.model.stride, len(t.labels)), device=machines.device)
        parts = [(codes, codes, told) for codes, in parts]

    def run(count: int) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            loss, _ = trainer.update(parts, 0.1)
        float(loss)  # waits
        return time.perf_counter() - begin

    begin = time.perf_counter()
    run(3)
    first = time.perf_counter() - begin
    seconds = min(run(args.updates) for _ in range(3)) / args.updates
    out = dict(device=torch.cuda.get_device_name() if machines.device.type == "cuda" else "CPU", torch=torch.__version__,
               batch=t.batch, crop=t.crop, first_updates_s=first, ms_an_update=seconds * 1e3,
               samples_per_second=t.batch * t.crop / seconds)
    if machines.device.type == "cuda":
        out["memory_gib"] = torch.cuda.max_memory_allocated() / 2 ** 30
        from torch.profiler import ProfilerActivity, profile
        with profile(activities=[ProfilerActivity.CUDA]) as trace:
            run(3)
        table, names = defaultdict(float), defaultdict(float)
        for e in trace.key_averages():
            us = getattr(e, "self_device_time_total", 0.0) / 3
            table[kind(e.key)] += us / 1e3
            names[e.key] += us / 1e3
        out["gpu_ms"] = dict(sorted(table.items(), key=lambda x: -x[1]))
        out["kernels_ms"] = dict(sorted(names.items(), key=lambda x: -x[1])[:25])
    if args.json:
        print(json.dumps(out, indent=1))
        return 0
    print(f"{out['device']}, PyTorch {out['torch']}: {out['samples_per_second'] / 1e6:.2f} M samples/s, "
          f"{out['ms_an_update']:.1f} ms per update of {t.batch} crops of {t.crop}; the first three took {first:.1f} s"
          + (f"; {out['memory_gib']:.1f} GiB" if "memory_gib" in out else ""))
    for title, key in (("GPU time by kind", "gpu_ms"), ("kernels", "kernels_ms")):
        if key in out:
            total = sum(out["gpu_ms"].values())
            print(f"\n{title}, ms per update ({total:.1f} in all)")
            for name, ms in out[key].items():
                print(f"{ms:9.2f}  {100 * ms / total:5.1f} %  {name[:100]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
