"""A method: a labeler, which says whom to trust, and terms, which say what to minimize."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxclr.errors import InputError
from jaxclr.types import Outputs, Prediction, PseudoLabels


@dataclasses.dataclass(frozen=True)
class Term(abc.ABC):
    """One summand of the loss: points a pure loss at the outputs and reduces it."""

    weight: float = 1.0
    """Factor of this term in the sum."""

    @abc.abstractmethod
    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats, before its weight."""


class Labeler(abc.ABC):
    """Turns predictions on weak views into pseudo-labels, with a memory like optax's state."""

    guesses: ClassVar[bool] = True
    """Whether it ever trusts a guess; if not, a step passes over labeled images alone."""

    @abc.abstractmethod
    def init(self, num_classes: int) -> PyTree:
        """The memory before the first step; an empty tuple where none is needed."""

    @abc.abstractmethod
    def label(self, memory: PyTree, prediction: Prediction) -> tuple[PyTree, PseudoLabels]:
        """Guesses labels; returns the memory for the next step with them."""


@dataclasses.dataclass(frozen=True)
class Method:
    """What is minimized, and on whose word."""

    terms: Mapping[str, Term]
    """The loss is the sum of these, each times its weight."""
    labeler: Labeler
    """Whom to trust."""

    def loss(self, outputs: Outputs) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        """The weighted sum of the terms in nats, and each term before its weight."""
        values = {name: term(outputs) for name, term in self.terms.items()}
        weighted = [self.terms[name].weight * value for name, value in values.items()]
        return jnp.stack(weighted).sum(), values

    def plus(self, **terms: Term) -> "Method":
        """The same method with more terms; a name may be taken only once."""
        if taken := self.terms.keys() & terms.keys():
            raise InputError(f"The method already has a term named {', '.join(sorted(taken))}.")
        return dataclasses.replace(self, terms={**self.terms, **terms})


def guessed(outputs: Outputs) -> tuple[Prediction, PseudoLabels]:
    """What a term on unlabeled images needs: predictions on strong views, and pseudo-labels.

    Raises:
        InputError: The method's labeler guesses nothing.
    """
    if outputs.strong is None or outputs.pseudo is None:
        raise InputError(
            "A term needs pseudo-labels, but the method's labeler makes none. Put the term onto a "
            "method whose labeler does, such as fixmatch()."
        )
    return outputs.strong, outputs.pseudo
