"""The command ``posenet3d pose2d calibrate``."""

import argparse
import sys

from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write
from posenet3d.pose2d.data.data_set import PoseDataSet
from posenet3d.pose2d.evaluation.calibrate import calibrate_run
from posenet3d.pose2d.evaluation.calibration import calibration_error, write_calibration
from posenet3d.pose2d.evaluation.reliability_plot import reliability_svg


def calibrate(options: argparse.Namespace, data: PoseDataSet) -> None:
    """``pose2d calibrate``: fit a run's calibration on held-out people, and report its error on others."""
    if options.plot is not None and not options.plot.parent.is_dir():
        raise InputError(options.plot, "its folder does not exist", "make the folder first")
    report = calibrate_run(options.run_folder, data)
    write_calibration(options.run_folder, report.calibration)
    sys.stdout.write(
        f"{options.run_folder}: expected calibration error {100 * calibration_error(report.before):.1f} % before, "
        f"{100 * calibration_error(report.after):.1f} % after, on {report.joints} joints that it was not fitted on\n"
    )
    if options.plot is not None:
        with atomic_write(options.plot) as file:
            file.write(reliability_svg({"as estimated": report.before, "calibrated": report.after}).encode())
