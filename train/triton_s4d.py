"""The time-invariant scan (S4D) on a GPU, forward and backward, in Triton; train/s4d.py holds the equations.

The scheme of train/triton_scan.py: one warp processes a chunk of time for a block of channels, and a pass over their
ends makes the chunks independent. It is simpler in two ways: the decays are constants, and only du has a time
dimension among the gradients, so all others are summed in registers. Complex numbers are pairs of tiles [channels, states].
"""
from __future__ import annotations

import torch
import triton
import triton.language as tl

from .triton_scan import chunking

CHANNELS = 16    # channels per program; one warp
STRIDE = 2       # one state in STRIDE is kept for the backward pass
FULL_GPU = 4096  # programs that fill a large GPU; with fewer, time is divided more finely


@triton.jit
def _ends4_kernel(x, are, aim, into, end, L, D, size, chunks, BACK: tl.constexpr,
                  M: tl.constexpr, MP: tl.constexpr, BD: tl.constexpr):
    """end [B, chunks, D, M, 2]. Forward: each chunk's last state from zero, h = a h + x. BACK: what it passes to the
    left, with x = dy: g = conj(a) (g + into dy), into [D, M, 2]."""
    c = tl.program_id(0) * BD + tl.arange(0, BD)
    k = tl.program_id(1)
    b = tl.program_id(2)
    m = tl.arange(0, MP)
    cm = c < D
    tile = cm[:, None] & (m < M)[None, :]
    at = c[:, None] * M + m[None, :]
    ar = tl.load(are + at, mask=tile, other=0.0)
    ai = tl.load(aim + at, mask=tile, other=0.0)
    hr = ar * 0.0
    hi = ar * 0.0
    cr = ar * 0.0
    ci = ar * 0.0
    if BACK:
        cr = tl.load(into + at * 2, mask=tile, other=0.0)
        ci = tl.load(into + at * 2 + 1, mask=tile, other=0.0)
    count = tl.minimum(size, L - k * size)
    row = b.to(tl.int64) * L + k * size
    for t in range(0, count):
        if BACK:
            v = tl.load(x + (row + count - 1 - t) * D + c, mask=cm, other=0.0).to(tl.float32)[:, None]
            gr = hr + cr * v
            gi = hi + ci * v
            hr = ar * gr + ai * gi
            hi = ar * gi - ai * gr
        else:
            v = tl.load(x + (row + t) * D + c, mask=cm, other=0.0).to(tl.float32)[:, None]
            nr = ar * hr - ai * hi + v
            hi = ar * hi + ai * hr
            hr = nr
    out = end + ((b * chunks + k).to(tl.int64) * D * M + at) * 2
    tl.store(out, hr, mask=tile)
    tl.store(out + 1, hi, mask=tile)


@triton.jit
def _carry4_kernel(end, are, aim, D, chunks, REVERSE: tl.constexpr,
                   M: tl.constexpr, MP: tl.constexpr, BD: tl.constexpr):
    """In place: from the end state of each chunk to the initial state of each; (are, aim) the decay over a whole chunk,
    conjugate if REVERSE. The last chunk may be shorter, but nothing passes through it."""
    c = tl.program_id(0) * BD + tl.arange(0, BD)
    b = tl.program_id(1)
    m = tl.arange(0, MP)
    tile = (c < D)[:, None] & (m < M)[None, :]
    at = c[:, None] * M + m[None, :]
    ar = tl.load(are + at, mask=tile, other=0.0)
    ai = tl.load(aim + at, mask=tile, other=0.0)
    hr = ar * 0.0
    hi = ar * 0.0
    for i in range(0, chunks):
        k = chunks - 1 - i if REVERSE else i
        here = end + ((b * chunks + k).to(tl.int64) * D * M + at) * 2
        er = tl.load(here, mask=tile, other=0.0)
        ei = tl.load(here + 1, mask=tile, other=0.0)
        tl.store(here, hr, mask=tile)
        tl.store(here + 1, hi, mask=tile)
        if REVERSE:
            nr = ar * hr + ai * hi + er
            hi = ar * hi - ai * hr + ei
        else:
            nr = ar * hr - ai * hi + er
            hi = ar * hi + ai * hr + ei
        hr = nr


