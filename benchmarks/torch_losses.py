"""The losses in torch, from the same equations: FixCLR by loops, and all of them vectorised.

The equations are those in the docstrings of ``jaxclr.losses``. What is vectorised is written to be
fast: no sum keeps an axis of classes and examples longer than it must.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def fixclr_loops(
    features: Tensor, label: Tensor, domain: Tensor, weight: Tensor, *,
    num_classes: int, num_domains: int, temperature: float,
) -> Tensor:  # fmt: skip
    """FixCLR as the equation reads: a loop over classes, and in it one over domains."""
    z = F.normalize(features)
    total, count = features.new_zeros(()), 0
    for j in range(num_classes):
        anchors = (label == j) & (weight > 0)
        for i in range(num_domains):
            others = (domain == i) & (label != j) & (weight > 0)
            if not anchors.any() or not others.any():
                continue
            pairs = torch.exp((z[anchors] @ z[others].T - 1) / temperature)
            pairs = pairs * weight[anchors][:, None] * weight[others][None]
            total = total + torch.log1p(pairs.sum())
            count += 1
    return total / max(count, 1)


def fixclr(
    features: Tensor, label: Tensor, domain: Tensor, weight: Tensor, *,
    num_classes: int, num_domains: int, temperature: float, block: int | None = None,
) -> Tensor:  # fmt: skip
    """FixCLR without loops: the mean over the pairs of class and domain that exist.

    The kernel is summed over the domains' examples before it is over the classes': an anchor meets
    the other classes of its own class alone, and domains are fewer.

    Args:
        features: Scaled to length one here.
        label: Given or guessed.
        domain: Of each example.
        weight: In [0, 1].
        num_classes: How many there are.
        num_domains: How many there are.
        temperature: Of the kernel.
        block: So many anchors at a time, whose pairs are computed anew on the way back; none: all.
    """
    z = F.normalize(features)
    of_class = F.one_hot(label, num_classes).to(z.dtype) * weight[:, None]
    of_domain = F.one_hot(domain, num_domains).to(z.dtype) * weight[:, None]

    def sums(anchors: Tensor, label_of_anchors: Tensor) -> Tensor:
        kernel = torch.exp((anchors @ z.T - 1) / temperature)
        return torch.where(label_of_anchors[:, None] == label, 0.0, kernel) @ of_domain

    if block is None or block >= len(z):
        each = sums(z, label)
    else:
        parts = zip(z.split(block), label.split(block), strict=True)
        each = torch.cat([checkpoint(sums, *part, use_reentrant=False) for part in parts])
    repulsion = of_class.T @ each
    both = (of_class > 0).to(z.dtype).T @ of_domain
    exists = (of_class.sum(0)[:, None] > 0) & (of_domain.sum(0) - both > 0)
    values = torch.where(exists, torch.log1p(repulsion), 0.0)
    return values.sum() / exists.sum().clamp(min=1)


def fixclr_of_trusted(
    features: Tensor, label: Tensor, domain: Tensor, weight: Tensor, **settings: Any
) -> Tensor:
    """The same of the trusted examples alone, however many they are: shapes need not be known."""
    (some,) = torch.nonzero(weight, as_tuple=True)
    return fixclr(features[some], label[some], domain[some], weight[some], **settings)


def ssc(
    embedding: Tensor, label: Tensor, weight: Tensor, prototypes: Tensor, *, temperature: float
) -> Tensor:
    """The mean over anchors that have a positive, examples and prototypes alike."""
    z = F.normalize(torch.cat([embedding, prototypes]))
    classes = torch.arange(len(prototypes))
    label = torch.cat([label, classes])
    weights = torch.cat([weight, weight.new_ones(len(prototypes))])
    logits = (z @ z.T) / temperature
    # Positives by sums over each label's members instead of a matrix of pairs.
    _, place, counts = torch.unique(label, return_inverse=True, return_counts=True)
    sums = z.new_zeros(len(counts), z.shape[1]).index_add(0, place, z)
    others = counts[place] - 1
    toward = ((z * sums[place]).sum(1) - (z * z).sum(1)) / others.clamp(min=1)
    itself = torch.eye(len(z), dtype=torch.bool)
    repulsion = torch.logsumexp(logits.masked_fill(itself, -torch.inf), 1)
    loss = torch.where(others > 0, repulsion - toward / temperature, 0.0)
    loss = weights * len(z) / weights.sum() * loss
    return loss.sum() / (others > 0).sum().clamp(min=1)


def adc(embedding: Tensor, *, scale2: float, dof: float) -> Tensor:
    """The sum over anchors of the t neighbourhood's divergence from the Gaussian one."""
    z = F.normalize(embedding)
    squared = (2 - 2 * z @ z.T).clamp(min=0)
    itself = torch.eye(len(z), dtype=torch.bool)
    lowest = torch.finfo(z.dtype).min
    with torch.no_grad():
        gaussian = F.log_softmax((-squared / (2 * scale2)).masked_fill_(itself, lowest), 1)
    kernel = -(dof + 1) / 2 * torch.log1p(squared / (dof * scale2))
    student = F.log_softmax(kernel.masked_fill(itself, lowest), 1)
    return (gaussian.exp() * (gaussian - student)).sum()


def nt_xent(first: Tensor, second: Tensor, *, temperature: float) -> Tensor:
    """The mean over images of the cross-entropy of finding the other view."""
    z = F.normalize(torch.cat([first, second]))
    itself = torch.eye(len(z), dtype=torch.bool)
    logits = (z @ z.T / temperature).masked_fill(itself, -torch.inf)
    return F.cross_entropy(logits, torch.arange(len(z)).roll(len(first)))
