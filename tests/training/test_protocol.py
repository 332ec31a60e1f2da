"""FixMatch's step against the protocol's, stated in NumPy: domain by domain, pass by pass."""

import jax
import numpy as np

from jaxclr.methods.fixmatch import fixmatch
from jaxclr.models.convnet import ConvNet
from jaxclr.optim import Sgd
from jaxclr.training.state import Setting, initial_state
from jaxclr.training.step import make_train_step
from jaxclr.types import Batch, Views

DOMAINS, ROWS, SIZE, CLASSES, WIDTH = 3, 4, 16, 3, 2
THRESHOLD, BACKBONE_RATE, HEAD_RATE, MOMENTUM, DECAY, STEPS = 0.45, 0.05, 0.2, 0.9, 5e-4, 7
MEAN, STD = np.array([0.4, 0.5, 0.6]), np.array([0.3, 0.25, 0.2])


def convolve(x, kernel):
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    h, w = x.shape[1:3]
    return sum(padded[:, i : i + h, j : j + w] @ kernel[i, j] for i in range(3) for j in range(3))


class Reference:
    """The network and the protocol's step, in float64, with finite-difference gradients."""

    def __init__(self, params, stats):
        self.params = jax.tree.map(lambda x: np.array(x, np.float64), params)
        self.stats = jax.tree.map(lambda x: np.array(x, np.float64), stats)
        self.velocity = jax.tree.map(np.zeros_like, self.params)
        self.steps = 0

    def predict(self, images, record=None):
        """One pass over one domain's images; records running statistics as torch does."""
        x = (images / 255 - MEAN) / STD
        backbone = self.params["backbone"]
        for layer in "1234":
            x = convolve(x, backbone[f"conv{layer}"]["kernel"])
            mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
            if record is not None:
                count = x.size // x.shape[-1]
                kept = record["backbone"][f"norm{layer}"]
                kept["mean"] += 0.1 * (mean - kept["mean"])
                kept["var"] += 0.1 * (var * count / (count - 1) - kept["var"])
            norm = backbone[f"norm{layer}"]
            x = (x - mean) / np.sqrt(var + 1e-5) * norm["scale"] + norm["bias"]
            x = np.maximum(x, 0)
            b, h, w, c = x.shape
            x = x.reshape(b, h // 2, 2, w // 2, 2, c).max((2, 4))
        features = x.reshape(len(x), -1)
        logits = features @ self.params["head"]["kernel"] + self.params["head"]["bias"]
        return logits - np.log(np.exp(logits).sum(1, keepdims=True))

    def losses(self, batch, guesses=None, record=None):
        """Loss of labels, loss of guesses, and the guesses: all first guesses, then learning."""
        labeled, unlabeled = batch
        own = [(labeled.domain == d, unlabeled.domain == d) for d in range(DOMAINS)]
        if guesses is None:
            guesses = []
            for x, u in own:
                both = np.concatenate([labeled.weak[x], unlabeled.weak[u]])
                guesses.append(np.exp(self.predict(both, record)))
        supervised = 0.0
        for x, _ in own:
            log_p = self.predict(labeled.weak[x], record)
            supervised -= np.mean(log_p[np.arange(len(log_p)), labeled.label[x]])
        consistency = 0.0
        for (x, u), p in zip(own, guesses, strict=True):
            both = np.concatenate([labeled.strong[x], unlabeled.strong[u]])
            log_p = self.predict(both, record)
            trusted = p.max(1) >= THRESHOLD
            consistency -= np.mean(trusted * log_p[np.arange(len(p)), p.argmax(1)])
        return supervised, consistency, guesses

    def gradient(self, batch, guesses):
        def slope(leaf):
            grad = np.zeros_like(leaf)
            for place in np.ndindex(leaf.shape):
                value, ends = leaf[place], []
                for shift in (1e-6, -1e-6):
                    leaf[place] = value + shift
                    ends.append(sum(self.losses(batch, guesses)[:2]))
                leaf[place] = value
                grad[place] = (ends[0] - ends[1]) / 2e-6
            return grad

        return jax.tree.map(slope, self.params)

    def step(self, batch):
        supervised, consistency, guesses = self.losses(batch, record=self.stats)
        grads = self.gradient(batch, guesses)
        cosine = 0.5 * (1 + np.cos(np.pi * self.steps / STEPS))
        for part, rate in (("backbone", BACKBONE_RATE), ("head", HEAD_RATE)):

            def move(value, velocity, grad, rate=rate):
                velocity *= MOMENTUM
                velocity += grad + DECAY * value
                value -= rate * cosine * velocity

            jax.tree.map(move, self.params[part], self.velocity[part], grads[part])
        self.steps += 1
        kept = [p.max(1) >= THRESHOLD for p in guesses]
        return supervised, consistency, np.concatenate([k[ROWS:] for k in kept]).sum()


def make_batch(rng) -> Batch:
    def views():
        label = rng.integers(0, CLASSES, ROWS * DOMAINS).astype(np.int32)
        domain = np.tile(np.arange(DOMAINS, dtype=np.int32), ROWS)
        base = 60 * label[:, None, None, None] + 30 * domain[:, None, None, None]
        shape = (ROWS * DOMAINS, SIZE, SIZE, 3)
        weak, strong = (
            np.clip(base + rng.integers(0, 120, shape), 0, 255).astype(np.uint8) for _ in "ws"
        )
        return Views(weak, strong, label, domain, np.arange(len(label), dtype=np.int32))

    return Batch(views(), views())


def test_two_steps_are_those_of_the_protocol():
    rng = np.random.default_rng(0)
    setting = Setting(
        network=ConvNet(width=WIDTH, size=SIZE).build(CLASSES, seed=0),
        method=fixmatch(threshold=THRESHOLD),
        optimizer=Sgd(BACKBONE_RATE, HEAD_RATE, MOMENTUM, DECAY).build(steps=STEPS),
        num_classes=CLASSES,
        num_domains=DOMAINS,
        steps=STEPS,
        mean=tuple(MEAN.tolist()),
        std=tuple(STD.tolist()),
    )
    state = initial_state(setting)
    reference = Reference(state.params, state.stats)
    train_step = jax.jit(make_train_step(setting))
    for _ in range(2):
        batch = make_batch(rng)
        supervised, consistency, kept = reference.step(batch)
        state, metrics = train_step(state, batch)
        assert 0 < kept < ROWS * DOMAINS
        assert metrics["kept"] == kept
        np.testing.assert_allclose(metrics["supervised"], supervised, rtol=1e-4)
        np.testing.assert_allclose(metrics["consistency"], consistency, rtol=1e-4)
        for ours, theirs in ((state.params, reference.params), (state.stats, reference.stats)):
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4), ours, theirs
            )
