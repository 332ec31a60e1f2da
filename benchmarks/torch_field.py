"""The step in torch as the field's code does it.

NCHW, each domain by itself, three passes a domain, the loss by loops over classes and domains, one
optimizer for the backbone and one for the classifier, all at torch's defaults.
"""

import os
from typing import Any

import torch
import torch.nn.functional as F
from measure import Work
from torch_losses import fixclr_loops
from torch_networks import Network
from workload import (
    BACKBONE_RATE,
    DECAY,
    HEAD_RATE,
    MOMENTUM,
    REPULSION,
    TEMPERATURE,
    THRESHOLD,
    Case,
    images,
    joined,
    normalised,
)  # fmt: skip

Domains = list[torch.Tensor]
Guesses = list[tuple[torch.Tensor, torch.Tensor]]


def every_core() -> None:
    """Has torch use as many threads as the process has cores."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))


def tensors(case: Case) -> dict[str, torch.Tensor]:
    """The batch, normalised, NCHW, row by row: what the loader's processes would have made."""
    made = images(case)
    weak = joined(made.labeled, made.unlabeled, case.domains)
    strong = joined(made.strong_labeled, made.strong_unlabeled, case.domains)
    pixels = {"weak": weak, "labeled": made.labeled, "strong": strong}
    found = {
        name: torch.from_numpy(normalised(x)).permute(0, 3, 1, 2).contiguous()
        for name, x in pixels.items()
    }
    return {**found, "label": torch.from_numpy(made.label).long()}


def of_domain(x: torch.Tensor, domain: int, domains: int) -> torch.Tensor:
    """The examples of one domain, in order."""
    return x[domain::domains].contiguous()


def step(
    case: dict[str, Any], *, first: str, repels: bool = True, after: str | None = None
) -> Work:
    """Makes train steps.

    Args:
        case: Of the workload.
        first: Where the first weights are.
        repels: Whether FixCLR is added to FixMatch.
        after: Where, when asked to tell, the weights are written as they then are.
    """
    every_core()
    chosen = Case(**case)
    n, given = chosen.domains, tensors(chosen)
    weak, labeled, strong, label = (
        [of_domain(given[name], d, n) for d in range(n)]
        for name in ("weak", "labeled", "strong", "label")
    )
    network = Network(chosen)
    network.load(first)
    network.train()
    optimizers = [
        torch.optim.SGD(part.parameters(), rate, momentum=MOMENTUM, weight_decay=DECAY)
        for part, rate in ((network.backbone, BACKBONE_RATE), (network.head, HEAD_RATE))
    ]
    metrics: dict[str, float] = {}

    def one() -> None:
        guesses = guessed(network, weak)
        loss, features = supervised_and_consistent(network, labeled, label, strong, guesses)
        # Labeled and unlabeled images take turns in a domain, as they do in a row of the batch.
        is_given = torch.arange(2 * chosen.per_domain) % 2 == 0
        if repels:
            loss = loss + REPULSION * repulsion(chosen, features, label, guesses, is_given)
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        metrics["loss"] = loss.item()
        metrics["kept"] = sum(trust[~is_given].sum().item() for _, trust in guesses)

    def run(steps: int) -> None:
        for _ in range(steps):
            one()

    def tell() -> dict[str, Any]:
        if after:
            network.save(after)
        return metrics

    return Work(run, tell)


@torch.no_grad()
def guessed(network: Network, weak: Domains) -> Guesses:
    """The likeliest class of every weak view, and 1 where it is trusted."""
    guesses = []
    for images_of_domain in weak:
        logits, _ = network(images_of_domain)
        confidence, guess = torch.softmax(logits, 1).max(1)
        guesses.append((guess, (confidence >= THRESHOLD).float()))
    return guesses


def supervised_and_consistent(
    network: Network, labeled: Domains, label: Domains, strong: Domains, guesses: Guesses
) -> tuple[torch.Tensor, Domains]:
    """FixMatch's loss, domain by domain, and the features of the strong views."""
    loss, features = torch.zeros(()), []
    for d, images_of_domain in enumerate(labeled):
        logits, _ = network(images_of_domain)
        loss = loss + F.cross_entropy(logits, label[d])
    for d, images_of_domain in enumerate(strong):
        logits, seen = network(images_of_domain)
        guess, trust = guesses[d]
        each = F.cross_entropy(logits, guess, reduction="none")
        loss = loss + (each * trust).mean()
        features.append(seen)
    return loss, features


def repulsion(
    case: Case, features: Domains, label: Domains, guesses: Guesses, is_given: torch.Tensor
) -> torch.Tensor:
    """FixCLR's loss; given labels are known and trusted."""
    known, trust = zip(*guesses, strict=True)
    known = [k.clone().masked_scatter_(is_given, label[d]) for d, k in enumerate(known)]
    trust = [t.masked_fill(is_given, 1.0) for t in trust]
    domain = torch.arange(case.domains).repeat_interleave(len(is_given))
    return fixclr_loops(
        torch.cat(features), torch.cat(known), domain, torch.cat(trust),
        num_classes=case.classes, num_domains=case.domains, temperature=TEMPERATURE,
    )  # fmt: skip
