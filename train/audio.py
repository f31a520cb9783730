"""Audio files to codes and back. Any file that libsndfile reads if python3-soundfile is installed, else WAV."""
from __future__ import annotations

import math
import wave
from pathlib import Path

import numpy as np

from .config import UserError

try:
    import soundfile
except (ImportError, OSError):
    soundfile = None
try:
    from scipy.signal import resample_poly
except ImportError:
    resample_poly = None

SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".caf", ".w64", ".au", ".snd"}


def find(folder: Path) -> list[Path]:
    """All audio files below a folder, in a stable order; hidden ones are left out."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()
                  and not any(part.startswith(".") for part in p.relative_to(folder).parts))


NOT_READ = {".m4a", ".mp4", ".aac", ".wma", ".mov", ".webm", ".mka", ".ape", ".wv"}  # libsndfile does not


def others(folder: Path) -> list[Path]:
    """Sound files below a folder in formats that cannot be read."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in NOT_READ and p.is_file())


BLOCK = 1 << 20  # samples read at a time: an hour of audio takes the memory of an hour of float32, no more


def _read_soundfile(path: Path) -> tuple[np.ndarray, int]:
    """In blocks: the length in a damaged header cannot be trusted."""
    with soundfile.SoundFile(str(path)) as f:
        parts = []
        while len(block := f.read(BLOCK, dtype="float32", always_2d=True)):
            parts.append(block.mean(1, dtype=np.float32))
        return np.concatenate(parts) if parts else np.zeros(0, np.float32), f.samplerate


def _read_wave(path: Path) -> tuple[np.ndarray, int]:
    try:
        with wave.open(str(path), "rb") as f:
            width, channels, rate = f.getsampwidth(), f.getnchannels(), f.getframerate()
            raw = f.readframes(f.getnframes())
    except wave.Error as e:
        raise ValueError(f"{e}; without python3-soundfile only plain PCM WAV can be read") from None
    raw = raw[:len(raw) // (width * channels) * width * channels]  # a file that was cut off
    if width == 1:
        x = (np.frombuffer(raw, np.uint8).astype(np.float32) - 128) / 128
    elif width == 2:
        x = np.frombuffer(raw, "<i2").astype(np.float32) / 32768
    elif width == 3:
        b = np.frombuffer(raw, np.uint8).reshape(-1, 3).astype(np.int32)
        x = ((b[:, 0] << 8 | b[:, 1] << 16 | b[:, 2] << 24) >> 8).astype(np.float32) / 8388608
    else:
        x = np.frombuffer(raw, "<i4").astype(np.float32) / 2147483648
    return x.reshape(-1, channels).mean(1, dtype=np.float32), rate


def read(path: Path, rate: int) -> np.ndarray:
    """Mono float32 at `rate`. Raises ValueError with a reason if it cannot be read."""
    try:
        if soundfile is not None:
            x, found = _read_soundfile(path)
        elif path.suffix.lower() == ".wav":
            x, found = _read_wave(path)
        else:
            raise ValueError("only WAV can be read without python3-soundfile")
    except (RuntimeError, EOFError, OSError, MemoryError) as e:
        raise ValueError(str(e) or type(e).__name__) from None
    if found < 1:
        raise ValueError(f"it has a sampling rate of {found}")
    if not np.isfinite(x).all():
        raise ValueError("it holds samples that are no numbers")
    return resample(x, found, rate)


def resample(x: np.ndarray, found: int, rate: int) -> np.ndarray:
    if found == rate:
        return x
    if resample_poly is None:
        raise UserError(f"a file is at {found} Hz and the model at {rate} Hz: resampling needs SciPy, "
                        "which is not installed (Debian: python3-scipy)")
    shared = math.gcd(found, rate)
    return resample_poly(x, rate // shared, found // shared).astype(np.float32)


def encode(x: np.ndarray, encoding: str) -> np.ndarray:
    """float [-1, 1] -> codes 0..255; values beyond are clipped. Silence is 128."""
    x = np.asarray(x)
    out = np.empty(x.shape, np.uint8)
    for begin in range(0, len(x), BLOCK):
        y = np.clip(x[begin:begin + BLOCK].astype(np.float64), -1, 1)
        if encoding == "mulaw8":
            y = np.sign(y) * np.log1p(255 * np.abs(y)) / math.log(256)
        out[begin:begin + BLOCK] = np.floor((y + 1) / 2 * 255 + 0.5)
    return out


def decode(codes: np.ndarray, encoding: str) -> np.ndarray:
    y = 2 * np.asarray(codes, np.float64) / 255 - 1
    if encoding == "mulaw8":
        y = np.sign(y) * (np.power(256.0, np.abs(y)) - 1) / 255
    return y.astype(np.float32)
