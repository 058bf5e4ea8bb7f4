"""From pictures to 2D joints: detectors behind one small interface, tracking, and what is kept between visits."""
