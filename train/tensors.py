"""safetensors files without the safetensors package: eight bytes of length, a JSON header, the tensors."""
from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import torch

NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.uint8: "U8"}
TYPES = {v: k for k, v in NAMES.items()}


def write(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """Written under a temporary name and renamed: the file is complete or as it was."""
    header: dict = {"__metadata__": metadata}
    at = 0
    for name, t in tensors.items():
        size = t.numel() * t.element_size()
        header[name] = {"dtype": NAMES[t.dtype], "shape": list(t.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    aside = path.with_name(path.name + ".part")
    try:
        with open(aside, "wb") as f:
            f.write(struct.pack("<Q", len(text)) + text)
            for t in tensors.values():
                f.write(t.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        os.replace(aside, path)
    except OSError as e:
        aside.unlink(missing_ok=True)
        raise OSError(e.errno, e.strerror, str(path)) from e


def read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """(tensors, metadata). Raises ValueError if the file is not a safetensors file."""
    data = Path(path).read_bytes()
    try:
        length = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + length])
        if not isinstance(header, dict):
            raise ValueError(f"its header is {type(header).__name__}")
        metadata = header.pop("__metadata__", None) or {}
        body = memoryview(data)[8 + length:]
        out, room = {}, len(body)
        for name, t in header.items():
            a, b = t["data_offsets"]
            room -= b - a
            if not 0 <= a <= b <= len(body) or room < 0:  # none is taken twice
                raise ValueError(f"{name} lies outside its data or on another tensor")
            out[name] = torch.frombuffer(bytearray(body[a:b]), dtype=TYPES[t["dtype"]]).reshape(t["shape"])
    except (struct.error, ValueError, KeyError, TypeError, RuntimeError) as e:
        raise ValueError(f"{path}: expected a safetensors file ({e})") from None
    return out, metadata
