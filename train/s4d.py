"""The time-invariant mixer: a diagonal, complex SSM (S4D).

Gu et al., "On the Parameterization and Initialization of Diagonal State Space Models", arXiv 2206.11893.
With dt = exp(log_dt), A = -exp(A_log) + i A_im and zero-order hold:
    h[t] = exp(dt A) h[t-1] + u[t],    y[t] = 2 Re(sum_m C_m (exp(dt A_m) - 1)/A_m h_m[t]) + D u[t].

s4d_literal is the equations; s4d_chunks serves any device: the dynamics do not depend on the input, so a chunk is one
matrix product per channel, and only the end states of the chunks are sequential; on a GPU a fused
scan (train/triton_s4d.py) moves a tenth of the data.

Shapes: u [B, L, D]; log_dt, D [D]; A_log, A_im [D, M]; C [D, M, 2] (real, imaginary); y [B, L, D].
"""
from __future__ import annotations

import torch
import torch.nn.functional as F

try:  # Triton comes with PyTorch's CUDA builds and is absent elsewhere.
    from . import triton_s4d
except ImportError:
    triton_s4d = None

CHUNK = 128  # steps in one matrix product


def discretise(log_dt, A_log, A_im, C):
    """(dt A, c): complex [D, M]; the decay per step is exp(dt A), and y = Re(sum c h) + D u."""
    A = torch.complex(-torch.exp(A_log), A_im)
    dtA = torch.exp(log_dt)[:, None] * A
    # exp(dt A) - 1 without the cancellation, which costs float32 three digits where dt is small.
    x, y = dtA.real, dtA.imag
    less_one = torch.complex(torch.expm1(x) * torch.cos(y) - 2 * torch.sin(y / 2) ** 2, torch.exp(x) * torch.sin(y))
    return dtA, 2 * torch.view_as_complex(C.contiguous()) * less_one / A


def s4d_literal(u, log_dt, A_log, A_im, C, D):
    """One step after the other, literally the equations: the oracle of the tests."""
    dtA, c = discretise(log_dt, A_log, A_im, C)
    decay = torch.exp(dtA)
    h = torch.zeros(u.shape[0], *decay.shape, dtype=decay.dtype)
    out = []
    for t in range(u.shape[1]):
        h = decay * h + u[:, t, :, None]
        out.append((c * h).sum(-1).real + D * u[:, t])
    return torch.stack(out, 1)


def s4d_chunks(u, log_dt, A_log, A_im, C, D, chunk: int = CHUNK):
    """The same in chunks: float32 (float64 if u is), in u's dtype out."""
    wide = torch.promote_types(u.dtype, torch.float32)
    x = u.to(wide)
    log_dt, A_log, A_im, C, D = (p.to(wide) for p in (log_dt, A_log, A_im, C, D))
    batch, length, channels = x.shape
    states = A_log.shape[1]
    T = min(chunk, length)
    chunks = -(-length // T)
    x = F.pad(x, (0, 0, 0, chunks * T - length))
    x = x.reshape(batch, chunks, T, channels).permute(3, 2, 0, 1).reshape(channels, T, batch * chunks)

    dtA, c = discretise(log_dt, A_log, A_im, C)
    steps = torch.arange(T + 1, device=u.device, dtype=wide)
    powers = torch.exp(dtA[..., None] * steps)  # [D, M, T+1]: decay over 0..T steps

    # The end state of each chunk from a zero state, then the initial state of each: h[g] =
    # decay^T h[g-1] + end[g-1], by doubling.
    into = powers[..., :T].flip(-1)
    end = torch.bmm(torch.cat([into.real, into.imag], 1), x)
    h = torch.complex(end[:, :states], end[:, states:]).reshape(channels, states, batch, chunks)
    h = F.pad(torch.view_as_real(h), (0, 0, 1, 0))[..., :chunks, :]
    h = torch.view_as_complex(h.contiguous())
    reach = 1
    while reach < chunks:
        moved = torch.view_as_complex(F.pad(torch.view_as_real(h), (0, 0, reach, 0))[..., :chunks, :].contiguous())
        h = h + torch.exp(dtA * (T * reach))[..., None, None] * moved
        reach *= 2

    # y = (the kernel as a lower triangle) u + (what the state before contributes).
    kernel = torch.einsum("dm,dmt->dt", c, powers[..., :T]).real
    ahead = torch.arange(T, device=u.device)
    triangle = F.pad(kernel, (T, 0))[:, T + ahead[:, None] - ahead[None, :]]
    out = c[..., None] * powers[..., 1:]  # [D, M, T]
    from_state = torch.cat([out.real, -out.imag], 1).transpose(1, 2)
    h = torch.cat([h.real, h.imag], 1).reshape(channels, 2 * states, batch * chunks)
    y = torch.bmm(triangle, x) + torch.bmm(from_state, h) + D[:, None, None] * x
    y = y.reshape(channels, T, batch, chunks).permute(2, 3, 1, 0).reshape(batch, chunks * T, channels)
    return y[:, :length].to(u.dtype)


def s4d_scan(u, log_dt, A_log, A_im, C, D):
    """For a block: the fused scan on a GPU, chunks elsewhere."""
    if triton_s4d is None or not u.is_cuda:
        return s4d_chunks(u, log_dt, A_log, A_im, C, D)
    dtA, c = discretise(*(p.float() for p in (log_dt, A_log, A_im, C)))
    a = torch.exp(dtA)
    return triton_s4d.S4dScan.apply(u, a.real, a.imag, c.real, c.imag, D)
