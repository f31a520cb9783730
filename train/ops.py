"""The parts of a block around the scan, for any device: fused Triton kernels on a GPU, PyTorch elsewhere."""
from __future__ import annotations

import torch
import torch.nn.functional as F

from .scan import selective_scan

__all__ = ["conv_silu", "embed", "gate", "rms_norm", "selective_scan"]

try:  # Triton comes with PyTorch's CUDA builds and is absent elsewhere.
    from . import triton_ops
except ImportError:
    triton_ops = None


def rms_norm(x, weight, eps: float, dtype=None):
    """x / sqrt(mean(x^2) + eps) * weight over the last dimension, computed in float32 (float64 if x is)."""
    dtype = dtype or x.dtype
    if triton_ops is not None and x.is_cuda:
        return triton_ops.RmsNorm.apply(x, weight, eps, dtype)
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps) * weight).to(dtype)


def conv_silu(x, weight, bias):
    """silu(causal depthwise convolution). x [B, L, D]; weight [D, K]: column K-1 multiplies the current step;
    bias [D]."""
    if triton_ops is not None and x.is_cuda and weight.shape[1] <= 4:
        return triton_ops.ConvSilu.apply(x, weight, bias)
    width = weight.shape[1]
    padded = F.pad(x.transpose(1, 2), (width - 1, 0))
    out = F.conv1d(padded, weight[:, None].to(x.dtype), bias.to(x.dtype), groups=x.shape[2])
    return F.silu(out.transpose(1, 2))


def gate(y, z):
    """y * silu(z)."""
    if triton_ops is not None and y.is_cuda:
        return triton_ops.Gate.apply(y, z)
    return y * F.silu(z)


def embed(codes, weight):
    """codes [B, L], any integer type; weight [V, d] -> [B, L, d]."""
    if triton_ops is not None and weight.is_cuda:
        return triton_ops.Embed.apply(codes, weight)
    return F.embedding(codes.long(), weight)
