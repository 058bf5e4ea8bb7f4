"""The Streamlit app: pages, charts, and the 3D viewer."""
