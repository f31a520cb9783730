"""16-bit WAV files, and the folder a recipe writes to. The standard library and numpy only."""
from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

RATE = 16000  # of everything that the recipes make


class RecipeError(Exception):
    """An error that the user can correct; its text says how."""


def read(path: Path) -> tuple[np.ndarray, int]:
    """-> (mono float32 from -1 to 1, samples per second). 16-bit PCM, which is what the synthesisers write."""
    with wave.open(str(path), "rb") as f:
        if f.getsampwidth() != 2:
            raise RecipeError(f"{path}: not 16-bit PCM")
        x = np.frombuffer(f.readframes(f.getnframes()), "<i2").astype(np.float32) / 32768
        return x.reshape(-1, f.getnchannels()).mean(1), f.getframerate()


def write(path: Path, x: np.ndarray, rate: int = RATE) -> None:
    codes = np.clip(np.rint(np.asarray(x, np.float64) * 32767), -32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(rate)
        f.writeframes(codes.tobytes())


def new_folder(out: Path) -> None:
    """Makes OUT/train and OUT/held-out. A folder that is not empty is refused."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RecipeError(f"{out} is not empty: name a new folder with -o, or remove that one")
    for part in ("train", "held-out"):
        (out / part).mkdir(parents=True, exist_ok=True)


def rms_db(x: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(x, dtype=np.float64)) + 1e-12))


def gain(db: float) -> float:
    return float(10 ** (db / 20))
