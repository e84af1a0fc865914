import numpy as np
import pytest

from neurodecode.numerics.hrf_library import (
    CANONICAL,
    LIBRARY,
    HrfShape,
    compute_response,
    make_hrf_library,
)
from neurodecode.numerics.simulation_time import compute_hrf

TIMES_S = np.arange(0, 40, 0.01)


def test_the_canonical_response_is_that_of_spm():
    spm = compute_hrf(TIMES_S)
    ours = compute_response(TIMES_S, CANONICAL)
    np.testing.assert_allclose(ours, spm / spm.max(), atol=0.005)


def test_a_lasting_stimulus_is_the_sum_of_impulses():
    lasting = compute_response(TIMES_S, CANONICAL, 3.0)
    impulse = compute_response(TIMES_S, CANONICAL)
    summed = np.convolve(impulse, np.ones(300))[: len(TIMES_S)]
    np.testing.assert_allclose(lasting, summed / summed.max(), atol=0.01)
    mixed = compute_response(np.stack([TIMES_S, TIMES_S], 1), CANONICAL, np.array([0.0, 3.0]))
    np.testing.assert_array_equal(mixed, np.stack([impulse, lasting], 1))


@pytest.mark.parametrize("shape", LIBRARY, ids=lambda s: f"{s.peak_s}-{s.fwhm_s}")
def test_peaks_and_widths_are_those_asked_for(shape):
    positive = HrfShape(shape.peak_s, shape.fwhm_s, undershoot_ratio=0.0)
    response = compute_response(TIMES_S, positive)
    assert TIMES_S[response.argmax()] == pytest.approx(shape.peak_s, abs=0.02)
    above = TIMES_S[response > 0.5]
    # the width of a gamma density is that of a normal one to a few per cent, for early wide ones
    assert above[-1] - above[0] == pytest.approx(shape.fwhm_s, rel=0.2)
    whole = compute_response(TIMES_S, shape)
    assert whole.max() == pytest.approx(1, abs=1e-3)
    assert whole.min() < 0 and whole[0] == 0 and compute_response(np.array([-1.0]), shape) == 0


def test_the_library_is_twenty_responses_unlike_each_other():
    library = make_hrf_library(TIMES_S)
    assert library.shape == (20, len(TIMES_S))
    alike = np.corrcoef(library) - np.eye(20)
    assert alike.max() < 0.99
    assert alike.min() < 0.6
