"""Reads files of torch.save that hold tensors and plain values, and runs nothing that a file says.

torch.load of PyTorch 1.x runs whatever a file names, and its weights_only knows no plain numbers before 2.0; so here no
version's is used. The pickle may hold dictionaries, lists, tuples, texts, numbers and tensors (class and function names
are looked up in a table of three), and no array is larger than what the file holds of it.
"""
from __future__ import annotations

import collections
import math
import pickle
import zipfile
from pathlib import Path

import torch

DTYPES = {"FloatStorage": torch.float32, "DoubleStorage": torch.float64, "HalfStorage": torch.float16,
          "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
          "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool}
# What makes plain values and calls the table's two functions: not INST, OBJ and NEWOBJ, which make objects, nor EXT, which
# names by number. BUILD, which sets attributes (a state_dict has _metadata), sets none here. Memory is a dictionary, so that
# an index that a file names allocates nothing.
OPCODES = b"".join((
    pickle.PROTO, pickle.STOP, pickle.MARK, pickle.GLOBAL, pickle.REDUCE, pickle.BINPERSID, pickle.NONE, pickle.NEWTRUE,
    pickle.NEWFALSE, pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.BINFLOAT, pickle.BINUNICODE,
    pickle.EMPTY_DICT, pickle.EMPTY_LIST, pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3,
    pickle.APPEND, pickle.APPENDS, pickle.SETITEM, pickle.SETITEMS, pickle.BINGET, pickle.LONG_BINGET, pickle.BINPUT,
    pickle.LONG_BINPUT, pickle.BUILD))
MOST_PICKLE = 1 << 22  # bytes; those of train.fit have a fifth of a megabyte


class Unplain(Exception):
    """The file holds something else. The text says what, without quoting more than a name."""


def _tensor(storage, offset, size, stride, requires_grad=False, hooks=None):
    if not isinstance(storage, torch.Tensor) or math.prod(size) > storage.numel() or min((*size, *stride, 0)) < 0:
        raise Unplain("a tensor larger than its data")
    return torch.as_strided(storage, size, stride, offset)  # which checks the end


GLOBALS = {("collections", "OrderedDict"): collections.OrderedDict, ("torch._utils", "_rebuild_tensor_v2"): _tensor}


class _Reader(pickle._Unpickler):  # the one in Python: the one in C takes any instruction and any index
    dispatch = {code: action for code, action in pickle._Unpickler.dispatch.items() if code in OPCODES}

    def __init__(self, file, archive: zipfile.ZipFile, folder: str, room: int):
        super().__init__(file, encoding="utf-8")
        self.archive, self.folder, self.storages, self.room = archive, folder, {}, room

    def load_build(self):
        self.stack.pop()
        if not isinstance(self.stack[-1], collections.OrderedDict):
            raise Unplain("attributes of a value that has none")

    dispatch[pickle.BUILD[0]] = load_build

    def find_class(self, module, name):
        if module == "torch" and name in DTYPES:
            return name  # nothing that could be called
        if (module, name) not in GLOBALS:
            raise Unplain(f"{module}.{name}"[:100])
        return GLOBALS[module, name]

    def persistent_load(self, what):
        kind, storage, key, _, count = what
        if kind != "storage" or storage not in DTYPES or not isinstance(key, str):
            raise Unplain("data of an unknown kind")
        if (key, storage) not in self.storages:
            entry, empty = f"{self.folder}/data/{key}", torch.empty(0, dtype=DTYPES[storage])
            size = self.archive.getinfo(entry).file_size
            self.room -= size
            if size != count * empty.element_size() or self.room < 0:  # entries may overlap: all together are a file at most
                raise Unplain("data of another length than it says")
            data = bytearray(self.archive.read(entry))
            self.storages[key, storage] = torch.frombuffer(data, dtype=DTYPES[storage]) if data else empty
        return self.storages[key, storage]


def read(path: Path):
    """What torch.save wrote into `path`. Raises Unplain with a reason, or OSError. Takes memory in proportion to the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            # torch.save compresses nothing: what is compressed could be a thousand times as large as the file.
            names = [entry.filename for entry in archive.infolist()]
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise Unplain("compressed data")
            pickles = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
            if len(pickles) != 1:
                raise Unplain("no archive of torch.save")
            folder = pickles[0].split("/")[0]
            order = f"{folder}/byteorder"
            if order in names and archive.read(order) != b"little":
                raise Unplain("numbers of a big-endian machine")
            if archive.getinfo(pickles[0]).file_size > MOST_PICKLE:
                raise Unplain("more values than a checkpoint has")
            with archive.open(pickles[0]) as file:
                return _Reader(file, archive, folder, path.stat().st_size).load()
    except (Unplain, OSError):
        raise
    except zipfile.BadZipFile:
        raise Unplain("no archive of torch.save") from None
    except RecursionError:
        raise Unplain("values nested without end") from None
    except Exception as e:  # a damaged pickle fails in many ways: KeyError of an instruction, IndexError of its stack, ...
        raise Unplain(f"a damaged list of values ({type(e).__name__})") from None
