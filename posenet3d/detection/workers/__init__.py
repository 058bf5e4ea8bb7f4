"""Programs that run detectors in processes of their own; `serve` is the protocol they share."""
