"""FMoW-WILDS: satellite images of buildings and land, by world region or by year."""

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from jaxclr.errors import InputError
from jaxclr.pipeline.benchmark import Regrouped, is_there
from jaxclr.pipeline.files import Entry, walked, where
from jaxclr.pipeline.listing import Listing, Member

CLASSES = (
    "airport airport_hangar airport_terminal amusement_park aquaculture archaeological_site barn "
    "border_checkpoint burial_site car_dealership construction_site crop_field dam "
    "debris_or_rubble educational_institution electric_substation factory_or_powerplant "
    "fire_station flooded_road fountain gas_station golf_course ground_transportation_station "
    "helipad hospital impoverished_settlement interchange lake_or_pond lighthouse "
    "military_facility multi-unit_residential nuclear_powerplant office_building "
    "oil_or_gas_facility park parking_lot_or_garage place_of_worship police_station port prison "
    "race_track railway_bridge recreational_facility road_bridge runway shipyard shopping_mall "
    "single-unit_residential smokestack solar_farm space_facility stadium storage_tank "
    "surface_mine swimming_pool toll_booth tower tunnel_opening waste_disposal "
    "water_treatment_facility wind_farm zoo"
)
TABLE, COUNTRIES, IMAGES = "rgb_metadata.csv", "country_code_mapping.csv", "images"
# Images whose labels were kept back for a contest; WILDS leaves them out, too.
SEQUESTERED = "seq"
ELSEWHERE = "Other"


@dataclasses.dataclass(frozen=True)
class Fmow(Regrouped):
    """Satellite images (224 x 224) of 62 classes; each region of the world, or year, is a domain.

    The table ``rgb_metadata.csv`` tells of every image its class, country, time and split; its row
    ``n``, counted from 0, is about ``images/rgb_img_<n>.png``. Regions are Africa, Americas, Asia,
    Europe, Oceania and Other; years 2002 to 2017. Images of the split ``train`` are trained on,
    those of ``val`` and ``test`` are not, those of ``seq`` not used at all; as the target, a domain
    is tested whole. How many images a domain has is not known to us. Not every class is there in
    every domain, so that ``only`` and ``at_least`` may be needed. WILDS itself splits by time, and
    tests on years after all those of training; how many labels a class should have is not settled.

    How to get it: fmow_v1.1.tar.gz, as the package wilds fetches it, unpacked.

    License: Functional Map of the World Challenge Public License.

    References:
        Christie, Fendley, Wilson, Mukherjee, `Functional Map of the World
        <https://arxiv.org/abs/1711.07846>`_, CVPR 2018; Koh et al., `WILDS: A Benchmark of
        in-the-Wild Distribution Shifts <https://arxiv.org/abs/2012.07421>`_, ICML 2021.
    """

    domains_by: Literal["region", "year"] = "region"
    """What makes a domain."""

    classes = tuple(CLASSES.split())
    layout = f"{TABLE}, {COUNTRIES} and {IMAGES}/rgb_img_<row>.png, in an unpacked folder"
    how_to_get = (
        "fmow_v1.1.tar.gz is fetched by the package wilds, see "
        "https://wilds.stanford.edu/datasets/."
    )
    also = ("fmow_v1.1",)
    input_size = 224
    home = "https://wilds.stanford.edu/datasets/"
    file = "fmow_v1.1.tar.gz"
    license = "Functional Map of the World Challenge Public License"
    citation = (
        "Christie et al., Functional Map of the World, CVPR 2018, "
        "https://arxiv.org/abs/1711.07846; Koh et al., WILDS: A Benchmark of in-the-Wild "
        "Distribution Shifts, ICML 2021, https://arxiv.org/abs/2012.07421"
    )

    def listed(self, place: Path) -> Listing:
        """Lists the images that the table names, be they there or not.

        Args:
            place: The unpacked folder, or one that holds it.

        Raises:
            InputError: A table cannot be read, or is not as it should be; or a domain that is asked
                for is not there.
        """
        roots = (place, *(place / name for name in self.also))
        root = next((root for root in roots if (root / TABLE).is_file()), None)
        if root is None or not (root / IMAGES).is_dir():
            return Listing((), ())
        found = walked(root / IMAGES, follow_links=self.follow_links)
        files = {entry.name: entry for entry in found}
        members = []
        for domain, split, category, name in self._rows(root):
            absent = Entry(str(root / IMAGES), name, None, 0, False, 0)
            members.append(Member(domain, split, category, name, files.get(name, absent)))
        return Listing(self.chosen(members), ())

    def listing(self) -> Listing:
        """Lists the first place that holds an image.

        Raises:
            InputError: None does; or the table names images that are not there.
        """
        listing = super().listing()
        absent = [member for member in listing.members if not is_there(member)]
        if absent:
            raise InputError(
                f"{len(absent)} images that {TABLE} lists are not there, the first of them "
                f"{where(absent[0].entry)}. Was the archive unpacked whole?"
            )
        return listing

    def _rows(self, root: Path) -> Iterator[tuple[str, str, str, str]]:
        """Domain, split, class and file of every image that is not kept back."""
        regions = {}
        if self.domains_by == "region":
            rows = _table(root / COUNTRIES, ("alpha-3", "region"))
            regions = {row["alpha-3"]: row["region"] for row in rows}
        needed = ("split", "category", "country_code", "timestamp")
        for number, row in enumerate(_table(root / TABLE, needed)):
            if row["split"] == SEQUESTERED:
                continue
            by = {
                "region": regions.get(row["country_code"]) or ELSEWHERE,
                "year": row["timestamp"][:4],
            }
            yield by[self.domains_by], row["split"], row["category"], f"rgb_img_{number}.png"


def _table(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Reads a table that is known to have these columns."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
                raise InputError(f"{path}: no column {missing[0]!r}; is it FMoW-WILDS's table?")
            for row in reader:
                if None in (row[name] for name in columns):
                    raise InputError(f"{path}, line {reader.line_num}: cells are missing.")
                yield row
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not CSV in UTF-8 ({error}).") from error
