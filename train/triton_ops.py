"""The parts of a block around the scan, fused: RMS norm, depthwise convolution + SiLU, gate. GPU only;
train/ops.py holds the same in plain PyTorch and chooses.

All are bound by memory: each reads its inputs once and writes its outputs once, and recomputes in the backward
pass what is cheaper to compute than to keep. Sums over rows (weight gradients) are made in parts and
added in a fixed order, without atomics.
"""
from __future__ import annotations

import torch
import triton
import triton.language as tl

TILE = 2048  # elements per program: 16 per thread


def _rows(columns: int) -> int:
    """Rows of a tile with the given number of columns."""
    return max(1, TILE // columns)


def _blocks(rows: int, tile: int, most: int = 1056) -> tuple[int, int]:
    """Programs along the rows, and tiles for each: enough to fill a GPU, few enough that summing the parts of a
    weight gradient is cheap."""
    blocks = triton.cdiv(rows, tile)
    each = triton.cdiv(blocks, most)
    return triton.cdiv(blocks, each), each


@triton.jit
def _silu(x):
    return x * tl.sigmoid(x)


@triton.jit
def _silu_slope(x):
    s = tl.sigmoid(x)
    return s * (1.0 + x * (1.0 - s))


@triton.jit
def _norm_kernel(x, weight, out, rows, D, eps, BR: tl.constexpr, BD: tl.constexpr):
    r = tl.program_id(0) * BR + tl.arange(0, BR)
    c = tl.arange(0, BD)
    inside = (r[:, None] < rows) & (c[None, :] < D)
    at = r[:, None].to(tl.int64) * D + c[None, :]
    v = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    w = tl.load(weight + c, mask=c < D, other=0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(v * v, 1) / D + eps)
    tl.store(out + at, (v * scale[:, None] * w[None, :]).to(out.dtype.element_ty), mask=inside)


@triton.jit
def _norm_back_kernel(x, weight, dout, dx, dweight, rows, D, eps, each,
                      BR: tl.constexpr, BD: tl.constexpr):
    c = tl.arange(0, BD)
    w = tl.load(weight + c, mask=c < D, other=0.0).to(tl.float32)
    sums = tl.zeros((BR, BD), tl.float32)
    for i in range(0, each):
        r = (tl.program_id(0) * each + i) * BR + tl.arange(0, BR)
        inside = (r[:, None] < rows) & (c[None, :] < D)
        at = r[:, None].to(tl.int64) * D + c[None, :]
        v = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
        o = tl.load(dout + at, mask=inside, other=0.0).to(tl.float32)
        scale = tl.rsqrt(tl.sum(v * v, 1) / D + eps)[:, None]
        hat = v * scale
        sums += o * hat
        ow = o * w[None, :]
        g = scale * (ow - hat * (tl.sum(ow * hat, 1) / D)[:, None])
        tl.store(dx + at, g.to(dx.dtype.element_ty), mask=inside)
    tl.store(dweight + tl.program_id(0) * D + c, tl.sum(sums, 0), mask=c < D)


class RmsNorm(torch.autograd.Function):
    """x [..., D] (any float) to `dtype`; weight [D]."""

    @staticmethod
    def forward(ctx, x, weight, eps, dtype):
        x = x.contiguous()
        D = x.shape[-1]
        rows = x.numel() // D
        out = torch.empty(x.shape, device=x.device, dtype=dtype)
        BD = triton.next_power_of_2(D)
        _norm_kernel[(triton.cdiv(rows, _rows(BD)),)](x, weight, out, rows, D, eps, BR=_rows(BD), BD=BD)
        ctx.save_for_backward(x, weight)
        ctx.eps = eps
        return out

    @staticmethod
    def backward(ctx, dout):
        x, weight = ctx.saved_tensors
        D = x.shape[-1]
        rows = x.numel() // D
        dx = torch.empty_like(x)
        BD = triton.next_power_of_2(D)
        programs, each = _blocks(rows, _rows(BD))
        parts = torch.empty(programs, D, device=x.device, dtype=torch.float32)
        _norm_back_kernel[(programs,)](x, weight, dout.contiguous(), dx, parts, rows, D, ctx.eps, each,
                                       BR=_rows(BD), BD=BD)
        return dx, parts.sum(0).to(weight.dtype), None, None


@triton.jit
def _conv(x, weight, bias, r, t, c, rows, D, K: tl.constexpr):
    """bias + sum_k weight[:, k] x[t - (K-1) + k], zeros before the start; r: rows [BR], t: their times."""
    pre = tl.load(bias + c, mask=c < D, other=0.0).to(tl.float32)[None, :]
    pre = pre + tl.zeros((r.shape[0], c.shape[0]), tl.float32)
    for k in tl.static_range(K):
        there = (r[:, None] < rows) & (t[:, None] >= K - 1 - k) & (c[None, :] < D)
        v = tl.load(x + (r[:, None].to(tl.int64) - (K - 1 - k)) * D + c[None, :], mask=there, other=0.0)
        w = tl.load(weight + c * K + k, mask=c < D, other=0.0).to(tl.float32)
        pre += v.to(tl.float32) * w[None, :]
    return pre


@triton.jit
def _conv_kernel(x, weight, bias, out, rows, L, D, K: tl.constexpr, BR: tl.constexpr, BD: tl.constexpr):
    r = tl.program_id(0) * BR + tl.arange(0, BR)
    c = tl.program_id(1) * BD + tl.arange(0, BD)
    pre = _conv(x, weight, bias, r, r % L, c, rows, D, K)
    inside = (r[:, None] < rows) & (c[None, :] < D)
    tl.store(out + r[:, None].to(tl.int64) * D + c[None, :], _silu(pre).to(out.dtype.element_ty), mask=inside)


@triton.jit
def _conv_back_kernel(x, weight, bias, dout, dpre, parts, rows, L, D, each,
                      K: tl.constexpr, BR: tl.constexpr, BD: tl.constexpr):
    """dpre, the gradient before SiLU; parts [programs, K+1, D]: of the weights and, last, of the bias."""
    c = tl.program_id(1) * BD + tl.arange(0, BD)
    base = parts + tl.program_id(0) * (K + 1) * D + c
    s0 = tl.zeros((BR, BD), tl.float32)  # summed over rows once, at the end
    s1 = tl.zeros((BR, BD), tl.float32)
    s2 = tl.zeros((BR, BD), tl.float32)
    s3 = tl.zeros((BR, BD), tl.float32)
    sum_bias = tl.zeros((BR, BD), tl.float32)
    for i in range(0, each):
        r = (tl.program_id(0) * each + i) * BR + tl.arange(0, BR)
        t = r % L
        inside = (r[:, None] < rows) & (c[None, :] < D)
        at = r[:, None].to(tl.int64) * D + c[None, :]
        pre = _conv(x, weight, bias, r, t, c, rows, D, K)
        o = tl.load(dout + at, mask=inside, other=0.0).to(tl.float32)
        g = o * _silu_slope(pre)
        tl.store(dpre + at, g.to(dpre.dtype.element_ty), mask=inside)
        sum_bias += g
        for k in tl.static_range(K):
            there = inside & (t[:, None] >= K - 1 - k)
            v = tl.load(x + at - (K - 1 - k) * D, mask=there, other=0.0).to(tl.float32)
            s = g * v
            if k == 0:
                s0 += s
            elif k == 1:
                s1 += s
            elif k == 2:
                s2 += s
            else:
                s3 += s
    tl.store(base, tl.sum(s0, 0), mask=c < D)
    if K > 1:
        tl.store(base + D, tl.sum(s1, 0), mask=c < D)
    if K > 2:
        tl.store(base + 2 * D, tl.sum(s2, 0), mask=c < D)
    if K > 3:
        tl.store(base + 3 * D, tl.sum(s3, 0), mask=c < D)
    tl.store(base + K * D, tl.sum(sum_bias, 0), mask=c < D)


@triton.jit
def _conv_input_kernel(dpre, weight, dx, rows, L, D, K: tl.constexpr, BR: tl.constexpr, BD: tl.constexpr):
    """dx[t] = sum_k weight[:, k] dpre[t + (K-1) - k], nothing from beyond the end."""
    r = tl.program_id(0) * BR + tl.arange(0, BR)
    c = tl.program_id(1) * BD + tl.arange(0, BD)
    inside = (r[:, None] < rows) & (c[None, :] < D)
    at = r[:, None].to(tl.int64) * D + c[None, :]
    t = r % L
    g = tl.zeros((BR, BD), tl.float32)
    for k in tl.static_range(K):
        there = inside & (t[:, None] + (K - 1 - k) < L)
        v = tl.load(dpre + at + (K - 1 - k) * D, mask=there, other=0.0).to(tl.float32)
        w = tl.load(weight + c * K + k, mask=c < D, other=0.0).to(tl.float32)
        g += v * w[None, :]
    tl.store(dx + at, g.to(dx.dtype.element_ty), mask=inside)


class ConvSilu(torch.autograd.Function):
    """x [B, L, D]; weight [D, K], K <= 4; bias [D]. silu(causal depthwise convolution)."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        x = x.contiguous()
        weight = weight.contiguous()
        B, L, D = x.shape
        out = torch.empty_like(x)
        BD = min(128, triton.next_power_of_2(D))
        _conv_kernel[(triton.cdiv(B * L, _rows(BD)), triton.cdiv(D, BD))](
            x, weight, bias, out, B * L, L, D, K=weight.shape[1], BR=_rows(BD), BD=BD)
        ctx.save_for_backward(x, weight, bias)
        return out

    @staticmethod
    def backward(ctx, dout):
        x, weight, bias = ctx.saved_tensors
        B, L, D = x.shape
        K = weight.shape[1]
        BD = min(128, triton.next_power_of_2(D))
        programs, each = _blocks(B * L, _rows(BD) // 2, most=max(1, 1056 // triton.cdiv(D, BD)))
        dpre, dx = torch.empty_like(x), torch.empty_like(x)
        parts = torch.empty(programs, K + 1, D, device=x.device, dtype=torch.float32)
        _conv_back_kernel[(programs, triton.cdiv(D, BD))](
            x, weight, bias, dout.contiguous(), dpre, parts, B * L, L, D, each, K=K, BR=_rows(BD) // 2, BD=BD)
        _conv_input_kernel[(triton.cdiv(B * L, _rows(BD)), triton.cdiv(D, BD))](
            dpre, weight, dx, B * L, L, D, K=K, BR=_rows(BD), BD=BD)
        sums = parts.sum(0)
        return dx, sums[:K].T.to(weight.dtype), sums[K].to(bias.dtype)


@triton.jit
def _gate_kernel(y, z, out, count, BLOCK: tl.constexpr):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    a = tl.load(y + i, mask=i < count, other=0.0).to(tl.float32)
    b = tl.load(z + i, mask=i < count, other=0.0).to(tl.float32)
    tl.store(out + i, (a * _silu(b)).to(out.dtype.element_ty), mask=i < count)


@triton.jit
def _gate_back_kernel(y, z, dout, dy, dz, count, BLOCK: tl.constexpr):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    a = tl.load(y + i, mask=i < count, other=0.0).to(tl.float32)
    b = tl.load(z + i, mask=i < count, other=0.0).to(tl.float32)
    o = tl.load(dout + i, mask=i < count, other=0.0).to(tl.float32)
    tl.store(dy + i, (o * _silu(b)).to(dy.dtype.element_ty), mask=i < count)
    tl.store(dz + i, (o * a * _silu_slope(b)).to(dz.dtype.element_ty), mask=i < count)


class Gate(torch.autograd.Function):
    """y * silu(z), any shape."""

    @staticmethod
    def forward(ctx, y, z):
        y, z = y.contiguous(), z.contiguous()
        out = torch.empty_like(y)
        _gate_kernel[(triton.cdiv(y.numel(), 2048),)](y, z, out, y.numel(), BLOCK=2048)
        ctx.save_for_backward(y, z)
        return out

    @staticmethod
    def backward(ctx, dout):
        y, z = ctx.saved_tensors
        dy, dz = torch.empty_like(y), torch.empty_like(z)
        _gate_back_kernel[(triton.cdiv(y.numel(), 2048),)](
            y, z, dout.contiguous(), dy, dz, y.numel(), BLOCK=2048)
        return dy, dz


@triton.jit
def _embed_kernel(codes, weight, out, rows, D, BR: tl.constexpr, BD: tl.constexpr):
    r = tl.program_id(0) * BR + tl.arange(0, BR)
    c = tl.arange(0, BD)
    inside = (r[:, None] < rows) & (c[None, :] < D)
    code = tl.load(codes + r, mask=r < rows, other=0).to(tl.int32)
    v = tl.load(weight + code[:, None] * D + c[None, :], mask=inside, other=0.0)
    tl.store(out + r[:, None].to(tl.int64) * D + c[None, :], v, mask=inside)


@triton.jit
def _embed_back_kernel(codes, dout, parts, rows, V, D, each, BR: tl.constexpr, BV: tl.constexpr, BD: tl.constexpr):
    """parts [programs, V, D]: rows are added where their code is 1 in a one-hot matrix, by a matrix product, so in
    a fixed order; PyTorch's own kernel adds them atomically."""
    c = tl.program_id(1) * BD + tl.arange(0, BD)
    v = tl.arange(0, BV)
    sums = tl.zeros((BV, BD), tl.float32)
    for i in range(0, each):
        r = (tl.program_id(0) * each + i) * BR + tl.arange(0, BR)
        code = tl.load(codes + r, mask=r < rows, other=0).to(tl.int32)
        o = tl.load(dout + r[:, None].to(tl.int64) * D + c[None, :],
                    mask=(r[:, None] < rows) & (c[None, :] < D), other=0.0).to(tl.float32)
        hot = tl.where(v[:, None] == code[None, :], 1.0, 0.0)
        sums = tl.dot(hot, o, sums, input_precision="tf32x3")
    at = (tl.program_id(0) * V + v[:, None]) * D + c[None, :]
    tl.store(parts + at, sums, mask=(v[:, None] < V) & (c[None, :] < D))


class Embed(torch.autograd.Function):
    """Rows of weight [V, d] by code."""

    @staticmethod
    def forward(ctx, codes, weight):
        codes = codes.contiguous()
        D = weight.shape[1]
        out = torch.empty(*codes.shape, D, device=weight.device, dtype=weight.dtype)
        BD = triton.next_power_of_2(D)
        rows = codes.numel()
        _embed_kernel[(triton.cdiv(rows, _rows(BD)),)](codes, weight, out, rows, D, BR=_rows(BD), BD=BD)
        ctx.save_for_backward(codes, weight)
        return out

    @staticmethod
    def backward(ctx, dout):
        codes, weight = ctx.saved_tensors
        V, D = weight.shape
        BD = max(16, min(64, triton.next_power_of_2(D)))
        programs, each = _blocks(codes.numel(), 32, most=264)
        parts = torch.empty(programs, V, D, device=weight.device, dtype=torch.float32)
        _embed_back_kernel[(programs, triton.cdiv(D, BD))](
            codes, dout.contiguous(), parts, codes.numel(), V, D, each, BR=32,
            BV=max(16, triton.next_power_of_2(V)), BD=BD, num_warps=8)
        return None, parts.sum(0).to(weight.dtype)
