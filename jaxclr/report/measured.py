"""What the features of a run tell, reckoned once and kept with its results."""

from collections.abc import Mapping
from typing import Any

from jaxclr.measures import similarities, uniformity
from jaxclr.records import Record

COSINE, UNIFORMITY = "cosine_", "uniformity"
"""How the results name them: ``cosine_within``, ``cosine_across``, ``cosine_between``."""


def measured(record: Record) -> Mapping[str, Any]:
    """The results of a run, with the mean cosines of its features and their uniformity.

    Args:
        record: A run; the results of one without features are as they were, and so are those that
            have these figures already.
    """
    if (seen := record.features) is None or UNIFORMITY in record.results:
        return record.results
    cosines = similarities(seen.features, seen.label, seen.domain)._asdict()
    return {
        **record.results,
        **{f"{COSINE}{kind}": value for kind, value in cosines.items()},
        UNIFORMITY: uniformity(seen.features),
    }


def has_features(record: Record) -> bool:
    """Whether the run kept features, be they here or in its folder alone."""
    return record.features is not None or UNIFORMITY in record.results
