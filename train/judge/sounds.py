"""WAV files for the judges: any that libsndfile reads if python3-soundfile is installed, else 16-bit PCM."""
from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

try:
    import soundfile
except (ImportError, OSError):
    soundfile = None


class JudgeError(Exception):
    """An error that the user can correct; its text says how."""


def read(path: Path) -> tuple[np.ndarray, int]:
    """-> (mono float32, samples per second)"""
    try:
        if soundfile is not None:
            x, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
            return x.mean(1), rate
        with wave.open(str(path), "rb") as f:
            if f.getsampwidth() != 2:
                raise JudgeError(f"{path}: not 16-bit PCM; for other WAV files, apt-get install python3-soundfile")
            x = np.frombuffer(f.readframes(f.getnframes()), "<i2").astype(np.float32) / 32768
            return x.reshape(-1, f.getnchannels()).mean(1), f.getframerate()
    except (RuntimeError, wave.Error, EOFError, OSError) as e:
        raise JudgeError(f"{path}: {e or type(e).__name__}") from None


def find(folder: Path) -> list[Path]:
    """The WAV files of the folder and its subfolders, in a stable order."""
    if not folder.is_dir():
        raise JudgeError(f"no such folder: {folder}")
    files = sorted(folder.rglob("*.wav"))
    if not files:
        raise JudgeError(f"no WAV files in {folder}")
    return files


def one_second(path: Path, rate: int = 16000) -> np.ndarray:
    """A clip of exactly one second; one that is a little short or long is padded or cut."""
    x, found = read(path)
    if found != rate or not 0.5 * rate <= len(x) <= 1.5 * rate:
        raise JudgeError(f"{path}: {len(x)} samples at {found} Hz; clips have one second at {rate} Hz")
    return np.pad(x, (0, max(0, rate - len(x))))[:rate]
