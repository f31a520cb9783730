"""The network: Mamba blocks (S6 or S4D) inside a causal U-Net, as the engines compute it.

Gu & Dao, arXiv 2312.00752, section 3 and appendix E.4; Goel et al., "It's Raw!", arXiv 2202.09729.
Parameter names and shapes are those of the native file, so export writes them as they are.
"""
from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from . import ops
from .config import ModelConfig
from .s4d import s4d_scan

DT_MIN, DT_MAX = 1e-3, 1e-1  # range of delta at the start, as in the paper's code


class Named(nn.Module):
    """Parameters by their names in the file: `conv1d.weight` is an attribute of a child `conv1d`."""

    def __init__(self, **tensors):
        super().__init__()
        for name, value in tensors.items():
            setattr(self, name, nn.Parameter(value))


def _uniform(*shape, fan_in: int, gain: float = 1.0):
    bound = gain / math.sqrt(fan_in)
    return torch.empty(*shape).uniform_(-bound, bound)


def _log_dt(channels: int):
    return torch.empty(channels).uniform_(math.log(DT_MIN), math.log(DT_MAX))


def _product_dtype(x):
    """The dtype of the matrix products: the norm before them writes it, so that no cast is needed."""
    return torch.bfloat16 if x.is_cuda and torch.is_autocast_enabled() else x.dtype


