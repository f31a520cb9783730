"""Changes what a model file says of itself: python -m train.about MODEL.safetensors [-o FILE] --ranges JSON ...

The tensors stay byte for byte. The file's hash is another afterwards: recipes and performances made with it before ask
for the file as it was. Needs no PyTorch.
"""
from __future__ import annotations

import argparse
import json
import os
import struct
import sys
from pathlib import Path

from . import config as configs
from .config import UserError

MOST = 1 << 24  # bytes of a header, as the program reads them


def split(data: bytes, path) -> tuple[dict, bytes]:
    """-> (header, tensors)"""
    try:
        length = struct.unpack("<Q", data[:8])[0]
        if length > MOST or 8 + length > len(data):
            raise ValueError(f"its header has {length} bytes")
        header = json.loads(data[8:8 + length])
        native = json.loads(header["__metadata__"]["mambo.config"])
        if not isinstance(native, dict) or not isinstance(native.get("about", {}), dict):
            raise ValueError("its mambo.config is no object, or about in it")
    except (struct.error, ValueError, KeyError, TypeError) as e:
        raise UserError(f"{path}: expected a native model file, a safetensors file with mambo.config ({e})") from None
    return header, data[8 + length:]


def joined(header: dict, tensors: bytes) -> bytes:
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + tensors


def say_sampling(about: dict, args, defaults: dict, ranges: dict, path) -> None:
    """Puts --defaults and --ranges, else what `path` says, into `about`."""
    for key, said, check, otherwise in (("defaults", args.defaults, configs.check_defaults, defaults),
                                        ("ranges", args.ranges, configs.check_ranges, ranges)):
        values = dict(otherwise)
        if said:
            try:
                values = json.loads(said)
            except json.JSONDecodeError as e:
                raise UserError(f"--{key}: expected a JSON object, found an error: {e}") from None
        check(values, f"--{key}" if said else f"{path}: {key}")
        if values:
            about[key] = values


def say_more(about: dict, items: list[str]) -> None:
    """KEY=VALUE of --about; VALUE may be JSON."""
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise UserError(f"--about {item}: expected KEY=VALUE")
        try:
            about[key] = json.loads(value)
        except json.JSONDecodeError:
            about[key] = value


def add_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--about", action="append", default=[], metavar="KEY=VALUE",
                   help="more provenance: data, licence, ...; VALUE may be JSON; may be given again")
    p.add_argument("--defaults", metavar="JSON", help='sampling settings, e.g. {"temperature": 0.95, "top_p": 0.98}')
    p.add_argument("--ranges", metavar="JSON", help='where they are useful, e.g. {"temperature": [0.7, 1.05]}')


def change(args) -> Path:
    path = Path(args.model)
    header, tensors = split(path.read_bytes(), path)
    native = json.loads(header["__metadata__"]["mambo.config"])
    about = native.setdefault("about", {})
    say_more(about, args.about)
    say_sampling(about, args, about.get("defaults", {}), about.get("ranges", {}), path)
    header["__metadata__"]["mambo.config"] = json.dumps(native, ensure_ascii=False)
    target = Path(args.output or path)
    aside = target.with_name(target.name + ".part")
    try:
        aside.write_bytes(joined(header, tensors))
        os.replace(aside, target)
    except OSError as e:
        aside.unlink(missing_ok=True)
        raise OSError(e.errno, e.strerror, str(target)) from e
    return target


def main(argv=None) -> int:
    p = argparse.ArgumentParser(prog="python -m train.about", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", metavar="MODEL", help="a native model file, .safetensors")
    p.add_argument("-o", "--output", metavar="FILE", help="the changed file (default: MODEL itself)")
    add_options(p)
    args = p.parse_args(argv)
    try:
        if not (args.about or args.defaults or args.ranges):
            raise UserError("expected --defaults, --ranges or --about, found none")
        target = change(args)
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    except OSError as e:
        print(f"error: {e.filename or args.model}: {e.strerror or e}", file=sys.stderr)
        return 2
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