@triton.jit
def _walk4_kernel(u, are, aim, cre, cim, skip, begin, y, kept, L, D, size, chunks, groups,
                  CARRIED: tl.constexpr, KEEP: tl.constexpr, STRIDE: tl.constexpr,
                  M: tl.constexpr, MP: tl.constexpr, BD: tl.constexpr):
    """y [B, L, D]; kept [B, groups, 2, D, M]: the state before every STRIDE-th step, if KEEP."""
    c = tl.program_id(0) * BD + tl.arange(0, BD)
    k = tl.program_id(1)
    b = tl.program_id(2)
    m = tl.arange(0, MP)
    cm = c < D
    tile = cm[:, None] & (m < M)[None, :]
    at = c[:, None] * M + m[None, :]
    ar = tl.load(are + at, mask=tile, other=0.0)
    ai = tl.load(aim + at, mask=tile, other=0.0)
    cr = tl.load(cre + at, mask=tile, other=0.0)
    ci = tl.load(cim + at, mask=tile, other=0.0)
    d = tl.load(skip + c, mask=cm, other=0.0).to(tl.float32)
    hr = ar * 0.0
    hi = ar * 0.0
    if CARRIED:
        here = begin + ((b * chunks + k).to(tl.int64) * D * M + at) * 2
        hr = tl.load(here, mask=tile, other=0.0)
        hi = tl.load(here + 1, mask=tile, other=0.0)
    row = b.to(tl.int64) * L + k * size
    for q in range(0, tl.cdiv(tl.minimum(size, L - k * size), STRIDE)):
        if KEEP:
            here = kept + (b.to(tl.int64) * groups + k * (size // STRIDE) + q) * 2 * D * M + at
            tl.store(here, hr, mask=tile)
            tl.store(here + D * M, hi, mask=tile)
        for i in tl.static_range(STRIDE):
            inside = k * size + q * STRIDE + i < L
            r = (row + q * STRIDE + i) * D + c
            v = tl.load(u + r, mask=cm & inside, other=0.0).to(tl.float32)
            nr = ar * hr - ai * hi + v[:, None]
            hi = ar * hi + ai * hr
            hr = nr
            out = tl.sum(cr * hr - ci * hi, 1) + d * v
            tl.store(y + r, out.to(y.dtype.element_ty), mask=cm & inside)


@triton.jit
def _back4_kernel(u, are, aim, cre, cim, skip, begin, kept, dy, du, parts, dskip, L, D, size, chunks, groups,
                  CARRIED: tl.constexpr, STRIDE: tl.constexpr,
                  M: tl.constexpr, MP: tl.constexpr, BD: tl.constexpr):
    """du [B, L, D]; to be summed: parts [B, chunks, 4, D, M] of a (real, imaginary) and c, dskip [B, chunks, D]."""
    c = tl.program_id(0) * BD + tl.arange(0, BD)
    k = tl.program_id(1)
    b = tl.program_id(2)
    m = tl.arange(0, MP)
    cm = c < D
    tile = cm[:, None] & (m < M)[None, :]
    at = c[:, None] * M + m[None, :]
    ar = tl.load(are + at, mask=tile, other=0.0)
    ai = tl.load(aim + at, mask=tile, other=0.0)
    cr = tl.load(cre + at, mask=tile, other=0.0)
    ci = tl.load(cim + at, mask=tile, other=0.0)
    d = tl.load(skip + c, mask=cm, other=0.0).to(tl.float32)
    gr = ar * 0.0
    gi = ar * 0.0
    part = (b * chunks + k).to(tl.int64)
    if CARRIED:
        here = begin + (part * D * M + at) * 2
        gr = tl.load(here, mask=tile, other=0.0)
        gi = tl.load(here + 1, mask=tile, other=0.0)
    sum_ar = ar * 0.0
    sum_ai = ar * 0.0
    sum_cr = ar * 0.0
    sum_ci = ar * 0.0
    sum_skip = tl.zeros((BD,), tl.float32)
    row = b.to(tl.int64) * L + k * size
    count = tl.cdiv(tl.minimum(size, L - k * size), STRIDE)
    for q in range(0, count):
        group = count - 1 - q
        here = kept + (b.to(tl.int64) * groups + k * (size // STRIDE) + group) * 2 * D * M + at
        hr = tl.load(here, mask=tile, other=0.0)
        hi = tl.load(here + D * M, mask=tile, other=0.0)
        res = (hr,)
        ims = (hi,)
        first = k * size + group * STRIDE
        r0 = row + group * STRIDE
        for i in tl.static_range(STRIDE - 1):
            v = tl.load(u + (r0 + i) * D + c, mask=cm & (first + i < L), other=0.0).to(tl.float32)[:, None]
            nr = ar * hr - ai * hi + v
            hi = ar * hi + ai * hr
            hr = nr
            res = res + (hr,)
            ims = ims + (hi,)
        for i in tl.static_range(STRIDE):
            inside = first + (STRIDE - 1 - i) < L
            r = (r0 + (STRIDE - 1 - i)) * D + c
            v = tl.load(u + r, mask=cm & inside, other=0.0).to(tl.float32)
            o = tl.load(dy + r, mask=cm & inside, other=0.0).to(tl.float32)
            pr = res[STRIDE - 1 - i]
            pi = ims[STRIDE - 1 - i]
            sum_cr += (ar * pr - ai * pi + v[:, None]) * o[:, None]
            sum_ci -= (ar * pi + ai * pr) * o[:, None]
            gr += cr * o[:, None]
            gi -= ci * o[:, None]
            tl.store(du + r, (tl.sum(gr, 1) + d * o).to(du.dtype.element_ty), mask=cm & inside)
            keep = tl.where(inside, 1.0, 0.0)  # beyond the end: no decay
            sum_ar += (gr * pr + gi * pi) * keep
            sum_ai += (gi * pr - gr * pi) * keep
            nr = ar * gr + ai * gi
            gi = tl.where(inside, ar * gi - ai * gr, gi)
            gr = tl.where(inside, nr, gr)
            sum_skip += o * v
    out = parts + part * 4 * D * M + at
    tl.store(out, sum_ar, mask=tile)
    tl.store(out + D * M, sum_ai, mask=tile)
    tl.store(out + 2 * D * M, sum_cr, mask=tile)
    tl.store(out + 3 * D * M, sum_ci, mask=tile)
    tl.store(dskip + part * D + c, sum_skip, mask=cm)


class S4dScan(torch.autograd.Function):
    """y = Re(sum c h) + D u, h = a h + u. u [B, L, D]; a, c as float32 pairs of [D, M]; D [D]."""

    @staticmethod
    def forward(ctx, u, are, aim, cre, cim, D):
        u = u.contiguous()
        are, aim, cre, cim = (x.contiguous() for x in (are, aim, cre, cim))
        B, L, Dn = u.shape
        M = are.shape[1]
        size, chunks = chunking(B, L, Dn, CHANNELS, STRIDE, FULL_GPU)
        grid = (triton.cdiv(Dn, CHANNELS), chunks, B)
        shape = dict(M=M, MP=triton.next_power_of_2(M), BD=CHANNELS, num_warps=1)
        wide = dict(device=u.device, dtype=torch.float32)
        begin, over = u, ()
        if chunks > 1:
            # In double precision: the scan multiplies by exactly this a, `size` times.
            a = torch.complex(are.double(), aim.double()) ** size
            over = a.real.float().contiguous(), a.imag.float().contiguous()
            begin = torch.empty(B, chunks, Dn, M, 2, **wide)
            _ends4_kernel[grid](u, are, aim, begin, begin, L, Dn, size, chunks, BACK=False, **shape)
            _carry4_kernel[(grid[0], B)](begin, *over, Dn, chunks, REVERSE=False, **shape)
        keep = any(ctx.needs_input_grad)
        groups = triton.cdiv(L, STRIDE)
        y = torch.empty_like(u)
        kept = torch.empty(B, groups, 2, Dn, M, **wide) if keep else u
        _walk4_kernel[grid](u, are, aim, cre, cim, D, begin, y, kept, L, Dn, size, chunks, groups,
                            CARRIED=chunks > 1, KEEP=keep, STRIDE=STRIDE, **shape)
        if keep:
            ctx.save_for_backward(u, are, aim, cre, cim, D, kept, *over)
            ctx.chunking = size, chunks
        return y

    @staticmethod
    def backward(ctx, dy):
        u, are, aim, cre, cim, D, kept, *over = ctx.saved_tensors
        size, chunks = ctx.chunking
        dy = dy.contiguous()
        B, L, Dn = u.shape
        M = are.shape[1]
        grid = (triton.cdiv(Dn, CHANNELS), chunks, B)
        shape = dict(M=M, MP=triton.next_power_of_2(M), BD=CHANNELS, num_warps=1)
        wide = dict(device=u.device, dtype=torch.float32)
        begin = u
        if chunks > 1:
            begin = torch.empty(B, chunks, Dn, M, 2, **wide)
            into = torch.stack([cre, -cim], -1).contiguous()
            _ends4_kernel[grid](dy, are, aim, into, begin, L, Dn, size, chunks, BACK=True, **shape)
            _carry4_kernel[(grid[0], B)](begin, *over, Dn, chunks, REVERSE=True, **shape)
        du = torch.empty_like(u)
        parts, dskip = torch.empty(B, chunks, 4, Dn, M, **wide), torch.empty(B, chunks, Dn, **wide)
        _back4_kernel[grid](u, are, aim, cre, cim, D, begin, kept, dy, du, parts, dskip, L, Dn, size, chunks,
                            kept.shape[1], CARRIED=chunks > 1, STRIDE=STRIDE, **shape)
        dar, dai, dcr, dci = parts.sum((0, 1))
        return du, dar, dai, dcr, dci, dskip.sum((0, 1)).to(D.dtype)
