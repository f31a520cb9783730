#!/usr/bin/env python3
"""Makes the oracles of models with the time-invariant mixer: weights and, in float64, logits.

    python3 tests/golden/make_s4d_golden.py            writes s4d-*.safetensors beside itself
    python3 tests/golden/make_s4d_golden.py --check    computes rand-unet-p4 and rand-flat, whose
                                                       logits others made, and compares

Needs PyTorch (Debian: python3-torch) and NumPy, nothing of the project. Everything is written as the
definition says it, over all of time at once where the definition does not forbid it; the recurrence
of s4d is computed as such and, to be sure, as the convolution that it is.
"""
import argparse
import json
import math
import pathlib
import struct
import sys

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
TYPES = {"F32": np.float32, "F16": np.float16, "U8": np.uint8}


def read_safetensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + size + x for x in entry["data_offsets"])
        array = np.frombuffer(data[begin:end], dtype=TYPES[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    return metadata, tensors


def write_safetensors(path, tensors, metadata=None):
    header, blobs, at = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    for name in sorted(tensors):
        a = np.ascontiguousarray(tensors[name])
        dtype = next(k for k, t in TYPES.items() if a.dtype == t)
        header[name] = {"dtype": dtype, "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        blobs.append(a.tobytes())
        at += a.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


class Network:
    """tensors: numpy by name; config: the dictionary of mambo.config."""

    def __init__(self, config, tensors):
        self.c = config
        self.w = {k: torch.from_numpy(np.array(v)).double() for k, v in tensors.items()}
        self.mixers = config.get("mixer", ["s6"] * len(config["layers"]))

    def rmsnorm(self, x, weight):
        return x / torch.sqrt((x * x).mean(-1, keepdim=True) + self.c["norm_eps"]) * weight

    def linear(self, x, name):
        y = x @ self.w[name + ".weight"].T
        return y + self.w[name + ".bias"] if name + ".bias" in self.w else y

    def s6(self, u, p):
        w, n = self.w, self.c["d_state"]
        delta_bc = u @ w[p + "x_proj.weight"].T
        rank = delta_bc.shape[1] - 2 * n
        low, B, C = delta_bc.split([rank, n, n], dim=1)
        delta = torch.nn.functional.softplus(self.linear(low, p + "dt_proj"), threshold=100)
        A = -torch.exp(w[p + "A_log"])
        h = torch.zeros_like(A)
        y = torch.zeros_like(u)
        for t in range(len(u)):
            h = torch.exp(delta[t, :, None] * A) * h + delta[t, :, None] * B[t] * u[t, :, None]
            y[t] = (h * C[t]).sum(1)
        return y + w[p + "D"] * u

    def s4d(self, u, p):
        w = self.w
        dt = torch.exp(w[p + "log_dt"])[:, None]
        A = torch.complex(-torch.exp(w[p + "A_log"]), w[p + "A_im"])
        C = torch.complex(w[p + "C"][..., 0], w[p + "C"][..., 1])
        decay = torch.exp(dt * A)
        read = C * (decay - 1) / A
        h = torch.zeros_like(A)
        y = torch.zeros_like(u)
        for t in range(len(u)):
            h = decay * h + u[t, :, None]
            y[t] = 2 * (read * h).sum(1).real
        steps = torch.arange(len(u))[:, None, None]
        kernel = 2 * (read * torch.exp(steps * (dt * A))).sum(-1).real  # [T][d_inner]
        other = torch.stack([(kernel[: t + 1].flip(0) * u[: t + 1]).sum(0) for t in range(len(u))])
        assert len(u) == 0 or (y - other).abs().max() < 1e-9, "recurrence is not convolution"
        return y + w[p + "D"] * u

    def block(self, x, p, mixer):
        w = self.w
        uz = self.linear(self.rmsnorm(x, w[p + "norm.weight"]), p + "in_proj")
        u, z = uz.chunk(2, dim=1)
        kernel = w[p + "conv1d.weight"][:, 0, :]  # [d_inner][K]; K-1 is the present step
        k = kernel.shape[1]
        past = torch.cat([torch.zeros(k - 1, u.shape[1], dtype=u.dtype), u])
        conv = sum(past[i : i + len(u)] * kernel[:, i] for i in range(k)) + w[p + "conv1d.bias"]
        u = torch.nn.functional.silu(conv)
        y = self.s6(u, p) if mixer == "s6" else self.s4d(u, p)
        return x + self.linear(y * torch.nn.functional.silu(z), p + "out_proj")

    def blocks(self, x, group, tier):
        for i in range(self.c["layers"][tier]):
            x = self.block(x, f"{group}.{i}.", self.mixers[tier])
        return x

    def tier(self, x, s):
        """x: [steps][width] of tier s, all steps that there are."""
        pool = self.c["pool"]
        if s == len(pool):
            return self.blocks(x, "center", s)
        skip = self.blocks(x, f"down.{s}", s)
        groups = len(skip) // pool[s]
        pooled = skip[: groups * pool[s]].reshape(groups, -1)
        inner = self.tier(self.linear(pooled, f"down_pool.{s}"), s + 1)
        up = self.linear(inner, f"up_pool.{s}").reshape(groups * pool[s], -1)
        # Shifted by a group: the first one is fed zeros.
        up = torch.cat([torch.zeros(pool[s], up.shape[1], dtype=up.dtype), up])[: len(skip)]
        return self.blocks(up + skip, f"up.{s}", s)

    def logits(self, tokens):
        x = self.w["embed.weight"][torch.from_numpy(tokens.astype(np.int64))]
        x = self.rmsnorm(self.tier(x, 0), self.w["norm_f.weight"])
        return self.linear(x, "head").numpy()


def random_model(config, states, biases, seed):
    """states: M of the s4d blocks, taken in turn."""
    g = np.random.default_rng(seed)
    out = {}

    def put(name, *shape, deviation=None, mean=0.0):
        deviation = 1 / math.sqrt(shape[-1]) if deviation is None else deviation
        out[name] = g.normal(mean, deviation, shape).astype(np.float32)

    count = 0

    def block(p, d, mixer):
        nonlocal count
        inner, n, k = config["expand"] * d, config["d_state"], config["d_conv"]
        rank = (d + 15) // 16
        put(p + "norm.weight", d, deviation=0.1, mean=1)
        put(p + "in_proj.weight", 2 * inner, d)
        put(p + "conv1d.weight", inner, 1, k, deviation=0.4)
        put(p + "conv1d.bias", inner, deviation=0.1)
        put(p + "D", inner, deviation=0.3, mean=1)
        put(p + "out_proj.weight", d, inner)
        if biases:
            put(p + "in_proj.bias", 2 * inner, deviation=0.2)
            put(p + "out_proj.bias", d, deviation=0.2)
        if mixer == "s6":
            put(p + "x_proj.weight", rank + 2 * n, inner)
            put(p + "dt_proj.weight", inner, rank)
            put(p + "dt_proj.bias", inner, deviation=1, mean=-3)
            out[p + "A_log"] = np.tile(np.log(np.arange(1, n + 1)), (inner, 1)).astype(np.float32)
            return
        m = states[count % len(states)]
        count += 1
        # As S4D begins (S4D-Lin): A = -1/2 + i pi n, dt over two decades; C of either kind.
        put(p + "log_dt", inner, deviation=1, mean=math.log(0.02))
        put(p + "A_log", inner, m, deviation=0.2, mean=math.log(0.5))
        out[p + "A_im"] = np.tile(math.pi * np.arange(m), (inner, 1)).astype(np.float32)
        out[p + "A_im"] += g.normal(0, 0.3, (inner, m)).astype(np.float32)
        put(p + "C", inner, m, 2, deviation=0.7)

    pool, layers, mixers = config["pool"], config["layers"], config["mixer"]
    width = [config["d_model"] * config["widen"] ** s for s in range(len(layers))]
    put("embed.weight", 256, width[0], deviation=1)
    put("head.weight", 256, width[0])
    put("norm_f.weight", width[0], deviation=0.1, mean=1)
    if biases:
        put("head.bias", 256, deviation=0.2)
    for s, p in enumerate(pool):
        put(f"down_pool.{s}.weight", width[s + 1], p * width[s])
        put(f"down_pool.{s}.bias", width[s + 1], deviation=0.1)
        put(f"up_pool.{s}.weight", p * width[s], width[s + 1])
        put(f"up_pool.{s}.bias", p * width[s], deviation=0.1)
        for side in ("down", "up"):
            for i in range(layers[s]):
                block(f"{side}.{s}.{i}.", width[s], mixers[s])
    for i in range(layers[-1]):
        block(f"center.{i}.", width[-1], mixers[-1])
    return out


def config_of(name, **more):
    config = {"format": "mambo-1", "name": name, "sample_rate": 16000, "encoding": "mulaw8"}
    config |= {"vocab_size": 256, "widen": 2, "expand": 2, "d_state": 16, "d_conv": 4}
    return config | {"norm_eps": 1e-5, "about": {"made by": "tests/golden/make_s4d_golden.py"}} | more


def tokens_of(steps, seed):
    """A chord with a little noise, quiet for a while: what the mu-law codes of sound look like."""
    g = np.random.default_rng(seed)
    t = np.arange(steps)
    sound = sum(a * np.sin(2 * np.pi * f * t / 16000) for a, f in ((0.3, 220), (0.2, 1661), (0.1, 5274)))
    sound = (sound + g.normal(0, 0.02, steps)) * np.where((t > steps // 2) & (t < steps // 2 + 40), 0, 1)
    mu = np.sign(sound) * np.log1p(255 * np.abs(sound)) / math.log(256)
    return np.floor((mu + 1) / 2 * 255 + 0.5).astype(np.uint8)


def make():
    models = (
        (config_of("s4d-unet", d_model=16, pool=[4, 4], layers=[2, 1, 1], mixer=["s4d", "s6", "s6"]), [8], False),
        (config_of("s4d-flat", d_model=20, pool=[], layers=[3], mixer=["s4d"], d_conv=3), [5, 16, 3], True),
    )
    for seed, (config, states, biases) in enumerate(models, 1):
        tensors = random_model(config, states, biases, seed)
        tokens = tokens_of(360, 10 + seed)
        logits = Network(config, tensors).logits(tokens)
        name = config["name"]
        write_safetensors(HERE / f"{name}.safetensors", tensors, {"mambo.config": json.dumps(config)})
        golden = {"tokens": tokens, "logits": logits.astype(np.float32)}
        write_safetensors(HERE / f"{name}.golden.safetensors", golden)
        print(f"{name}: {sum(a.size for a in tensors.values())} parameters, {len(tokens)} steps, "
              f"logits {logits.min():.2f} to {logits.max():.2f}, deviation {logits.std():.2f}")


def check():
    worst = 0
    for name in ("rand-unet-p4", "rand-flat", "s4d-unet", "s4d-flat"):
        if not (HERE / f"{name}.safetensors").exists():
            continue
        metadata, tensors = read_safetensors(HERE / f"{name}.safetensors")
        golden = read_safetensors(HERE / f"{name}.golden.safetensors")[1]
        logits = Network(json.loads(metadata["mambo.config"]), tensors).logits(golden["tokens"])
        off = np.abs(logits - golden["logits"]).max()
        print(f"{name}: max |d logit| {off:.1e} over {len(logits)} steps")
        worst = max(worst, off)
    return worst < 1e-5


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--check", action="store_true", help="compare with the logits that are there")
    with torch.no_grad():
        if options.parse_args().check:
            sys.exit(0 if check() else "the logits differ")
        make()
