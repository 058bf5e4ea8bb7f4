"""What two results have in common and where they differ: pure functions, no streamlit."""
