"""What several test files share: stand-ins, made clips, made videos."""
