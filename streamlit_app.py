"""Start the explorer: `streamlit run streamlit_app.py`."""

from explorer.app import main

main()
