"""Bits per sample of a run or a model file on held-out audio: python -m train.evaluate RUN --audio DIR

The same crops for every model (if its stride divides --crop), each from the zero state, so that models
trained on different crops can be compared.
(`mambo eval` scores whole recordings with the engine; on one crop the two agree to 1e-3.)
"""
from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

from . import checkpoint, config as configs, data, native
from .config import UserError
from .export import find
from .machines import Machines
from .model import Network


def open_network(path: str, last: bool = False) -> Network:
    """The averaged weights of a run or a checkpoint, or a native model file; float32, on the CPU."""
    if path.endswith(".safetensors"):
        model, weights, _ = native.read(Path(path))
        net = Network(model)
        net.load_state_dict(weights)
        return net.requires_grad_(False)
    file = find(Path(path), last)
    saved = checkpoint.load(file)
    model = configs.parse(saved["config"], str(file)).model
    model.expect_weights(saved["ema"], str(file))
    net = Network(model)
    checkpoint.take(net, saved["ema"], file)
    return net.requires_grad_(False)  # otherwise the scans would keep their states


def held_out_share(paths: list[str], last: bool) -> float:
    """The held-out fraction of the runs: a larger one would include audio that they were trained on. It must be the same for
    all, or the crops would differ. Model files do not record it: 0.05 where no run is given beside them."""
    shares = {path: checkpoint.load(find(Path(path), last))["config"]["train"]["held_out"]
              for path in paths if not path.endswith(".safetensors")}
    if len(set(shares.values())) > 1:
        raise UserError("expected runs that hold out the same share, found "
                        + ", ".join(f"{share:g} ({path})" for path, share in shares.items())
                        + "; --held-out SHARE, the least of them, judges all on what none has learned from")
    return next(iter(shares.values()), 0.05)


@torch.no_grad()
def bits(net: Network, crops, device, bf16: bool, skip: int = 0) -> list[float]:
    """Mean bits of each crop [L+1], the first `skip` codes of each not counted."""
    net = net.to(device)
    out = []
    for codes in crops:
        codes = torch.as_tensor(codes)[None].to(device)
        with torch.autocast("cuda", torch.bfloat16) if bf16 else contextlib.nullcontext():
            logits = net(codes[:, :-1])[0, skip:]
        out.append(float(F.cross_entropy(logits.float(), codes[0, 1 + skip:].long())) / math.log(2))
    return out


def main(argv=None) -> int:
    p = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="+", metavar="RUN", help="runs, checkpoints or .safetensors files")
    p.add_argument("--audio", action="append", required=True, metavar="DIR")
    p.add_argument("--cache", required=True, metavar="DIR", help="where the encoded audio is kept")
    p.add_argument("--crop", type=int, default=65536, metavar="N", help="samples of each crop (default: 65536)")
    p.add_argument("--crops", type=int, default=64, metavar="N", help="number of crops (default: 64)")
    p.add_argument("--skip", type=int, default=0, metavar="N", help="samples at the start of each crop that are not scored")
    p.add_argument("--whole", action="store_true", help="whole files after one code of silence, as with train.whole")
    p.add_argument("--held-out", type=float, metavar="SHARE",
                   help="as in train.held_out (default: the runs' own; 0.05 for model files alone)")
    p.add_argument("--last", action="store_true", help="the last weights of a run, not the best")
    p.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    p.add_argument("--float32", action="store_true")
    p.add_argument("--json", action="store_true")
    args = p.parse_args(argv)
    try:
        if args.crops < 1 or args.crop < 1 or args.skip < 0:
            raise UserError(f"expected --crop and --crops of 1 or more, found {args.crop} and {args.crops}")
        device = Machines(args.device).device
        results = {}
        share = args.held_out if args.held_out is not None else held_out_share(args.models, args.last)
        if not 0 < share < 1:
            raise UserError(f"nothing is held out; expected --held-out between 0 and 1, found {share:g}")
        for path in args.models:
            net = open_network(path, args.last)
            stride = net.config.stride
            crop = args.crop // stride * stride
            if crop <= args.skip:
                raise UserError(f"{path}: expected --crop of at least {stride} and more than --skip, found {args.crop}")
            least = 1 if args.whole else crop + 1
            corpus = data.load(args.audio, net.config, Path(args.cache), share, 1, least_held_out=least)
            batch = data.Crops(corpus, True, crop + 1, 0, args.whole).batch(0, 0, args.crops)
            each = bits(net, batch, device, device.type == "cuda" and not args.float32, args.skip)
            mean = sum(each) / len(each)
            error = (sum((b - mean) ** 2 for b in each) / max(1, len(each) - 1) / len(each)) ** 0.5
            results[path] = dict(bits=mean, standard_error=error, crops=len(each), crop=crop)
            if not args.json:
                print(f"{path}: {mean:.4f} +- {error:.4f} bits per sample over {len(each)} crops of {crop} samples")
        if args.json:
            print(json.dumps(results))
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    except OSError as e:
        print(f"error: {e.filename or args.cache}: {e.strerror or e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
