"""The analysts' dashboard: navigation, who is signed in, and one way to say that something went wrong.

The pages are in `app_pages`, the calls in `api_client`.
"""

import sys
from importlib import import_module
from pathlib import Path

import streamlit as st

import session
from api_client import CallFailed, ServiceUnreachable, SignInNeeded
from quality import plain

HERE = Path(__file__).parent

st.set_page_config(page_title="Rowcast", page_icon=str(HERE / "icon.svg"), layout="wide")
st.logo(str(HERE / "logo.svg"), size="large", icon_image=str(HERE / "icon.svg"))

if "altair" not in sys.modules:
    # Once per server: the drawing libraries take seconds to load on a small machine, and a blank page explains nothing.
    with st.spinner("Waking up …"):
        import_module("charts")

account = session.current()
look = [
    st.Page("app_pages/overview.py", title="Overview", icon=":material/space_dashboard:", default=True),
    st.Page("app_pages/model.py", title="Model", icon=":material/deployed_code:", url_path="model"),
    st.Page("app_pages/monitor.py", title="Monitor", icon=":material/monitoring:", url_path="monitor"),
]
work = [
    st.Page("app_pages/data.py", title="Data", icon=":material/dataset:", url_path="data"),
    st.Page("app_pages/train.py", title="Train", icon=":material/model_training:", url_path="train"),
    st.Page("app_pages/webhooks.py", title="Webhooks", icon=":material/webhook:", url_path="webhooks"),
]
own = [
    *(
        [st.Page("app_pages/usage.py", title="Usage", icon=":material/speed:", url_path="usage")]
        if account and account.role == "admin"
        else []
    ),
    st.Page(
        "app_pages/account.py",
        title=account.email if account else "Sign in",
        icon=":material/account_circle:" if account else ":material/login:",
        url_path="account",
    ),
]
page = st.navigation({"Look": look, "Work": work, "Settings": own})
st.html(HERE / "style.css")
session.write_cookie()

try:
    page.run()
except ServiceUnreachable as error:
    st.error(f"**Rowcast cannot be reached at the moment.** {plain(error)}", icon=":material/cloud_off:")
    st.button("Try again", icon=":material/refresh:")
except SignInNeeded:
    st.warning("**Your session has ended.** Sign in again to go on.", icon=":material/lock:")
    st.page_link("app_pages/account.py", label="Sign in", icon=":material/login:")
except CallFailed as error:
    st.error(plain(error), icon=":material/error:")
