"""Whether features and predictions have moved away from training, one of them closely."""

import streamlit as st

import metrics_calls
import monitor_charts
import value_charts
from ahead import ahead
from api_client import Json
from quality import ago, plain, share, short

STATES = {
    "drifted": ("red", "warning", "drifted"),
    "moved": ("orange", "trending_up", "moved"),
    "stable": ("green", "check_circle", "stable"),
    "not_enough_data": ("gray", "hourglass_empty", "not enough data"),
}


def show(slug: str, token: str) -> None:
    """Show whether features and predictions have moved away from training, one of them closely."""
    with ahead(lambda: metrics_calls.read_values(slug, token)):
        found = metrics_calls.read_drift(slug, token)
    features = found["features"]
    drifted = [each for each in features if each["state"] == "drifted"]
    if drifted:
        names = ", ".join(plain(_label_of(each["feature"])) for each in drifted)
        st.error(f"**{names}** moved away from what training saw, and stays away.", icon=":material/warning:")
    if not features:
        st.info(
            "Nothing has been compared yet. That is done every night, from whole days with enough rows.",
            icon=":material/hourglass_empty:",
        )
    st.caption(
        f"Each window of at least {found['min_rows']} rows is laid beside the training of v{found['version']}. The limit is set so that "
        f"all features together give {found['false_alarms_per_month']:g} false alarms a month; two windows in a row make an alarm."
    )
    _show_states(features)
    values = metrics_calls.read_values(slug, token)["features"]
    if values:
        _show_closely(values, {each["feature"]: each for each in features}, found["min_distance"])


def _show_states(features: list[Json]) -> None:
    """Show each feature's state, the alarming first."""
    for each in sorted(features, key=lambda each: (_rank(each), each["feature"] or "")):
        colour, icon, text = STATES[each["state"]]
        last = next((window for window in reversed(each["windows"]) if window["distance"] is not None), None)
        said = (
            f"distance {last['distance']:.3f}, limit {last['limit']:.3f}" if last else "fewer rows than a window needs"
        )
        st.markdown(
            f":{colour}-badge[:material/{icon}: {text}] **{plain(_label_of(each['feature']))}** · {said} · since {ago(each['since'])}"
        )


def _rank(drift: Json | None) -> int:
    """Put the alarming states first."""
    return list(STATES).index(drift["state"]) if drift else len(STATES)


def _show_closely(values: list[Json], drift: dict[str | None, Json], smallest: float) -> None:
    """Lay one feature's live values beside training, and show its way there."""
    worst_first = sorted(values, key=lambda each: _rank(drift.get(each["feature"])))
    by_label = {_label_of(each["feature"]): each for each in worst_first}
    picked = st.selectbox("Look closely at", list(by_label), key="feature")
    feature = by_label[picked]
    windows = [
        window for window in drift.get(feature["feature"], {}).get("windows", []) if window["distance"] is not None
    ]
    left, right = st.columns(2, gap="large")
    with left:
        _show_distribution(feature, windows)
    with right:
        if windows:
            st.altair_chart(
                monitor_charts.drift(windows, smallest), alt=f"Distance of {picked} from training over time"
            )
            st.caption("Dashed: the limit that chance stays below.")
        else:
            st.caption(
                "No window has enough rows yet." if feature["training"] else "Its card does not tell of training."
            )
    _show_days(feature, picked)


def _show_distribution(feature: Json, windows: list[Json]) -> None:
    """Lay live rows beside training: those of the window that was compared last, else all that are known."""
    since, until = (windows[-1]["since"], windows[-1]["until"]) if windows else ("", "9999")
    days = [day for day in feature["days"] if since <= day["day"] < until] or feature["days"]
    counts = [sum(cell) for cell in zip(*(day["counts"] for day in days), strict=True)]
    total = sum(counts)
    if not total:
        st.caption("Nothing has come in for it yet.")
        return
    live = [count / total for count in counts]
    is_number = bool(feature["edges"])
    chart = value_charts.distributions(_labels(feature), feature["training"], live, is_number=is_number)
    st.altair_chart(chart, alt="Shares of values in training and live")
    span = days[0]["day"] if len(days) == 1 else f"{days[0]['day']} to {days[-1]['day']}"
    st.caption(f"Live: {total:,} rows of {span}.")


def _show_days(feature: Json, name: str) -> None:
    """Show how the values of a feature went from day to day."""
    days = feature["days"]
    seen = sum(day["seen"] for day in days)
    if not seen:
        return
    if sum(sum(day["counts"]) for day in days):
        st.markdown("**Day by day**")
        edges = feature["edges"]
        chart = value_charts.spread(edges, days) if edges else value_charts.mix(_labels(feature), days)
        st.altair_chart(chart, alt=f"{name} day by day")
        if edges:
            st.caption("Line: the middle value; band: four fifths of the rows; dashed: the range that training saw.")
    missing, unseen = (sum(day[name] for day in days) for name in ("missing", "unseen"))
    st.caption(
        f"{seen:,} rows in 30 days · {share(missing / seen)} missing · {share(unseen / seen)} unknown to training or out of its range"
    )


def _labels(feature: Json) -> list[str]:
    """Name the bins that the values of a feature are counted in."""
    if not feature["edges"]:
        return [*feature["labels"], "all others"]
    edges = feature["edges"]
    return _unique([f"< {short(edges[0])}", *(short(edge) for edge in edges[:-1]), f"> {short(edges[-1])}"])


def _unique(labels: list[str]) -> list[str]:
    """Tell equal labels apart: edges that are close together are written alike."""
    seen: dict[str, int] = {}
    told = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        told.append(label + "\u200b" * (seen[label] - 1))
    return told


def _label_of(feature: str | None) -> str:
    """Name a feature, or what is predicted."""
    return "Prediction" if feature is None else feature
