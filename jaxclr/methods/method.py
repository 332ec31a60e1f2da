"""A method: a labeler, which says whom to trust, and terms, which say what to minimize."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Literal, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from jaxclr.errors import InputError
from jaxclr.methods.mixing import Mixing, NoMixing
from jaxclr.models.style import BatchStyle, NoStyle, Style
from jaxclr.types import Evidence, Outputs, Prediction, PseudoLabels, Sizes

Reads = Literal[
    "labeled", "pseudo", "strong", "second", "learned", "style", "average", "crops", "teacher",
]  # fmt: skip
"""What a term can ask the step for: a pass over labeled weak views, pseudo-labels by a pass over
all weak views, or a pass over all strong, second strong, weak (with gradient) or restyled views, or
by averaged weights over both strong views or over weak ones, or over small windows.
"""

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Term(abc.ABC):
    """One summand of the loss: points a pure loss at the outputs and reduces it."""

    weight: float = 1.0
    """Factor of this term in the sum."""

    reads: ClassVar[tuple[Reads, ...]] = ("pseudo", "strong")
    """Which outputs it needs; the step makes the passes that some term needs, and no other."""

    mixed: ClassVar[bool] = False
    """Whether it goes by both labels where labeled images are mixed."""

    @abc.abstractmethod
    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats, before its weight."""


class Labeler(abc.ABC):
    """Turns predictions on weak views into pseudo-labels, with a memory like optax's state."""

    @abc.abstractmethod
    def init(self, sizes: Sizes) -> PyTree:
        """The memory before the first step; an empty tuple where none is needed."""

    @abc.abstractmethod
    def label(self, memory: PyTree, evidence: Evidence) -> tuple[PyTree, PseudoLabels]:
        """Guesses labels; returns the memory for the next step with them."""

    def remember(self, memory: PyTree, outputs: Outputs) -> PyTree:
        """The memory once all passes are made, before the loss; as it is unless told otherwise."""
        return memory


class Bank(abc.ABC):
    """What a method keeps of the labeled images, renewed from their plain views every epoch."""

    renews: ClassVar[bool] = True
    """Whether there is anything to renew."""

    @abc.abstractmethod
    def init(self, sizes: Sizes) -> PyTree:
        """What is kept before the first epoch."""

    @abc.abstractmethod
    def renew(
        self, features: Float[Array, "m d"], label: Int[Array, " m"], domain: Int[Array, " m"],
        sizes: Sizes,
    ) -> PyTree:  # fmt: skip
        """What is kept over the next epoch, from the features of all labeled images."""


@dataclasses.dataclass(frozen=True)
class NoBank(Bank):
    """Keeps nothing."""

    renews = False

    def init(self, sizes: Sizes) -> tuple[()]:
        """Nothing."""
        return ()

    def renew(
        self, features: Float[Array, "m d"], label: Int[Array, " m"], domain: Int[Array, " m"],
        sizes: Sizes,
    ) -> tuple[()]:  # fmt: skip
        """Nothing."""
        return ()


@dataclasses.dataclass(frozen=True)
class Method:
    """What is minimized, and on whose word."""

    terms: Mapping[str, Term]
    """The loss is the sum of these, each times its weight."""
    labeler: Labeler
    """Whom to trust."""
    bank: Bank = dataclasses.field(default_factory=NoBank)
    """What is kept of the labeled images from epoch to epoch."""
    style: Style = dataclasses.field(default_factory=NoStyle)
    """How weak views get the look of another domain."""
    mixing: Mixing = dataclasses.field(default_factory=NoMixing)
    """How labeled weak views are mixed with each other."""
    batch_style: BatchStyle = dataclasses.field(default_factory=BatchStyle)
    """Whether all strong views of a batch get the look of one of them."""

    def __post_init__(self) -> None:
        if not self.mixing.mixes:
            return
        reading = {name: term for name, term in self.terms.items() if "labeled" in term.reads}
        if unaware := [name for name, term in reading.items() if not term.mixed]:
            raise InputError(
                f"The term {unaware[0]!r} takes each labeled image for one of its own class, and "
                f"{self.mixing} would mix them. Leave out the mixing, or the term."
            )
        if not reading:
            raise InputError(
                f"No term looks at labeled images, so {self.mixing} would mix them for nothing. "
                "Leave out the mixing, or add Supervised()."
            )

    @property
    def reads(self) -> frozenset[Reads]:
        """What some term needs of a step."""
        return frozenset(name for term in self.terms.values() for name in term.reads)

    def loss(self, outputs: Outputs) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        """The weighted sum of the terms in nats, and each term before its weight."""
        values = {name: term(outputs) for name, term in self.terms.items()}
        return jnp.stack(list(self.weighted(values).values())).sum(), values

    def weighted(self, values: Mapping[str, Float[Array, ""]]) -> dict[str, Float[Array, ""]]:
        """Each term's value times its weight."""
        return {name: self.terms[name].weight * value for name, value in values.items()}

    def plus(self, **terms: Term) -> "Method":
        """The same method with more terms; a name may be taken only once."""
        if taken := self.terms.keys() & terms.keys():
            raise InputError(f"The method already has a term named {', '.join(sorted(taken))}.")
        return dataclasses.replace(self, terms={**self.terms, **terms})


def needed(value: T | None, what: str) -> T:
    """The value, where there is one.

    Raises:
        InputError: There is none; says that the term needs ``what``.
    """
    if value is None:
        raise InputError(
            f"A term needs {what}, and this experiment has none. Name it among what the term "
            "reads, or give a model, method or experiment that has it."
        )
    return value


def guessed(outputs: Outputs) -> tuple[Prediction, PseudoLabels]:
    """What a term on unlabeled images needs: predictions on strong views, and pseudo-labels."""
    return needed(outputs.strong, "a pass over strong views"), needed(
        outputs.pseudo, "pseudo-labels"
    )


def over_domains(
    outputs: Outputs, losses: Float[Array, " b"], *, labeled: bool = True
) -> Float[Array, ""]:
    """The mean of each domain, summed over the domains, which have equally many images.

    Args:
        outputs: What the losses were made from.
        losses: One per image, labeled and unlabeled.
        labeled: Whether labeled images count; if not, unlabeled ones alone.
    """
    counted = losses if labeled else outputs.only_unlabeled(losses)
    return outputs.num_domains * counted.mean()


def probabilities_of(prediction: Prediction) -> Float[Array, "b k"]:
    """The class probabilities that a network states, in float32."""
    return jax.nn.softmax(prediction.logits.astype(jnp.float32))


def likeliest(
    probabilities: Float[Array, "b k"], weight: Float[Array, " b"] | float
) -> PseudoLabels:
    """Pseudo-labels that name the likeliest class, the first among equals.

    Args:
        probabilities: Of every class, rows summing to one.
        weight: How far each guess is relied upon, in [0, 1]; one number for all, or one for each.

    Returns:
        The guesses; ``probabilities`` goes with them as the soft labels.
    """
    confidence = probabilities.max(-1)
    return PseudoLabels(
        probabilities.argmax(-1),
        confidence,
        jnp.broadcast_to(jnp.asarray(weight, jnp.float32), confidence.shape),
        probabilities,
    )
