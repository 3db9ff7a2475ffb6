"""The site's journeys, unchanged, in front of the built output: what is deployed is what was tested.

They are those of `tests/e2e`; the origin they meet here is the rehearsal's (`web_url` of this folder).
"""

import pytest

from tests.e2e.test_site import (
    test_csv_is_predicted_and_taken_away,
    test_permalink_brings_the_inputs_back,
    test_prediction_follows_the_input,
)
from tests.e2e.test_site_account import test_somebody_signs_up_reloads_and_signs_out
from tests.e2e.test_site_account_pages import test_a_key_is_made_used_replaced_and_revoked
from tests.e2e.test_site_device import test_device_takes_over_and_goes_on_offline
from tests.e2e.test_site_faults import test_unknown_addresses_lead_back
from tests.e2e.test_site_training_faults import test_a_run_is_watched_over_one_socket

__all__ = [
    "test_a_key_is_made_used_replaced_and_revoked",
    "test_a_run_is_watched_over_one_socket",
    "test_csv_is_predicted_and_taken_away",
    "test_device_takes_over_and_goes_on_offline",
    "test_permalink_brings_the_inputs_back",
    "test_prediction_follows_the_input",
    "test_somebody_signs_up_reloads_and_signs_out",
    "test_unknown_addresses_lead_back",
]

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(600)]
