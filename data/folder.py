"""Any images of one's own: a folder per domain, and in it a folder per class."""

import dataclasses

from jaxclr.errors import InputError
from jaxclr.pipeline.source import Collection, ImageFolders


@dataclasses.dataclass(frozen=True)
class Folder(ImageFolders):
    """Reads ``<domain>/<class>/*.{jpg,jpeg,png}``, from a folder or from zips of that form.

    Domains and classes are the folders found, sorted by name. A domain may hold folders ``train``
    and ``val``, ``crossval`` or ``test`` with the classes in them: only ``train`` is then trained
    on. Lists ``<domain>_{train,crossval,test}_kfold.txt`` are heeded where there are any.
    """

    how_to_get = "Give your own folder or zip with --dataset.root."

    def load(self) -> Collection:
        """Lists the images of every domain.

        Raises:
            InputError: There are no images, or fewer than two domains or two classes.
            JaxclrError: An image cannot be decoded, or the cache cannot be written.
        """
        collection = super().load()
        found = {
            "domains": [domain.name for domain in collection.domains],
            "classes": list(collection.classes),
        }
        for what, names in found.items():
            if len(names) < 2:
                raise InputError(
                    f"{self.root or self.name}: at least two {what} are needed, and {names[0]!r} "
                    f"is the only one found. Expected: {self.layout}."
                )
        return collection
