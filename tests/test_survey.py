import dataclasses

import numpy as np
import pytest
from toy import Toy, toy_experiment

from jaxclr.evaluation import make_predict, over_images
from jaxclr.models.convnet import ConvNet
from jaxclr.models.heads import Mlp, Prototypes
from jaxclr.run import Run
from jaxclr.survey import needs_start, prototypes_at


def model(start):
    return ConvNet(width=4, size=16, projector=Mlp(width=6), classifier=Prototypes(start=start))


def unit(x):
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-6)


def test_prototypes_start_at_the_mean_direction_of_the_labeled_images_of_a_class():
    rng = np.random.default_rng(0)
    embeddings, label = rng.normal(size=(9, 4)).astype(np.float32), np.array([0, 1, 2] * 3)
    label[6:] = -1
    found = prototypes_at(model("class_means"), embeddings, label, 3)
    for c in range(3):
        mine = [unit(embeddings)[i] for i in range(9) if label[i] == c]
        np.testing.assert_allclose(found[c], sum(mine) / len(mine), rtol=1e-5)


def test_centres_by_k_means_are_given_to_the_classes_whose_labels_lie_in_them():
    rng = np.random.default_rng(1)
    directions = np.array([[5, 0, 0], [0, 5, 0], [0, 0, 5]], float)
    of = np.repeat([2, 0, 1], 20)
    embeddings = (directions[of] + 0.3 * rng.normal(size=(60, 3))).astype(np.float32)
    label = np.full(60, -1)
    label[[3, 25, 45]] = of[[3, 25, 45]]
    found = prototypes_at(model("k_means"), embeddings, label, 3)
    for c in range(3):
        np.testing.assert_allclose(found[c], unit(embeddings[of == c]).mean(0), atol=1e-4)


@pytest.mark.parametrize("start", ["random", "class_means"])
def test_a_run_starts_where_its_model_says(tmp_path, start):
    experiment = toy_experiment(model=model(start))
    assert needs_start(experiment.model) == (start != "random")
    collection = Toy().load()
    run = Run(experiment, collection, "night", 1, tmp_path, {})
    network, _ = run.first
    plain = experiment.model.build(3, seed=1)
    if start == "random":
        np.testing.assert_array_equal(
            network.params["head"]["prototypes"], plain.params["head"]["prototypes"]
        )
        return
    predict = make_predict(plain, experiment.augment, np.float32, run.layout)
    found = [
        over_images(
            predict,
            lambda seen: seen.embedding,
            plain.params,
            plain.stats,
            run.layout,
            d,
            i,
            experiment.augment,
        )
        for d, i in zip(run.sources, run.split.labeled, strict=True)
    ]
    label = np.concatenate(
        [d.label[i] for d, i in zip(run.sources, run.split.labeled, strict=True)]
    )
    vectors = unit(np.concatenate(found))
    means = [vectors[label == c].mean(0) for c in range(3)]
    np.testing.assert_allclose(network.params["head"]["prototypes"], means, rtol=1e-4, atol=1e-5)
    same = dataclasses.replace(experiment.model, classifier=Prototypes())
    np.testing.assert_array_equal(
        network.params["backbone"]["conv1"]["kernel"],
        same.build(3, seed=1).params["backbone"]["conv1"]["kernel"],
    )
