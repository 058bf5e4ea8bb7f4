"""One thread, fixed seeds, property tests that replay. (No import of posenet3d at the top: the shape hook must come first.)"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two cores: more threads than that only wait for each other

import hypothesis
import pytest
import torch

hypothesis.settings.register_profile("exact", derandomize=True, deadline=None, max_examples=25)
hypothesis.settings.load_profile("exact")


LONGEST = ("test_notebooks", "test_browser", "test_training", "test_joint", "test_pose2d", "test_student")


def pytest_collection_modifyitems(items):
    """The files that take longest come first, so that two workers end together."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture(autouse=True)
def _same_every_time():
    torch.set_num_threads(1)
    torch.manual_seed(0)
