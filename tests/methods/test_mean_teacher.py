import jax
import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import B, K, N, outcome, prediction
from toy import toy_experiment
from traces import softmax

from jaxclr.errors import InputError
from jaxclr.methods.erm import erm
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.mean_teacher import TeacherDistance, mean_teacher


def taught(progress=0.5):
    teacher = prediction(np.random.default_rng(1), B)
    return outcome()._replace(teacher=teacher, progress=jnp.float32(progress))


def distances(outputs):
    """Image by image and class by class."""
    p, t = softmax(outputs.strong.logits), softmax(outputs.teacher.logits)
    return [sum((p[e, c] - t[e, c]) ** 2 for c in range(K)) / K for e in range(B)]


def test_it_is_the_mean_square_to_what_averaged_weights_say_summed_over_domains():
    outputs = taught()
    np.testing.assert_allclose(
        TeacherDistance()(outputs), N * np.mean(distances(outputs)), rtol=1e-4
    )


def test_labeled_images_may_be_left_out():
    outputs = taught()
    unlabeled = [d for d, y in zip(distances(outputs), outputs.given, strict=True) if y < 0]
    value = TeacherDistance(labeled=False)(outputs)
    np.testing.assert_allclose(value, N * np.mean(unlabeled), rtol=1e-4)


@pytest.mark.parametrize("progress, share", [(0.0, 0.0), (0.1, 0.25), (0.4, 1.0), (0.9, 1.0)])
def test_it_grows_with_the_run_to_its_weight(progress, share):
    whole = TeacherDistance(ramp=0.0)(taught(progress))
    np.testing.assert_allclose(TeacherDistance()(taught(progress)), share * whole, rtol=1e-5)


def test_the_gradient_reaches_strong_views_and_not_the_teacher():
    outputs = taught()
    arrays = {"strong": outputs.strong, "teacher": outputs.teacher, "weak": outputs.weak}
    slopes = jax.jit(jax.grad(lambda x: TeacherDistance()(outputs._replace(**x))))(arrays)
    assert slopes["strong"].logits.any() and np.isfinite(slopes["strong"].logits).all()
    del slopes["strong"]
    assert not any(x.any() for x in jax.tree.leaves(slopes))


def test_it_goes_onto_any_base_and_its_experiment_keeps_an_average():
    assert mean_teacher() == mean_teacher(erm())
    assert mean_teacher().reads == {"labeled", "strong", "teacher"}
    assert mean_teacher(fixmatch()).reads == {"labeled", "pseudo", "strong", "teacher"}
    with pytest.raises(InputError, match="compares with averaged weights"):
        toy_experiment(method=mean_teacher())
    with pytest.raises(InputError, match="needs averaged weights: an experiment with ema_decay"):
        mean_teacher().loss(outcome())
