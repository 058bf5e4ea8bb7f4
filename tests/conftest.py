"""One thread, fixed seeds, property tests that replay. (No import of posenet3d at the top: the shape hook must come first.)"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two cores: more threads than that only wait for each other

import hypothesis
import pytest
import torch

hypothesis.settings.register_profile("exact", derandomize=True, deadline=None, max_examples=25)
hypothesis.settings.load_profile("exact")


@pytest.fixture(autouse=True)
def _same_every_time():
    torch.set_num_threads(1)
    torch.manual_seed(0)
