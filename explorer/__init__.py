"""The Streamlit explorer: views, pure figure functions, and the viewer component."""
