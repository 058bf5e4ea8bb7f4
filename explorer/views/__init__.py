"""The pages; each is a script that Streamlit runs with the sidebar's choice already made."""
