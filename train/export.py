"""Writes a run's averaged weights as a native model file: python -m train.export RUN -o MODEL.safetensors

RUN is the folder of a run (its best.pt, by bits on held-out audio, if there is one, else last.pt) or a checkpoint.
The file holds what the engines need and, under `about`, its provenance: data, licence, updates, bits per sample on
held-out audio, date, versions; and the sampling settings that sound best, which the program then uses.
"""
from __future__ import annotations

import argparse
import datetime
import json
import math
import sys
from pathlib import Path

import torch

from . import about as say, checkpoint, config as configs, tensors
from .config import UserError
from .model import Network

STORAGE = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}
# Small tensors whose rounding is audible: kept in float32 whatever the storage of the matrices.
EXACT = ("A_log", "A_im", "log_dt", ".D", ".C", "dt_proj.bias", "norm.weight", "norm_f.weight")


def parse_arguments(argv=None):
    p = argparse.ArgumentParser(prog="python -m train.export", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run", metavar="RUN", help="folder of a run, or one of its checkpoints")
    p.add_argument("-o", "--output", required=True, metavar="FILE", help="the model file, .safetensors")
    p.add_argument("--storage", choices=tuple(STORAGE), default="f16", help="number format of the matrices (default: f16)")
    p.add_argument("--last", action="store_true", help="the last weights, not the best on held-out audio")
    p.add_argument("--name", help="the model's name (default: the config's)")
    say.add_options(p)
    return p.parse_args(argv)


def find(run: Path, last: bool) -> Path:
    if run.is_dir():
        for name in ("last.pt",) if last else ("best.pt", "last.pt"):
            if (run / name).exists():
                return run / name
        raise UserError(f"{run}: expected a run of train.fit with last.pt in it, found none")
    return run


def export(args) -> Path:
    path = find(Path(args.run), args.last)
    saved = checkpoint.load(path)
    config = configs.parse(saved["config"], str(path))
    c = config.model
    if args.name:
        c.name = args.name
    c.expect_weights(saved["ema"], str(path))
    net = Network(c)
    checkpoint.take(net, saved["ema"], path)
    about = dict(config.about)
    about.update(updates=saved["step"], training_minutes=round(saved["seconds"] / 60, 1),
                 samples_heard=saved["samples"], crop=config.train.crop, batch=config.train.batch,
                 date=datetime.date.today().isoformat(), made_by=f"mambo train.export, PyTorch {saved['torch']}")
    step, bits = saved["held_out"]
    if math.isfinite(bits):
        about["held_out_bits"] = round(bits, 4)
        if step != saved["step"]:  # these weights were not evaluated; the bits belong to an earlier update
            about["held_out_bits_at_update"] = step
    about.setdefault("data", [Path(a).resolve().name for a in saved["audio"]])
    say.say_more(about, args.about)
    say.say_sampling(about, args, config.defaults, config.ranges, path)
    if "licence" not in about and "license" not in about:
        print("no licence is written into the file; --about licence=CC-BY-4.0, for example, does", file=sys.stderr)

    low = STORAGE[args.storage]
    out = {}
    for name, t in net.state_dict().items():
        t = t.to(torch.float32 if name.endswith(EXACT) else low)
        if not torch.isfinite(t).all():
            raise UserError(f"{path}: {name} holds numbers that {args.storage} cannot; expected finite ones "
                            "(--storage bf16 or f32 has more range)")
        out[name] = t
    target = Path(args.output)
    tensors.write(target, out, {"mambo.config": json.dumps({**c.native(), "about": about}, ensure_ascii=False)})
    return target


def main(argv=None) -> int:
    args = parse_arguments(argv)
    try:
        Path(args.output).parent.mkdir(parents=True, exist_ok=True)
        target = export(args)
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    except OSError as e:
        print(f"error: {e.filename or args.output}: {e.strerror or e}", file=sys.stderr)
        return 2
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
