import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import outcome

from jaxclr.errors import InputError
from jaxclr.methods.adc import Calibration, PairCalibration, PairPreservation, Preservation, adc
from jaxclr.methods.barlow import Decorrelation, barlow
from jaxclr.methods.byol import PredictsAverage, byol
from jaxclr.methods.coral import MomentAlignment, StrongMomentAlignment, coral
from jaxclr.methods.debiaspl import AdaptiveMargin, DebiasedThreshold, debiaspl
from jaxclr.methods.defixmatch import Debias, SupervisedStrong, defixmatch
from jaxclr.methods.dhel import DecoupledEnergies, dhel
from jaxclr.methods.erm import Nobody, Supervised, erm
from jaxclr.methods.fbcsa import Alignment, Conformity, DomainMeans, fbcsa
from jaxclr.methods.fixclr import Repulsion, fixclr
from jaxclr.methods.fixmatch import Consistency, FixedThreshold, fixmatch
from jaxclr.methods.flexmatch import CurriculumThreshold, flexmatch
from jaxclr.methods.freematch import Fairness, SelfAdaptive, freematch
from jaxclr.methods.groupdro import Tilted, WorstDomains, groupdro
from jaxclr.methods.irm import Invariance, irm
from jaxclr.methods.mean_teacher import TeacherDistance, mean_teacher
from jaxclr.methods.method import Method, NoBank, Term
from jaxclr.methods.mixing import CutMix, MixUp, NoMixing
from jaxclr.methods.mmd import KernelAlignment, StrongKernelAlignment, mmd
from jaxclr.methods.multicrop import WindowsPredictAverage, WindowsPredictViews
from jaxclr.methods.protogcd import DualLevel, protogcd
from jaxclr.methods.simclr import ViewContrast, simclr
from jaxclr.methods.simsiam import PredictsOther, simsiam
from jaxclr.methods.sinkhorn import SinkhornLabels, sinkhorn
from jaxclr.methods.soft import SoftConsistency
from jaxclr.methods.softmatch import TruncatedGaussian, softmatch
from jaxclr.methods.ssc import SoftUnifiedContrast, UnifiedContrast, ssc
from jaxclr.methods.stylematch import StyleConsistency, stylematch
from jaxclr.methods.supcon import LabelContrast, supcon
from jaxclr.methods.uda import Sharpened, uda
from jaxclr.methods.uplm import Certain, uplm
from jaxclr.methods.vrex import RiskVariance, vrex
from jaxclr.methods.wmse import WhitenedDistance, wmse
from jaxclr.models.style import BatchStyle, FourierStyle, NoStyle

KINDS = (
    Method, Supervised, Consistency, Repulsion, Nobody, FixedThreshold, NoBank, NoStyle,
    UnifiedContrast, SoftUnifiedContrast, Calibration, Preservation, PairCalibration,
    PairPreservation, ViewContrast, DecoupledEnergies, PredictsAverage, PredictsOther,
    Decorrelation, WhitenedDistance, LabelContrast,
    CurriculumThreshold, SelfAdaptive, Fairness, TruncatedGaussian, DebiasedThreshold,
    AdaptiveMargin, Debias, SupervisedStrong, DualLevel, SoftConsistency, SinkhornLabels,
    DomainMeans, Conformity, Alignment, Certain, StyleConsistency, FourierStyle,
    NoMixing, MixUp, CutMix, BatchStyle, WindowsPredictAverage, WindowsPredictViews,
    MomentAlignment, StrongMomentAlignment, KernelAlignment, StrongKernelAlignment, Invariance,
    RiskVariance, WorstDomains, Tilted, TeacherDistance, Sharpened,
)  # fmt: skip
SETTINGS = {kind.__name__: kind for kind in KINDS}
METHODS = [
    erm(),
    fixmatch(),
    fixmatch(threshold=0.8, unlabeled_weight=2.0),
    fixclr(),
    fixclr(erm(), weight=0.5, temperature=0.2, reduction="sum", attraction=0.1),
    ssc(),
    ssc(labeler=FixedThreshold(0.7), soft=True),
    adc(fixmatch(), nu=0.5),
    adc(simclr(decoupled=True)),
    byol(),
    simsiam(),
    barlow(),
    wmse(slices=2),
    dhel(),
    supcon(),
    flexmatch(warms_up=False),
    freematch(fairness=0.001),
    softmatch(num_sigma=3.0),
    debiaspl(strength=0.5),
    defixmatch(),
    protogcd(start=0.2),
    sinkhorn(prior="given", hard=True),
    fbcsa(conformity_weight=0.2),
    fixclr(uplm(least_certainty=0.5)),
    stylematch(style=FourierStyle(ratio_high=0.1)),
    dataclasses.replace(fixmatch(), mixing=MixUp(0.4)),
    dataclasses.replace(fixmatch(), mixing=CutMix(0.4)),
    dataclasses.replace(simclr(), batch_style=BatchStyle(1.0)),
    byol(windows_weight=1.0),
    simsiam(windows_weight=2.0),
    coral(weight=0.5),
    mmd(fixmatch()),
    irm(fixmatch(), weight=1.0),
    vrex(anneal=0.0),
    groupdro(freematch(), step_size=0.1),
    mean_teacher(ramp=0.0),
    uda(temperature=0.5),
]


@dataclasses.dataclass(frozen=True)
class Given(Term):
    """Says a number whatever it sees."""

    number: float = 1.0

    def __call__(self, outputs):
        return jnp.float32(self.number)


def test_the_loss_is_the_weighted_sum_and_the_terms_are_told_before_their_weight():
    method = Method({"a": Given(2.0, 3.0), "b": Given(0.5, -8.0), "c": Given(0.0, 100.0)}, Nobody())
    loss, terms = method.loss(outcome())
    assert loss == 2.0 * 3.0 - 0.5 * 8.0
    assert terms == {"a": 3.0, "b": -8.0, "c": 100.0}


def test_terms_are_added_to_a_copy_and_stay_in_order():
    method = Method({"a": Given()}, FixedThreshold(0.5))
    more = method.plus(b=Given(2.0), c=Given(3.0))
    assert more == Method({"a": Given(), "b": Given(2.0), "c": Given(3.0)}, FixedThreshold(0.5))
    assert list(more.terms) == ["a", "b", "c"]
    assert method == Method({"a": Given()}, FixedThreshold(0.5))


def test_a_name_is_taken_only_once():
    method = Method({"a": Given(), "b": Given(), "c": Given()}, Nobody())
    with pytest.raises(InputError, match=r"already has a term named a, c\.$"):
        method.plus(c=Given(), a=Given(), d=Given())


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_settings_read_back_from_their_repr(method):
    again = eval(repr(method), SETTINGS)
    assert again == method
    assert again is not method


def test_other_settings_are_other_methods():
    for i, method in enumerate(METHODS):
        assert [other == method for other in METHODS] == [i == j for j in range(len(METHODS))]


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_settings_cannot_be_changed_and_their_parts_can_be_keys(method):
    parts = [*method.terms.values(), method.labeler]
    for part in parts:
        assert {part: 1}[dataclasses.replace(part)] == 1
        for field in dataclasses.fields(part):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(part, field.name, 0.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        method.labeler = Nobody()


def test_every_term_is_one_finite_number():
    loss, terms = fixclr().loss(outcome())
    assert list(terms) == ["supervised", "consistency", "repulsion"]
    for value in (loss, *terms.values()):
        assert value.shape == () and value.dtype == jnp.float32 and np.isfinite(value)
