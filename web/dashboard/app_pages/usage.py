"""What the deployment has used up of what its plans give, for admins."""

import streamlit as st

import metrics_calls
import session
from api_client import CallFailed, Json
from quality import ago, plain, share

NAMES = {
    "database": "Database",
    "storage": "Storage",
    "requests": "Function requests this month",
    "kv_commands": "Key-value commands this month",
}
NEAR = 0.8
FAR_DAYS = 365


def amount(value: float, unit: str) -> str:
    """Write an amount with its unit, in as many digits as tell something."""
    if unit != "bytes":
        return f"{value:,.0f}"
    for size, name in ((1024**3, "GB"), (1024**2, "MB"), (1024, "kB")):
        if value >= size:
            return f"{value / size:,.3g} {name}" if value < 1000 * size else f"{value / size:,.0f} {name}"
    return f"{value:,.0f} bytes"


def show_quota(quota: Json) -> None:
    """Show how much of one quota is used, where that leads, and what then happens."""
    st.markdown(f"**{NAMES[quota['name']]}**")
    used, limit = amount(quota["used"], quota["unit"]), amount(quota["limit"], quota["unit"])
    st.progress(min(quota["share"], 1.0), text=f"{used} of {limit} · {share(quota['share'])}")
    forecast = quota["month_end_share"]
    if forecast is not None:
        st.caption(f"At the end of the month, if it goes on like this: {share(forecast)}")
    if quota["share"] >= 1:
        st.error(f"**Used up.** {plain(quota['degrades'])}.", icon=":material/error:")
    elif max(quota["share"], forecast or 0) >= NEAR:
        st.warning(f"When it is used up: {plain(quota['degrades'])}.", icon=":material/warning:")
    else:
        st.caption(f"When it is used up: {plain(quota['degrades'])}.")


def show_load(usage: Json) -> None:
    """Show the largest tables, and the statements that take long where the database counts them."""
    st.header("Database")
    tables = [
        {"Table": each["name"], "Size": amount(each["bytes"], "bytes"), "Rows": each["rows"]}
        for each in usage["tables"]
    ]
    st.dataframe(tables, hide_index=True, column_config={"Rows": st.column_config.NumberColumn(format="localized")})
    statements = usage["statements"]
    if statements is None:
        st.caption(
            "The database keeps no count of slow statements here; on Supabase the extension pg_stat_statements does."
        )
    elif not statements:
        st.caption("No statement that ran ten times took 100 ms or more on average.")
    else:
        names = {"statement": "Statement", "calls": "Calls", "mean_ms": "Mean ms", "total_ms": "Total ms"}
        st.dataframe([{names[name]: each[name] for name in names} for each in statements], hide_index=True)


account = session.current()
st.title("Usage")
if account is None or account.role != "admin":
    st.info("What the deployment has used is shown to admins.", icon=":material/lock:")
else:
    try:
        usage = metrics_calls.read_usage(account.access_token)
    except CallFailed as failure:
        if failure.status != 403:  # noqa: PLR2004
            raise
        st.warning("Your role has changed: this page is for admins.", icon=":material/lock:")
        st.stop()
    st.caption("Beside the free plans of Supabase, Vercel and Upstash, as their pages stated them in November 2026.")
    with st.grid(2, min_column_width=300, border=True) as grid:
        for each in usage["quotas"]:
            with grid.cell():
                show_quota(each)
    st.header("Prediction log")
    waiting = usage["waiting_to_be_counted"]
    st.write(
        f"{amount(usage['log_bytes'], 'bytes')}, the oldest from {ago(usage['oldest_prediction_at'])}. Predictions are kept for "
        f"{usage['prediction_days']} days; their counts stay."
    )
    full = usage["log_full_in_days"]
    if full is not None:
        limit = amount(usage["log_limit_bytes"], "bytes")
        when = (
            "has reached it"
            if full == 0
            else f"reaches it in {full:,.0f} days"
            if full < FAR_DAYS
            else "is far from it"
        )
        st.caption(f"Above {limit} the oldest are deleted earlier. Growing as in the last week, the log {when}.")
    if waiting:
        st.caption(f"{waiting:,} predictions are not in the figures yet: a worker counts them every minute.")
    show_load(usage)