class Block(nn.Module):
    """x + out_proj(mixer(in_proj(norm(x)))); x [B, L, d], float32."""

    def __init__(self, c: ModelConfig, width: int, mixer: str, depth: int):
        super().__init__()
        inner, N = c.expand * width, c.d_state
        self.inner, self.states, self.mixer, self.eps = inner, N, mixer, c.norm_eps
        self.rank = -(-width // 16)
        self.norm = Named(weight=torch.ones(width))
        self.in_proj = Named(weight=_uniform(2 * inner, width, fan_in=width))
        self.conv1d = Named(weight=_uniform(inner, 1, c.d_conv, fan_in=c.d_conv),
                            bias=_uniform(inner, fan_in=c.d_conv))
        # Residuals of `depth` blocks add up: each starts smaller, so that their sum does not grow.
        self.out_proj = Named(weight=_uniform(width, inner, fan_in=inner, gain=1 / math.sqrt(depth)))
        self.D = nn.Parameter(torch.ones(inner))
        if mixer == "s6":
            dt = torch.exp(_log_dt(inner))
            self.x_proj = Named(weight=_uniform(self.rank + 2 * N, inner, fan_in=inner))
            self.dt_proj = Named(weight=_uniform(inner, self.rank, fan_in=self.rank),
                                 bias=dt + torch.log(-torch.expm1(-dt)))  # the inverse of softplus
            self.A_log = nn.Parameter(torch.log(torch.arange(1.0, N + 1)).repeat(inner, 1))
        else:  # S4D-Lin
            self.log_dt = nn.Parameter(_log_dt(inner))
            self.A_log = nn.Parameter(torch.full((inner, N), math.log(0.5)))
            self.A_im = nn.Parameter(math.pi * torch.arange(float(N)).repeat(inner, 1))
            self.C = nn.Parameter(torch.randn(inner, N, 2) * math.sqrt(0.5))

    def forward(self, x):
        v = ops.rms_norm(x, self.norm.weight, self.eps, _product_dtype(x))
        to_u, to_z = self.in_proj.weight.split(self.inner)
        # Two products: their gradients then need no concatenation.
        u, z = F.linear(v, to_u), F.linear(v, to_z)
        u = ops.conv_silu(u, self.conv1d.weight[:, 0], self.conv1d.bias)
        if self.mixer == "s6":
            if u.is_cuda:
                # dt_proj(x_proj(u)) as one product of full rank: more arithmetic, of which tensor cores have plenty, and
                # no thin matrices. The learned weights stay the two thin ones.
                to_rank, to_bc = self.x_proj.weight.split([self.rank, 2 * self.states])
                with torch.autocast(x.device.type, enabled=False):
                    joined = torch.cat([self.dt_proj.weight @ to_rank, to_bc])
                p = F.linear(u, joined)
            else:
                rank, bc = F.linear(u, self.x_proj.weight).split([self.rank, 2 * self.states], -1)
                p = torch.cat([F.linear(rank, self.dt_proj.weight), bc], -1)
            y = ops.selective_scan(u, p, self.dt_proj.bias, self.A_log, self.D)
        else:
            with torch.autocast(x.device.type, enabled=False):
                y = s4d_scan(u, self.log_dt, self.A_log, self.A_im, self.C, self.D)
        return x + F.linear(ops.gate(y, z), self.out_proj.weight)


class Network(nn.Module):
    """codes [B, L], L a multiple of the product of pool -> logits [B, L, 256]: logits[t], after codes 0..t, is
    the distribution of code t+1. Every crop starts from the zero state."""

    def __init__(self, c: ModelConfig):
        super().__init__()
        self.config = c
        tiers = len(c.layers)
        depth = 2 * sum(c.layers[:-1]) + c.layers[-1]

        def blocks(tier, count):
            return nn.ModuleList(Block(c, c.width(tier), c.mixer[tier], max(1, depth)) for _ in range(count))

        self.embed = Named(weight=torch.randn(c.vocab_size, c.d_model))
        self.down = nn.ModuleList(blocks(s, c.layers[s]) for s in range(tiers - 1))
        self.down_pool = nn.ModuleList(self._pool(c.width(s + 1), c.pool[s] * c.width(s)) for s in range(tiers - 1))
        self.center = blocks(tiers - 1, c.layers[-1])
        self.up_pool = nn.ModuleList(self._pool(c.pool[s] * c.width(s), c.width(s + 1)) for s in range(tiers - 1))
        self.up = nn.ModuleList(blocks(s, c.layers[s]) for s in range(tiers - 1))
        self.norm_f = Named(weight=torch.ones(c.d_model))
        self.head = Named(weight=_uniform(c.vocab_size, c.d_model, fan_in=c.d_model),
                          bias=torch.zeros(c.vocab_size))

    @staticmethod
    def _pool(rows, cols):
        return Named(weight=_uniform(rows, cols, fan_in=cols), bias=torch.zeros(rows))

    def forward(self, codes):
        return self.with_center(codes)[0]

    def with_center(self, codes):
        """(logits, the output of the innermost tier's blocks: [B, L/stride, width])"""
        c = self.config
        x = ops.embed(codes, self.embed.weight)
        skips = []
        for s, p in enumerate(c.pool):
            for block in self.down[s]:
                x = block(x)
            skips.append(x)
            x = x.reshape(x.shape[0], x.shape[1] // p, p * x.shape[2])  # oldest step first
            x = F.linear(x, self.down_pool[s].weight, self.down_pool[s].bias).to(skips[-1].dtype)
        for block in self.center:
            x = block(x)
        center = x
        for s in reversed(range(len(c.pool))):
            x = F.linear(x, self.up_pool[s].weight, self.up_pool[s].bias).to(skips[s].dtype)
            x = x.reshape(x.shape[0], x.shape[1] * c.pool[s], c.width(s))
            # A group's result feeds the NEXT group: nothing of a step's own future reaches it.
            x = F.pad(x, (0, 0, c.pool[s], 0))[:, :-c.pool[s]] + skips[s]
            for block in self.up[s]:
                x = block(x)
        v = ops.rms_norm(x, self.norm_f.weight, c.norm_eps, _product_dtype(x))
        return F.linear(v, self.head.weight, self.head.bias), center

    def loss(self, codes):
        """codes [B, L+1] -> mean nats per code of codes 1..L, given all before."""
        return nats(self(codes[:, :-1]), codes)


def nats(logits, codes):
    """Mean of -ln p(code) over codes 1..L of codes [B, L+1]."""
    return F.cross_entropy(logits.flatten(0, 1).float() if logits.dtype != torch.float64 else logits.flatten(0, 1),
                           codes[:, 1:].flatten().long())


def parameter_count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
