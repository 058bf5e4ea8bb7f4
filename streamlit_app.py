"""Start the app: `streamlit run streamlit_app.py`."""

from explorer.app import main

main()
