"""The selective scan on a GPU, forward and backward, in Triton.

Parallel dimensions: batch x blocks of channels x chunks of time. One warp processes one chunk of 64 channels step
by step, the states of its channels in registers; three passes make chunks independent:

  forward   ends      each chunk from a zero state: its last state, and the sum of its deltas. The decay over
                      a whole chunk is exp(A sum(delta)), so nothing else is needed.
            carry     runs over the chunks of a channel: the initial state of each.
            walk      each chunk again from its true state: y, and the state before every STRIDE-th step.
  backward  ends, carry, walk, the same from the right, for g[t] = C[t] dy[t] + a[t+1] g[t+1]. The walk takes
            the states that the forward pass kept, computes the STRIDE - 1 between them again in registers,
            and goes back over them.

One state in STRIDE is kept in memory, in float32. Gradients need no atomics: parts are summed in a fixed order,
so a step gives the same bits each time.

Layout: a tile is [channels, states]. Triton gives a thread four states of several channels, so that the sums
over states (y, d delta, du) and over channels (dB, dC) both take few shuffles.
"""
from __future__ import annotations

import torch
import triton
import triton.language as tl

CHANNELS = 64    # channels per program; one warp
STRIDE = 2       # one state in STRIDE is kept for the backward pass
FULL_GPU = 4096  # programs that fill a large GPU; with fewer, time is divided more finely
LN2 = tl.constexpr(0.6931471805599453)


@triton.jit
def _softplus(x):
    """To float32's precision: for small exp(x), log(1 + exp(x)) has lost its digits."""
    e = tl.exp(tl.minimum(x, 20.0))
    small = e * (1.0 - e * (0.5 - e * (1.0 / 3.0)))
    return tl.where(x > 20.0, x, tl.where(x < -4.0, small, tl.log(1.0 + e)))


@triton.jit
def _delta_kernel(p, bias, delta, rows, D, P, BR: tl.constexpr, BD: tl.constexpr):
    """delta [rows, D] = softplus(the first D of each row of p [rows, P] + bias), float32."""
    r = tl.program_id(0) * BR + tl.arange(0, BR)
    c = tl.program_id(1) * BD + tl.arange(0, BD)
    inside = (r[:, None] < rows) & (c[None, :] < D)
    x = tl.load(p + r[:, None].to(tl.int64) * P + c[None, :], mask=inside, other=0.0).to(tl.float32)
    x += tl.load(bias + c, mask=c < D, other=0.0).to(tl.float32)[None, :]
    tl.store(delta + r[:, None].to(tl.int64) * D + c[None, :], _softplus(x), mask=inside)


@triton.jit
def _ends_kernel(u, delta, A2, p, end, total, L, D, P, size, chunks,
                 N: tl.constexpr, NP: tl.constexpr, BD: tl.constexpr):
    """end [B, chunks, D, N]: each chunk's last state from a zero state; total [B, chunks, D]: sum of delta."""
    c = tl.program_id(0) * BD + tl.arange(0, BD)
    k = tl.program_id(1)
    b = tl.program_id(2)
    n = tl.arange(0, NP)
    cm = c < D
    nm = n < N
    tile = cm[:, None] & nm[None, :]
    a2 = tl.load(A2 + c[:, None] * N + n[None, :], mask=tile, other=0.0)
    h = a2 * 0.0
    s = tl.zeros((BD,), tl.float32)
    row = b.to(tl.int64) * L + k * size
    for t in range(0, tl.minimum(size, L - k * size)):
        dt = tl.load(delta + (row + t) * D + c, mask=cm, other=0.0)
        x = tl.load(u + (row + t) * D + c, mask=cm, other=0.0).to(tl.float32)
        bn = tl.load(p + (row + t) * P + D + n, mask=nm, other=0.0).to(tl.float32)
        h = tl.exp2(dt[:, None] * a2) * h + (dt * x)[:, None] * bn[None, :]
        s += dt
    at = (b * chunks + k).to(tl.int64) * D + c
    tl.store(end + at[:, None] * N + n[None, :], h, mask=tile)
    tl.store(total + at, s, mask=cm)


