"""miniDomainNet: clip art, paintings, photographs and sketches of 126 things."""

import dataclasses
from collections import Counter, defaultdict
from pathlib import Path

from jaxclr.errors import InputError
from jaxclr.pipeline.benchmark import Benchmark
from jaxclr.pipeline.folds import ListFormat, read_lists
from jaxclr.pipeline.listing import Listing, list_images

LISTS = "splits_mini"


@dataclasses.dataclass(frozen=True)
class MiniDomainnet(Benchmark):
    """The images of 126 of DomainNet's 345 classes in 4 of its domains.

    In all, 140,006 images are usually reported; how many each domain has is not known to us. Lists
    ``<domain>_train.txt`` and ``<domain>_test.txt`` in a folder ``splits_mini`` say which images
    these are, and number the classes, from 0; what else lies there is passed over. Listed for
    training is what is trained on; as the target, a domain is tested whole. Labeled images per
    class and source domain are usually 10 or 5.

    How to get it: clipart.zip, painting.zip, real.zip and sketch.zip of DomainNet, in its cleaned
    version; and splits_mini.zip, linked from the page on data sets of Dassl.pytorch.

    License: for research that is not commercial, by DomainNet's page.

    References:
        Zhou, Yang, Qiao, Xiang, `Domain Adaptive Ensemble Learning
        <https://arxiv.org/abs/2003.07325>`_, TIP 2021; Peng, Bai, Xia, Huang, Saenko, Wang, `Moment
        Matching for Multi-Source Domain Adaptation <https://arxiv.org/abs/1812.01754>`_, ICCV 2019.
    """

    domains = ("clipart", "painting", "real", "sketch")
    layout = (
        "<domain>/<class>/*.jpg, in a folder or in zips, with "
        "splits_mini/<domain>_{train,test}.txt beside the domains"
    )
    how_to_get = (
        "DomainNet's zips (cleaned version) are had from http://ai.bu.edu/M3SDA/; splits_mini.zip "
        "is linked from https://github.com/KaiyangZhou/Dassl.pytorch/blob/master/DATASETS.md."
    )
    also = ("domainnet", "domain_net", "DomainNet")
    lists = ListFormat("{domain}_{fold}.txt", first_label=0)
    total = 140_006
    labels_per_class = (10, 5)
    input_size = 224
    home = "http://ai.bu.edu/M3SDA/"
    file = "clipart.zip, painting.zip, real.zip, sketch.zip, and splits_mini.zip"
    license = "for research that is not commercial"
    citation = (
        "Zhou et al., Domain Adaptive Ensemble Learning, TIP 2021, "
        "https://arxiv.org/abs/2003.07325; Peng et al., Moment Matching for Multi-Source Domain "
        "Adaptation, ICCV 2019, https://arxiv.org/abs/1812.01754"
    )

    def listed(self, place: Path) -> Listing:
        """Lists the images of the classes that the lists name.

        Raises:
            InputError: There are images but no lists, or they are not laid out as expected.
        """
        members, texts = list_images(place, self.domains, follow_links=self.follow_links)
        # DomainNet's own lists, in "splits", are called the same.
        texts = tuple(text for text in texts if LISTS in Path(text.container, text.name).parts)
        listing = Listing(members, texts)
        named = set(self.class_names(listing)) if members else set()
        return Listing(tuple(member for member in members if member.folder in named), texts)

    def class_names(self, listing: Listing) -> tuple[str, ...]:
        """Names the classes in the order of their labels, which the lists tell.

        A class has the label that most of its images are listed with.

        Raises:
            InputError: There are no lists, or two classes have one label.
        """
        labels: defaultdict[str, Counter[int]] = defaultdict(Counter)
        for domain in self.domains:
            for lines in read_lists(listing.texts, self.lists, domain).values():
                for path, label in lines:
                    labels[path.split("/")[1]][label] += 1
        if not labels:
            raise InputError(
                f"{self.name}: images are there, but no lists {LISTS}/<domain>_train.txt. "
                f"{self.how_to_get}"
            )
        named = {counts.most_common(1)[0][0]: folder for folder, counts in labels.items()}
        if sorted(named) != list(range(len(labels))):
            raise InputError(
                f"{self.name}: the lists in {LISTS} number {len(labels)} classes by "
                f"{len(named)} labels. They are damaged, or of another data set."
            )
        return tuple(named[label] for label in sorted(named))
