"""The selective scan (S6): h[t] = exp(delta[t] A) h[t-1] + delta[t] u[t] B[t], y[t] = C[t] h[t] + D u[t].

Gu & Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", arXiv 2312.00752, section 3.

Four ways to compute it:
  scan_literal   one step after the other, literally the equations: the oracle of the tests.
  scan_chunks    plain PyTorch for any device, 2 sqrt(L) sequential steps instead of L; autograd does the
                 backward pass and keeps every state.
  cpu_scan       for a CPU, in its cache (train/cpu_scan.py).
  triton_scan    the fused kernels for a GPU (train/triton_scan.py).
`selective_scan` picks among the last three.

Shapes, everywhere: u, delta [B, L, D]; Bm, C [B, L, N]; A [D, N], negative; D [D]; y [B, L, D].
The state starts at zero: training crops start in silence.
"""
from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from . import cpu_scan

try:  # Triton comes with PyTorch's CUDA builds and is absent elsewhere.
    from . import triton_scan
except ImportError:
    triton_scan = None


def scan_literal(u, delta, A, Bm, C, D):
    """One step at a time, in the dtype of its inputs (float64 in tests). O(L) Python steps."""
    h = u.new_zeros(u.shape[0], u.shape[2], A.shape[1])
    out = []
    for t in range(u.shape[1]):
        decay = torch.exp(delta[:, t, :, None] * A)
        h = decay * h + (delta[:, t] * u[:, t])[:, :, None] * Bm[:, t, None, :]
        out.append((h * C[:, t, None, :]).sum(-1) + D * u[:, t])
    return torch.stack(out, 1)


def scan_chunks(u, delta, A, Bm, C, D):
    """The same in about sqrt(L) chunks that run in parallel, then a scan over the chunks' ends.

    A chunk's answer to the state before it is that state times the product of the decays so far, and
    decays only multiply: nothing is divided, so nothing overflows.
    """
    batch, length, channels = u.shape
    states = A.shape[1]
    size = max(1, math.isqrt(length))
    chunks = -(-length // size)
    pad = chunks * size - length
    if pad:  # delta = 0 keeps the state, u = 0 adds nothing
        u, delta, Bm, C = (F.pad(x, (0, 0, 0, pad)) for x in (u, delta, Bm, C))

    def split(x):
        return x.reshape(batch, chunks, size, x.shape[-1])

    u_, delta_, B_, C_ = split(u), split(delta), split(Bm), split(C)
    drive = (delta_ * u_)[..., None] * B_[:, :, :, None, :]  # [B, chunks, size, D, N]
    decay = torch.exp(delta_[..., None] * A)

    # unbind, not one index per step: the gradient of an index is a whole tensor of zeros with one part filled.
    local, h = [], u.new_zeros(batch, chunks, channels, states)
    for a, b in zip(decay.unbind(2), drive.unbind(2)):
        h = a * h + b
        local.append(h)
    local = torch.stack(local, 2)
    reach = torch.exp(torch.cumsum(delta_, 2)[..., None] * A)  # product of decays from the chunk's start

    carry, before = u.new_zeros(batch, channels, states), []
    for a, b in zip(reach[:, :, -1].unbind(1), h.unbind(1)):
        before.append(carry)
        carry = a * carry + b
    before = torch.stack(before, 1)

    h = local + reach * before[:, :, None]
    y = (h * C_[:, :, :, None, :]).sum(-1).reshape(batch, chunks * size, channels)
    return y[:, :length] + D * u[:, :length]


def selective_scan(u, p, dt_bias, A_log, D):
    """The mixer's core. u [B, L, D]; p [B, L, D + 2N], each step's delta before bias and softplus, then its B,
    then its C; dt_bias [D]; A_log [D, N], A = -exp(A_log); D [D].
    Gives y [B, L, D] in u's dtype; sums and states are float32 (float64 if the inputs are)."""
    if triton_scan is not None and u.is_cuda:
        return triton_scan.SelectiveScan.apply(u, p, dt_bias, A_log, D)
    wide = torch.promote_types(u.dtype, torch.float32)
    channels, states = A_log.shape
    raw, Bm, C = p.to(wide).split([channels, states, states], -1)
    delta = F.softplus(raw + dt_bias.to(wide))
    scan = scan_chunks if u.is_cuda else cpu_scan.Scan.apply
    return scan(u.to(wide), delta, -torch.exp(A_log.to(wide)), Bm, C, D.to(wide)).to(u.dtype)
