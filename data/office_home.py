"""Office-Home: art, clip art, product pictures and photographs of what offices and homes hold."""

import dataclasses
import re
from pathlib import Path
from types import MappingProxyType

from jaxclr.errors import InputError
from jaxclr.pipeline.benchmark import Benchmark
from jaxclr.pipeline.listing import Listing, list_images

CLASSES = (
    "Alarm_Clock Backpack Batteries Bed Bike Bottle Bucket Calculator Calendar Candles Chair "
    "Clipboards Computer Couch Curtains Desk_Lamp Drill Eraser Exit_Sign Fan File_Cabinet "
    "Flipflops Flowers Folder Fork Glasses Hammer Helmet Kettle Keyboard Knives Lamp_Shade Laptop "
    "Marker Monitor Mop Mouse Mug Notebook Oven Pan Paper_Clip Pen Pencil Postit_Notes Printer "
    "Push_Pin Radio Refrigerator Ruler Scissors Screwdriver Shelf Sink Sneakers Soda Speaker Spoon "
    "TV Table Telephone ToothBrush Toys Trash_Can Webcam"
)
# What the archive of the authors calls the domains.
ORIGINAL = {
    "Art": "art",
    "Clipart": "clipart",
    "Product": "product",
    "Real World": "real_world",
    "Real_World": "real_world",
    "RealWorld": "real_world",
}


@dataclasses.dataclass(frozen=True)
class OfficeHome(Benchmark):
    """15,588 images of 65 classes in 4 domains.

    Read are the copy with folders ``train`` and ``val`` in each domain, which results of the field
    are published for (``train`` is trained on), and the authors' own, without them (every image
    is). As the target, a domain is tested whole. Folders of classes may be called ``Alarm_Clock``
    or ``000_Alarm_Clock``. Labeled images per class and source domain are usually 10 or 5.

    How to get it: office_home_dg.zip, linked from the page on data sets of Dassl.pytorch; or
    OfficeHomeDataset_10072016.zip, from the authors' page.

    License: for research that is not commercial, by the authors' page.

    References:
        Venkateswara, Eusebio, Chakraborty, Panchanathan, `Deep Hashing Network for Unsupervised
        Domain Adaptation <https://arxiv.org/abs/1706.07522>`_, CVPR 2017.
    """

    domains = ("art", "clipart", "product", "real_world")
    classes = tuple(CLASSES.split())
    layout = "<domain>/{train,val}/<class>/*.jpg, or <domain>/<class>/*.jpg, in a folder or in zips"
    how_to_get = (
        "office_home_dg.zip is linked from "
        "https://github.com/KaiyangZhou/Dassl.pytorch/blob/master/DATASETS.md, and "
        "OfficeHomeDataset_10072016.zip from https://www.hemanthdv.org/officeHomeDataset.html."
    )
    also = ("office_home_dg", "OfficeHomeDataset_10072016")
    counts = MappingProxyType({"art": 2427, "clipart": 4365, "product": 4439, "real_world": 4357})
    labels_per_class = (10, 5)
    input_size = 224
    home = "https://www.hemanthdv.org/officeHomeDataset.html"
    file = "office_home_dg.zip, or OfficeHomeDataset_10072016.zip"
    license = "for research that is not commercial"
    citation = (
        "Venkateswara et al., Deep Hashing Network for Unsupervised Domain Adaptation, CVPR 2017, "
        "https://arxiv.org/abs/1706.07522"
    )

    def class_name(self, folder: str) -> str:
        """Drops the number that some copies put before the name of a class."""
        return re.sub(r"^\d{3}_", "", folder)

    def listed(self, place: Path) -> Listing:
        """Lists the images of either copy, the domains called as in the one of the benchmark.

        Raises:
            InputError: Both lie there, or images are not laid out as expected.
        """
        names = (*self.domains, *ORIGINAL)
        members, texts = list_images(place, names, follow_links=self.follow_links)
        renamed = {}
        for member in members:
            domain = ORIGINAL.get(member.domain, member.domain)
            path = member._replace(domain=domain).path
            if path in renamed:
                raise InputError(f"{place}: {path} is there in two copies. Leave one of them.")
            renamed[path] = member._replace(domain=domain)
        return Listing(tuple(renamed[path] for path in sorted(renamed)), texts)
