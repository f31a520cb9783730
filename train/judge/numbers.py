"""Inception score and Fréchet distance, in numpy."""
from __future__ import annotations

import numpy as np


def inception_score(probabilities: np.ndarray) -> float:
    """exp of the mean KL divergence between each clip's classes and those of all: 1 (nothing told apart, or all the
    same) to the number of classes (each sure, and all as frequent)."""
    p = np.asarray(probabilities, np.float64)
    p = np.clip(p / p.sum(1, keepdims=True), 1e-12, 1)
    return float(np.exp(np.mean(np.sum(p * (np.log(p) - np.log(p.mean(0, keepdims=True))), 1))))


def root(m: np.ndarray) -> np.ndarray:
    """The square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh((m + m.T) / 2)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Between Gaussians fitted to two sets of feature rows: |ma - mb|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2)."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if len(a) < 2 or len(b) < 2:
        raise ValueError("a covariance needs two clips or more")
    ca, cb = np.atleast_2d(np.cov(a, rowvar=False)), np.atleast_2d(np.cov(b, rowvar=False))
    half = root(ca)
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(half @ cb @ half), 0, None)).sum()
    return float(max(0.0, np.square(a.mean(0) - b.mean(0)).sum() + np.trace(ca) + np.trace(cb) - 2 * cross))
