"""One thread, fixed seeds, property tests that replay. (No import of posenet3d at the top: the shape hook must come first.)"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two cores: more threads than that only wait for each other

import hypothesis
import pytest
import torch

hypothesis.settings.register_profile("exact", derandomize=True, deadline=None, max_examples=25)
hypothesis.settings.load_profile("exact")


LONGEST = ("test_notebooks", "test_browser", "test_training", "test_joint", "test_pose2d", "test_student")

SLOW_FILES = {
    "test_bundled_pose2d", "test_chen2019", "test_joint", "test_notebooks", "test_student", "test_training", "test_whole_path",
    "test_detection", "test_movie",
}  # fmt: skip
"""Files that train, run notebooks, draw films or start a detector in nearly every test."""

SLOW_FIXTURES = {
    "app": "a page of the explorer, run whole",
    "page": "a page of the explorer, run whole",
    "without_network": "a page of the explorer, run whole",
    "stick_people": "pictures to train on",
}
"""Fixtures that make a test slow in files that are quick otherwise; single tests carry the marker themselves."""


def pytest_collection_modifyitems(items):
    """Mark what is slow; the files that take longest come first, so that two workers end together."""
    for item in items:
        if item.path.stem in SLOW_FILES or SLOW_FIXTURES.keys() & set(item.fixturenames):
            item.add_marker("slow")
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture(autouse=True)
def _same_every_time():
    torch.set_num_threads(1)
    torch.manual_seed(0)
