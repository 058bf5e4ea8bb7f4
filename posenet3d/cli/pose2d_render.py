"""The command ``posenet3d pose2d render``."""

import argparse

from tqdm import tqdm

from posenet3d.pose2d.data.rendered_dataset import write_rendered_dataset


def render(options: argparse.Namespace) -> None:
    """``pose2d render``: write a data set of rendered people."""
    images, people = write_rendered_dataset(
        options.out, count=options.count, joint_set=options.joints, seed=options.seed
    )
    tqdm.write(f"{options.out}: {images} images of {people} people")