@triton.jit
def _carry_kernel(end, total, A2, D, chunks, REVERSE: tl.constexpr,
                  N: tl.constexpr, NP: tl.constexpr, BD: tl.constexpr):
    """In place: from the end state of each chunk to the initial state of each (from the right if REVERSE)."""
    c = tl.program_id(0) * BD + tl.arange(0, BD)
    b = tl.program_id(1)
    n = tl.arange(0, NP)
    cm = c < D
    tile = cm[:, None] & (n < N)[None, :]
    a2 = tl.load(A2 + c[:, None] * N + n[None, :], mask=tile, other=0.0)
    h = a2 * 0.0
    for i in range(0, chunks):
        k = chunks - 1 - i if REVERSE else i
        at = (b * chunks + k).to(tl.int64) * D + c
        here = end + at[:, None] * N + n[None, :]
        own = tl.load(here, mask=tile, other=0.0)
        s = tl.load(total + at, mask=cm, other=0.0)
        tl.store(here, h, mask=tile)
        h = tl.exp2(s[:, None] * a2) * h + own


@triton.jit
def _walk_kernel(u, delta, A2, p, skip, begin, y, kept, L, D, P, size, chunks, groups,
                 CARRIED: tl.constexpr, KEEP: tl.constexpr, STRIDE: tl.constexpr,
                 N: tl.constexpr, NP: tl.constexpr, BD: tl.constexpr):
    """y [B, L, D]; kept [B, groups, D, N]: the state before every STRIDE-th step, if KEEP."""
    c = tl.program_id(0) * BD + tl.arange(0, BD)
    k = tl.program_id(1)
    b = tl.program_id(2)
    n = tl.arange(0, NP)
    cm = c < D
    nm = n < N
    tile = cm[:, None] & nm[None, :]
    a2 = tl.load(A2 + c[:, None] * N + n[None, :], mask=tile, other=0.0)
    d = tl.load(skip + c, mask=cm, other=0.0).to(tl.float32)
    if CARRIED:
        at = (b * chunks + k).to(tl.int64) * D + c
        h = tl.load(begin + at[:, None] * N + n[None, :], mask=tile, other=0.0)
    else:
        h = a2 * 0.0
    row = b.to(tl.int64) * L + k * size
    for g in range(0, tl.cdiv(tl.minimum(size, L - k * size), STRIDE)):
        if KEEP:
            at = (b.to(tl.int64) * groups + k * (size // STRIDE) + g) * D + c
            tl.store(kept + at[:, None] * N + n[None, :], h, mask=tile)
        for i in tl.static_range(STRIDE):
            inside = k * size + g * STRIDE + i < L
            r = row + g * STRIDE + i
            dt = tl.load(delta + r * D + c, mask=cm & inside, other=0.0)
            x = tl.load(u + r * D + c, mask=cm & inside, other=0.0).to(tl.float32)
            bn = tl.load(p + r * P + D + n, mask=nm & inside, other=0.0).to(tl.float32)
            cn = tl.load(p + r * P + D + N + n, mask=nm & inside, other=0.0).to(tl.float32)
            h = tl.exp2(dt[:, None] * a2) * h + (dt * x)[:, None] * bn[None, :]
            out = tl.sum(h * cn[None, :], 1) + d * x
            tl.store(y + r * D + c, out.to(y.dtype.element_ty), mask=cm & inside)


@triton.jit
def _back_ends_kernel(dy, delta, A2, p, end, L, D, P, size, chunks,
                      N: tl.constexpr, NP: tl.constexpr, BD: tl.constexpr):
    """end [B, chunks, D, N]: what a chunk passes to the one on its left, a[t] g[t] of its first step, with
    zero from the right."""
    c = tl.program_id(0) * BD + tl.arange(0, BD)
    k = tl.program_id(1)
    b = tl.program_id(2)
    n = tl.arange(0, NP)
    cm = c < D
    nm = n < N
    tile = cm[:, None] & nm[None, :]
    a2 = tl.load(A2 + c[:, None] * N + n[None, :], mask=tile, other=0.0)
    g = a2 * 0.0
    count = tl.minimum(size, L - k * size)
    row = b.to(tl.int64) * L + k * size + count - 1
    for t in range(0, count):
        dt = tl.load(delta + (row - t) * D + c, mask=cm, other=0.0)
        o = tl.load(dy + (row - t) * D + c, mask=cm, other=0.0).to(tl.float32)
        cn = tl.load(p + (row - t) * P + D + N + n, mask=nm, other=0.0).to(tl.float32)
        g = tl.exp2(dt[:, None] * a2) * (g + o[:, None] * cn[None, :])
    at = (b * chunks + k).to(tl.int64) * D + c
    tl.store(end + at[:, None] * N + n[None, :], g, mask=tile)


@triton.jit
def _back_walk_kernel(u, delta, A2, p, skip, begin, kept, dy, du, dp, dbc, dA, dchannel,
                      L, D, P, size, chunks, groups, rows,
                      CARRIED: tl.constexpr, STRIDE: tl.constexpr,
                      N: tl.constexpr, NP: tl.constexpr, BD: tl.constexpr):
    """du [B, L, D]; dp [B, L, P], its first D: before bias and softplus; and parts to be summed: dbc [blocks of
    channels, B, L, 2N], dA [B, chunks, D, N], dchannel [B, chunks, 2, D]: of D, of the bias of delta."""
    block = tl.program_id(0)
    c = block * BD + tl.arange(0, BD)
    k = tl.program_id(1)
    b = tl.program_id(2)
    n = tl.arange(0, NP)
    cm = c < D
    nm = n < N
    tile = cm[:, None] & nm[None, :]
    a2 = tl.load(A2 + c[:, None] * N + n[None, :], mask=tile, other=0.0)
    d = tl.load(skip + c, mask=cm, other=0.0).to(tl.float32)
    part = (b * chunks + k).to(tl.int64)
    if CARRIED:
        g = tl.load(begin + (part * D + c)[:, None] * N + n[None, :], mask=tile, other=0.0)
    else:
        g = a2 * 0.0
    sum_A = a2 * 0.0
    sum_skip = tl.zeros((BD,), tl.float32)
    sum_bias = tl.zeros((BD,), tl.float32)
    row = b.to(tl.int64) * L + k * size
    count = tl.cdiv(tl.minimum(size, L - k * size), STRIDE)
    for q in range(0, count):
        group = count - 1 - q
        at = (b.to(tl.int64) * groups + k * (size // STRIDE) + group) * D + c
        h = tl.load(kept + at[:, None] * N + n[None, :], mask=tile, other=0.0)
        hs = (h,)
        first = k * size + group * STRIDE
        r0 = row + group * STRIDE
        for i in tl.static_range(STRIDE - 1):
            inside = first + i < L
            dt = tl.load(delta + (r0 + i) * D + c, mask=cm & inside, other=0.0)
            x = tl.load(u + (r0 + i) * D + c, mask=cm & inside, other=0.0).to(tl.float32)
            bn = tl.load(p + (r0 + i) * P + D + n, mask=nm & inside, other=0.0).to(tl.float32)
            h = tl.exp2(dt[:, None] * a2) * h + (dt * x)[:, None] * bn[None, :]
            hs = hs + (h,)
        for i in tl.static_range(STRIDE):
            inside = first + (STRIDE - 1 - i) < L
            r = r0 + (STRIDE - 1 - i)
            dt = tl.load(delta + r * D + c, mask=cm & inside, other=0.0)
            x = tl.load(u + r * D + c, mask=cm & inside, other=0.0).to(tl.float32)
            o = tl.load(dy + r * D + c, mask=cm & inside, other=0.0).to(tl.float32)
            bn = tl.load(p + r * P + D + n, mask=nm & inside, other=0.0).to(tl.float32)
            cn = tl.load(p + r * P + D + N + n, mask=nm & inside, other=0.0).to(tl.float32)
            g += o[:, None] * cn[None, :]
            to_B = tl.sum(g * (dt * x)[:, None], 0)
            along_B = tl.sum(g * bn[None, :], 1)
            kept_part = tl.exp2(dt[:, None] * a2) * hs[STRIDE - 1 - i]  # a[t] h[t-1]: h[t] without its drive
            to_C = tl.sum((kept_part + (dt * x)[:, None] * bn[None, :]) * o[:, None], 0)
            through = g * kept_part  # d loss / d (delta A)
            g = tl.exp2(dt[:, None] * a2) * g  # what step t-1 receives
            sum_A += through * dt[:, None]
            to_delta = LN2 * tl.sum(through * a2, 1) + x * along_B
            # sigmoid(x) = 1 - exp(-softplus(x)), by its series where that has lost its digits
            slope = tl.where(dt < 0.02, dt * (1.0 - dt * (0.5 - dt * (1.0 / 6.0))), 1.0 - tl.exp(-dt))
            to_raw = to_delta * slope
            tl.store(du + r * D + c, (dt * along_B + d * o).to(du.dtype.element_ty), mask=cm & inside)
            tl.store(dp + r * P + c, to_raw.to(dp.dtype.element_ty), mask=cm & inside)
            base = dbc + (block.to(tl.int64) * rows + r) * (2 * N)
            tl.store(base + n, to_B, mask=nm & inside)
            tl.store(base + N + n, to_C, mask=nm & inside)
            sum_skip += o * x
            sum_bias += to_raw
    tl.store(dA + (part * D + c)[:, None] * N + n[None, :], sum_A, mask=tile)
    tl.store(dchannel + (part * 2) * D + c, sum_skip, mask=cm)
    tl.store(dchannel + (part * 2 + 1) * D + c, sum_bias, mask=cm)


def chunking(batch: int, length: int, channels: int, block: int, stride: int, full: int) -> tuple[int, int]:
    """Steps per chunk (a multiple of stride) and number of chunks: the fewest that give the GPU its `full` programs of
    `block` channels, since every chunk costs a carry, and none shorter than 64 steps."""
    programs = batch * triton.cdiv(channels, block)
    chunks = max(1, min(triton.cdiv(full, programs), length // 64))
    size = triton.cdiv(triton.cdiv(length, chunks), stride) * stride
    return size, triton.cdiv(length, size)


class SelectiveScan(torch.autograd.Function):
    """See train/scan.py: selective_scan."""

    @staticmethod
    def forward(ctx, u, p, dt_bias, A_log, D):
        u, p = u.contiguous(), p.contiguous()
        B, L, Dn = u.shape
        N, P = A_log.shape[1], p.shape[2]
        A = -torch.exp(A_log.float())
        A2 = (A / LN2.value).contiguous()
        wide = dict(device=u.device, dtype=torch.float32)
        delta = torch.empty(B, L, Dn, **wide)
        _delta_kernel[(triton.cdiv(B * L, 16), triton.cdiv(Dn, 128))](
            p, dt_bias, delta, B * L, Dn, P, BR=16, BD=128)

        size, chunks = chunking(B, L, Dn, CHANNELS, STRIDE, FULL_GPU)
        groups = triton.cdiv(L, STRIDE)
        grid = (triton.cdiv(Dn, CHANNELS), chunks, B)
        shape = dict(N=N, NP=triton.next_power_of_2(N), BD=CHANNELS, num_warps=1)
        begin = total = u
        if chunks > 1:
            begin, total = torch.empty(B, chunks, Dn, N, **wide), torch.empty(B, chunks, Dn, **wide)
            _ends_kernel[grid](u, delta, A2, p, begin, total, L, Dn, P, size, chunks, **shape)
            _carry_kernel[(grid[0], B)](begin, total, A2, Dn, chunks, REVERSE=False, **shape)
        keep = any(ctx.needs_input_grad)
        y = torch.empty_like(u)
        kept = torch.empty(B, groups, Dn, N, **wide) if keep else u
        _walk_kernel[grid](u, delta, A2, p, D, begin, y, kept, L, Dn, P, size, chunks, groups,
                           CARRIED=chunks > 1, KEEP=keep, STRIDE=STRIDE, **shape)
        if keep:
            ctx.save_for_backward(u, delta, A, A2, p, D, kept, total)
            ctx.chunking = size, chunks
            ctx.dtypes = dt_bias.dtype, A_log.dtype
        return y

    @staticmethod
    def backward(ctx, dy):
        u, delta, A, A2, p, D, kept, total = ctx.saved_tensors
        size, chunks = ctx.chunking
        dy = dy.contiguous()
        B, L, Dn = u.shape
        N, P, groups = A.shape[1], p.shape[2], kept.shape[1]
        grid = (triton.cdiv(Dn, CHANNELS), chunks, B)
        shape = dict(N=N, NP=triton.next_power_of_2(N), BD=CHANNELS, num_warps=1)
        wide = dict(device=u.device, dtype=torch.float32)
        begin = u
        if chunks > 1:
            begin = torch.empty(B, chunks, Dn, N, **wide)
            _back_ends_kernel[grid](dy, delta, A2, p, begin, L, Dn, P, size, chunks, **shape)
            _carry_kernel[(grid[0], B)](begin, total, A2, Dn, chunks, REVERSE=True, **shape)
        du, dp = torch.empty_like(u), torch.empty_like(p)
        dbc = torch.empty(grid[0], B, L, 2 * N, **wide)
        dA = torch.empty(B, chunks, Dn, N, **wide)
        dchannel = torch.empty(B, chunks, 2, Dn, **wide)
        _back_walk_kernel[grid](u, delta, A2, p, D, begin, kept, dy, du, dp, dbc, dA, dchannel,
                                L, Dn, P, size, chunks, groups, B * L,
                                CARRIED=chunks > 1, STRIDE=STRIDE, **shape)
        dp[..., Dn:] = dbc.sum(0)
        dskip, dbias = dchannel.sum((0, 1))
        return (du, dp, dbias.to(ctx.dtypes[0]), (dA.sum((0, 1)) * A).to(ctx.dtypes[1]), dskip.to(D.dtype))
