"""VLCS: photographs of five things from four collections."""

import dataclasses
from types import MappingProxyType

from jaxclr.pipeline.benchmark import Benchmark


@dataclasses.dataclass(frozen=True)
class Vlcs(Benchmark):
    """10,729 images of 5 classes in 4 domains.

    Images in folders ``train`` are trained on, those in ``crossval`` and ``test`` are not; as the
    target, a domain is tested whole. Of what lies in a folder ``full``, only what the other three
    lack is added. Folders of classes are numbers, in the order of ``classes``. Labeled images per
    class and source domain are usually 10 or 5.

    How to get it: vlcs.zip, which the data sets of Dassl.pytorch link to.

    License: none is stated; its parts are from Caltech-101, LabelMe, PASCAL VOC 2007 and SUN 09,
    each under its own terms.

    References:
        Fang, Xu, Rockmore, `Unbiased Metric Learning: On the Utilization of Multiple Datasets and
        Web Images for Softening Bias <https://doi.org/10.1109/ICCV.2013.208>`_, ICCV 2013.
    """

    domains = ("CALTECH", "LABELME", "PASCAL", "SUN")
    classes = ("bird", "car", "chair", "dog", "person")
    layout = "<DOMAIN>/{train,crossval,test,full}/<0..4>/*.jpg, in a folder or in zips"
    how_to_get = (
        "vlcs.zip is what "
        "https://github.com/KaiyangZhou/Dassl.pytorch/blob/master/dassl/data/datasets/dg/vlcs.py "
        "fetches."
    )
    also = ("VLCS",)
    counts = MappingProxyType({"CALTECH": 1415, "LABELME": 2656, "PASCAL": 3376, "SUN": 3282})
    labels_per_class = (10, 5)
    input_size = 224
    home = "https://github.com/KaiyangZhou/Dassl.pytorch/blob/master/DATASETS.md"
    file = "vlcs.zip"
    license = "none is stated; Caltech-101, LabelMe, PASCAL VOC and SUN have their own terms"
    citation = (
        "Fang et al., Unbiased Metric Learning: On the Utilization of Multiple Datasets and Web "
        "Images for Softening Bias, ICCV 2013, https://doi.org/10.1109/ICCV.2013.208"
    )

    def class_name(self, folder: str) -> str:
        """Reads the number that a folder of a class is called by."""
        numbers = {str(number): name for number, name in enumerate(self.classes)}
        return numbers.get(folder, folder)
