#!/usr/bin/env python3
"""Reads a file of `mambo probe` with numpy alone, and prints when each layer is at its most selective.

  mambo probe --layers down.0.0,center.0 --audio riff.wav -o riff.safetensors
  python3 examples/read_probe.py riff.safetensors

safetensors: 8 bytes of length, that much JSON (name -> dtype, shape, data_offsets), then the tensors.
"""
import json
import sys

import numpy as np


def read_probe(path):
    """{name: array, not read before it is used}, and what mambo says about the file."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    about = json.loads(header.pop("__metadata__")["mambo.probe"])
    data = np.memmap(path, mode="r", offset=8 + length) if any(
        t["data_offsets"][1] for t in header.values()) else np.empty(0, np.uint8)
    dtypes = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "U8": np.dtype("u1")}
    tensors = {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        tensors[name] = data[begin:end].view(dtypes[t["dtype"]]).reshape(t["shape"])
    return tensors, about


def seconds(about, layer, rows):
    """When each row of a layer was computed, in seconds of the sound file."""
    of = about["layers"][layer]
    step = np.arange(rows) * of["steps_per_row"]
    return about["from_seconds"] + (step + 1) * of["samples_per_step"] / about["sample_rate_hz"]


def main():
    tensors, about = read_probe(sys.argv[1])
    print(f"{tensors['tokens'].size / about['sample_rate_hz']:.2f} s, {len(tensors)} tensors")
    for layer in about["layers"]:
        delta = tensors[layer + ".delta"].astype(np.float64).mean(axis=1)
        if delta.size:
            at = seconds(about, layer, delta.size)[delta.argmax()]
            print(f"{layer:<12} mean of delta {delta.mean():.4f}, most {delta.max():.4f} at {at:.3f} s")


if __name__ == "__main__":
    main()
