"""Numbers that compare 3D results of one sequence: pure functions, no Streamlit."""
