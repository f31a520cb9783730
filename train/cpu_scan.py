"""The selective scan on a CPU: blocks of time that stay in its cache.

Within a block, exponentials and products are of all steps at once, and a step is one multiply-add. Forward keeps the
state before each block; backward computes a block's states again from it. So memory grows with the channels and not with
channels x states, and nothing of the size [L, D, N] goes through main memory.
"""
from __future__ import annotations

import numpy as np
import torch

BLOCK = 1 << 18  # numbers in one of the five arrays of a block: a megabyte each


def _states(delta, x, B, A, h):
    """(decay, h) of each step of a block [T, B, D, N], from the state h [B, D, N] before it; x = delta u."""
    decay = delta[..., None] * A
    np.exp(decay.numpy(), out=decay.numpy())  # Debian's PyTorch has no vector exp: 5 ns per number instead of 0.7
    states = x[..., None] * B[:, :, None, :]
    for a, now in zip(decay.unbind(0), states.unbind(0)):
        h = now.addcmul_(a, h)
    return decay, states


def _batch_first(x):
    return x.transpose(0, 1).contiguous()  # products of others take twice as long


class Scan(torch.autograd.Function):
    """scan.scan_literal's arguments, shapes and result, with its gradients; once differentiable."""

    @staticmethod
    def forward(ctx, u, delta, A, Bm, C, D):
        u, delta, Bm, C = (x.transpose(0, 1).contiguous() for x in (u, delta, Bm, C))
        length, batch, channels = u.shape
        ctx.steps = max(1, BLOCK // (batch * channels * A.shape[1]))
        x, y = delta * u, torch.empty_like(u)
        h = u.new_zeros(batch, channels, A.shape[1])
        before = []
        for at in range(0, length, ctx.steps):
            part = slice(at, at + ctx.steps)
            before.append(h)
            _, states = _states(delta[part], x[part], Bm[part], A, h)
            h = states[-1].clone()
            torch.sum(states.mul_(C[part, :, None, :]), -1, out=y[part])
        ctx.save_for_backward(u, delta, A, Bm, C, D, *before)
        return _batch_first(y.addcmul_(D, u))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gy):
        u, delta, A, Bm, C, D, *before = ctx.saved_tensors
        gy = gy.transpose(0, 1).contiguous()
        x = delta * u
        gu, gdelta, gB, gC = (torch.empty_like(t) for t in (u, delta, Bm, C))
        gA, after = torch.zeros_like(A), torch.zeros_like(before[0])  # after: gradient of a block's last state
        for number in reversed(range(len(before))):
            part = slice(number * ctx.steps, (number + 1) * ctx.steps)
            decay, states = _states(delta[part], x[part], Bm[part], A, before[number])
            gC[part] = (states * gy[part, ..., None]).sum(2)
            gh = gy[part, ..., None] * C[part, :, None, :]
            later = after
            for a, now in zip(reversed(decay.unbind(0)), reversed(gh.unbind(0))):
                now.add_(later)
                later = a * now
            after = later
            gB[part] = (gh * x[part, ..., None]).sum(2)
            gx = (gh * Bm[part, :, None, :]).sum(3)
            gu[part] = gx * delta[part]
            q = gh.mul_(decay)  # gradient of delta A: times the state before each step
            q[1:].mul_(states[:-1])
            q[0].mul_(before[number])
            gA += (q * delta[part, ..., None]).sum((0, 1))
            gdelta[part] = q.mul_(A).sum(3).addcmul_(gx, u[part])
        gD = (gy * u).sum((0, 1))
        gu.addcmul_(gy, D)
        return _batch_first(gu), _batch_first(gdelta), gA, _batch_first(gB), _batch_first(gC), gD
