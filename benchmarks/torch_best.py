"""The step in torch at its best: the same arithmetic, arranged in whichever way is fastest.

A variant says where the domains are (each by itself, or all in one tensor whose batch norm keeps
them apart), how images lie in memory, and whether torch compiles it (``torch_variants``). All have
the vectorised loss, make guesses without gradient, and update by the fused SGD.
"""

from typing import Any

import torch
import torch.nn.functional as F
from measure import Work
from torch import Tensor, nn
from torch_field import every_core, tensors
from torch_losses import fixclr
from torch_networks import Network
from torch_variants import VARIANTS, Variant
from workload import (
    BACKBONE_RATE,
    DECAY,
    HEAD_RATE,
    MOMENTUM,
    REPULSION,
    TEMPERATURE,
    THRESHOLD,
    Case,
)  # fmt: skip


class Parts(nn.BatchNorm2d):
    """Batch norm of a tensor that holds one domain after another."""

    domains = 1

    def forward(self, x: Tensor) -> Tensor:
        """Each domain by its own statistics."""
        return torch.cat([super(Parts, self).forward(part) for part in x.chunk(self.domains)])


class Grouped(nn.BatchNorm2d):
    """Batch norm with statistics of each domain, which it records as if one after another."""

    domains = 1

    def record(self, mean: Tensor, unbiased: Tensor) -> None:
        """Statistics of each domain, (domains, channels), into the running ones."""
        keep = 1 - self.momentum
        shares = [self.momentum * keep ** (self.domains - 1 - i) for i in range(self.domains)]
        shares = torch.tensor(shares)[:, None]
        for running, found in ((self.running_mean, mean), (self.running_var, unbiased)):
            running.mul_(keep**self.domains).add_((shares * found).sum(0))


class AsChannels(Grouped):
    """For a tensor in which domains vary fastest: they become channels by a view."""

    def forward(self, x: Tensor) -> Tensor:
        """Each domain by its own statistics."""
        n = self.domains
        wide = x.view(len(x) // n, -1, *x.shape[2:])
        mean, unbiased = x.new_zeros(wide.shape[1]), x.new_ones(wide.shape[1])
        out = F.batch_norm(
            wide, mean, unbiased, self.weight.repeat(n), self.bias.repeat(n), True, 1.0, self.eps
        )
        self.record(mean.view(n, -1), unbiased.view(n, -1))
        return out.view(x.shape)


class Composed(Grouped):
    """For a tensor that holds one domain after another: by sums, which a compiler may fuse."""

    def forward(self, x: Tensor) -> Tensor:
        """Each domain by its own statistics."""
        apart = x.view(self.domains, -1, *x.shape[1:])
        count = apart[0].numel() // x.shape[1]
        var, mean = torch.var_mean(apart, (1, 3, 4), correction=0, keepdim=True)
        factor = self.weight[:, None, None] * torch.rsqrt(var + self.eps)
        out = apart * factor + (self.bias[:, None, None] - mean * factor)
        with torch.no_grad():
            shape = (self.domains, -1)
            self.record(mean.reshape(shape), var.reshape(shape) * (count / (count - 1)))
        return out.view(x.shape)


NORMS = {"alone": nn.BatchNorm2d, "parts": Parts, "view": AsChannels, "composed": Composed}


def step(
    case: dict[str, Any], *, variant: str, first: str, repels: bool = True,
    after: str | None = None,
) -> Work:  # fmt: skip
    """Makes train steps.

    Args:
        case: Of the workload.
        variant: By its name.
        first: Where the first weights are.
        repels: Whether FixCLR is added to FixMatch.
        after: Where, when asked to tell, the weights are written as they then are.
    """
    every_core()
    chosen, way = Case(**case), VARIANTS[variant]
    n = chosen.domains
    norm = NORMS[way.norm]
    norm = type(norm.__name__, (norm,), {"domains": n}) if way.norm != "alone" else norm
    layout = torch.channels_last if way.channels_last else torch.contiguous_format
    network = Network(chosen, norm)
    network.load(first)
    network.to(memory_format=layout).train()
    given = arranged(tensors(chosen), way, n, layout)
    optimizer = torch.optim.SGD(
        [
            {"params": network.backbone.parameters(), "lr": BACKBONE_RATE},
            {"params": network.head.parameters(), "lr": HEAD_RATE},
        ],
        momentum=MOMENTUM, weight_decay=DECAY, fused=True,
    )  # fmt: skip
    loss_of = objective(chosen, network, alone=way.norm == "alone", repels=repels)
    if way.compiled:
        loss_of = torch.compile(loss_of, dynamic=False)
    metrics: dict[str, Tensor] = {}

    def run(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            metrics["loss"], metrics["kept"] = loss_of(**given)
            metrics["loss"].backward()
            optimizer.step()

    def tell() -> dict[str, Any]:
        if after:
            network.save(after)
        return {name: value.item() for name, value in metrics.items()}

    return Work(run, tell)


def arranged(
    given: dict[str, Tensor], way: Variant, n: int, layout: torch.memory_format
) -> dict[str, Tensor]:
    """The batch in the variant's order, with the domain of each image and whose label is given."""
    rows = len(given["weak"]) // (2 * n)
    is_given = torch.tensor([True, False]).repeat_interleave(n).repeat(rows)
    known = torch.zeros(len(is_given), dtype=torch.long)
    known[is_given] = given["label"]
    domain = torch.arange(len(is_given)) % n
    found = {**given, "is_given": is_given, "known": known, "domain": domain}
    if way.norm != "view":
        found = {
            name: torch.cat([x[d::n] for d in range(n)]).contiguous() for name, x in found.items()
        }
    return {
        name: x.contiguous(memory_format=layout) if x.ndim == 4 else x for name, x in found.items()
    }


def objective(case: Case, network: Network, *, alone: bool, repels: bool) -> Any:
    """The loss of a batch, and how many guesses on unlabeled images are trusted."""
    n = case.domains

    def passed(x: Tensor) -> tuple[Tensor, Tensor]:
        if not alone:
            return network(x)
        logits, features = zip(*(network(part) for part in x.chunk(n)), strict=True)
        return torch.cat(logits), torch.cat(features)

    def loss_of(
        weak: Tensor, labeled: Tensor, strong: Tensor, label: Tensor, is_given: Tensor,
        known: Tensor, domain: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        with torch.no_grad():
            logits, _ = passed(weak)
            confidence, guess = torch.softmax(logits, 1).max(1)
            trust = (confidence >= THRESHOLD).float()
        logits, _ = passed(labeled)
        loss = n * F.cross_entropy(logits, label)
        logits, features = passed(strong)
        each = F.cross_entropy(logits, guess, reduction="none")
        loss = loss + n * (each * trust).mean()
        if repels:
            loss = loss + REPULSION * fixclr(
                features, torch.where(is_given, known, guess), domain,
                torch.where(is_given, 1.0, trust), num_classes=case.classes, num_domains=n,
                temperature=TEMPERATURE,
            )  # fmt: skip
        return loss, (trust * ~is_given).sum()

    return loss_of
