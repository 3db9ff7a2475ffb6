"""Calls about how models are used, how right they are, and what the deployment has used up."""

import streamlit as st

from api_client import Json, call


@st.cache_data(ttl=5, max_entries=20, scope="session", show_spinner=False)
def read_metrics(slug: str, span: str, token: str) -> Json:
    """Read traffic, latency, refusals and quality of a model over a span such as `7d`."""
    return call("GET", f"/api/metrics/{slug}", token=token, params={"span": span})


@st.cache_data(ttl=30, max_entries=20, scope="session", show_spinner=False)
def read_drift(slug: str, token: str) -> Json:
    """Read how far the champion's features have moved from training."""
    return call("GET", f"/api/metrics/{slug}/drift", token=token)


@st.cache_data(ttl=30, max_entries=20, scope="session", show_spinner=False)
def read_values(slug: str, token: str) -> Json:
    """Read what came in and went out of the champion in 30 days, beside training."""
    return call("GET", f"/api/metrics/{slug}/values", token=token)


@st.cache_data(ttl=10, max_entries=4, scope="session", show_spinner=False)
def read_usage(token: str) -> Json:
    """Read what the deployment has used up; for admins."""
    return call("GET", "/api/usage", token=token)


@st.cache_data(ttl=10, max_entries=4, scope="session", show_spinner=False)
def read_overview(span: str, token: str) -> Json:
    """Read how all models stand that this person has a part in, over a span such as `24h`."""
    return call("GET", "/api/overview", token=token, params={"span": span})
