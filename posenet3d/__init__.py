"""PoseNet3D Explorer: 2D joints in, a smooth 3D skeleton out, learnt from 2D alone.

Conventions, said once and used everywhere:

- Camera frame: x right, y down, z forward (OpenCV). World: y up.
- Lengths are metres where a body or ground truth fixes the scale; elsewhere the name says the unit. Angles are radians.
  Suffixes ``_px``, ``_mm``, ``_deg``, ``_s`` mark everything else.
- The 17 joints of Human3.6M in its order (`posenet3d.core.skeleton`); other joint sets are converted on reading
  (`posenet3d.core.jointsets`).
- Array shapes are written in signatures (``frames joints 2``), never flattened to 34 or 51.
- ``R_b_a`` maps a-coordinates to b-coordinates.
- A missing joint is NaN with confidence 0. Nothing is silently invented.
"""

__version__ = "0.1.0"
