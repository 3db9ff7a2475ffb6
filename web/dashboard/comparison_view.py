"""Two versions of a model side by side: scores with intervals, what changed, and which one costs what."""

import pandas as pd
import streamlit as st

import charts
import model_calls
from api_client import Json
from quality import LABELS, plain, precise, recipe_label, tiny

VERDICTS = {"better": "↑ better", "worse": "↓ worse", "unclear": "unclear"}


def show(slug: str, versions: list[Json], token: str | None) -> None:
    """Let somebody choose two versions and lay them side by side."""
    numbers = [each["number"] for each in versions if each["number"]]
    if len(numbers) < 2:  # noqa: PLR2004
        st.info("There is one version only; a second one is needed to compare.", icon=":material/compare_arrows:")
        return
    champion = next((each["number"] for each in versions if "champion" in each["aliases"]), numbers[-1])
    other = next(number for number in numbers if number != champion)
    names = {each["number"]: f"v{each['number']} {' '.join(each['aliases'])}".strip() for each in versions}
    left, right = st.columns(2, gap="large")
    a = left.selectbox(
        "This version", numbers, numbers.index(champion), format_func=names.__getitem__, key="a", bind="query-params"
    )
    b = right.selectbox(
        "Against it", numbers, numbers.index(other), format_func=names.__getitem__, key="b", bind="query-params"
    )
    if a == b:
        st.caption("Choose two different versions.")
        return
    with st.spinner("Reading both cards …", show_time=True):
        found = model_calls.compare_versions(slug, a, b, token)
    _show_scores(found, f"v{a}", f"v{b}")
    _show_facts(found, f"v{a}", f"v{b}")
    _show_features(found["features"], f"v{b}")


def _show_scores(found: Json, a: str, b: str) -> None:
    rows = [
        {
            "Score": LABELS.get(each["name"], each["name"]),
            a: _with_interval(each["a"]),
            b: _with_interval(each["b"]),
            "Difference": None if each["difference"] is None else f"{each['difference']:+.3f}",
            f"{b} is": VERDICTS[each["verdict"]],
            "Better": each["better"],
        }
        for each in found["metrics"]
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    with st.grid(3, min_column_width=240) as grid:
        for each in found["metrics"]:
            if each["a"] or each["b"]:
                with grid.cell():
                    alt = f"{LABELS.get(each['name'], each['name'])} of {a} and {b} with intervals"
                    st.altair_chart(charts.compared(each, a, b), alt=alt)
    if not found["same_data"]:
        st.caption(
            ":material/warning: Trained on different data: each score was measured on the rows that its own training held out. "
            "A replay on logged rows compares them on the same ones."
        )


def _with_interval(score: Json | None) -> str:
    return "–" if score is None else f"{precise(score['value'])}  ({precise(score['low'])} to {precise(score['high'])})"


def _show_facts(found: Json, a: str, b: str) -> None:
    facts = {name: (_facts(found[name])) for name in ("a", "b")}
    rows = [{"": name, a: facts["a"][name], b: facts["b"][name]} for name in facts["a"]]
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config={"": st.column_config.TextColumn(pinned=True)})


def _facts(side: Json) -> dict[str, str]:
    parity = side["parity"]
    return {
        "Recipe": recipe_label(side["recipe"]),
        "Data": f"{side['dataset']['name']}: {side['dataset']['rows']:,} rows",
        "Features": str(side["features"]),
        "File": f"{side['size_bytes'] / 1024:,.0f} KiB",
        "Certificate": f"{parity['label_flips']} flips on {parity['rows']:,} rows, at most {tiny(parity['max_error'])}",
        "Trained": f"{side['trained_at'][:16].replace('T', ' ')} UTC in {side['training_seconds']:.0f} s",
    }


def _show_features(changes: Json, b: str) -> None:
    said = [f"reads {plain(', '.join(changes['added']))} as well"] if changes["added"] else []
    said += [f"no longer reads {plain(', '.join(changes['removed']))}"] if changes["removed"] else []
    said += [f"takes {plain(each['name'])} for {each['b']} instead of {each['a']}" for each in changes["changed"]]
    st.caption(f"{b} {'; '.join(said)}." if said else "Both read the same features.")
