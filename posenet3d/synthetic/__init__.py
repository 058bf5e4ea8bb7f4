"""Made motion and made observations: stick figures, virtual cameras, detector noise."""
