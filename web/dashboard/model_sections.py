"""The parts of a model's page: what its card says, one function for each question."""

import pandas as pd
import streamlit as st

import charts
from api_client import Json
from quality import LABELS, Score, plain, precise, recipe_label, scores, short, tiny

KINDS = {
    "held_out": "Rows never seen in training",
    "missing": "Missing values",
    "unseen": "Unseen categories",
    "extreme": "Extreme numbers",
    "threshold": "Next to a split",
}


def show_headline(card: Json) -> None:
    """Show each held-out score beside the baseline's."""
    evaluation = card["evaluation"]
    judged = scores(evaluation["metrics"], evaluation["baseline"])
    with st.grid(len(judged), min_column_width=180):
        for score in judged:
            show_score(score, evaluation["rows"])


def show_score(score: Score, rows: int) -> None:
    """Show one held-out score beside the baseline's."""
    difference = None if score.baseline is None else float(f"{score.value - score.baseline:.3g}")
    st.metric(
        score.label,
        precise(score.value),
        delta=difference,
        delta_color="inverse" if score.better == "lower" else "normal",
        delta_description="against the baseline",
        border=True,
        help=f"95 % interval {precise(score.low)} to {precise(score.high)}, on {rows:,} rows never seen in training.",
    )


def _show_leaderboard(evaluation: Json) -> None:
    st.header("Leaderboard")
    if not evaluation["leaderboard"]:
        st.caption("Nothing was searched here: this version was made elsewhere.")
        return
    st.caption("Every candidate that was tried, on the same folds; the number is the best of its kind.")
    primary = next((each["name"] for each in evaluation["metrics"] if each["primary"]), "score")
    better = next((each["better"] for each in evaluation["metrics"] if each["primary"]), "higher")
    st.altair_chart(
        charts.leaderboard(evaluation["leaderboard"], primary, better=better), alt="Recipes by cross-validated score"
    )


def show_quality(card: Json) -> None:
    """How good is it, and where does it err?"""
    evaluation = card["evaluation"]
    left, right = st.columns(2, gap="large")
    with left:
        st.header("Scores")
        if evaluation["metrics"]:
            st.dataframe(_score_table(evaluation), hide_index=True)
        else:
            st.caption(
                "Nobody here has judged this file on labelled rows. Actuals that are sent show its live quality."
            )
        _show_leaderboard(evaluation)
    with right:
        if evaluation["confusion"]:
            st.header("Confusion")
            st.caption("What rows of each true class were taken for.")
            st.altair_chart(charts.confusion(evaluation["confusion"], card["classes"]), alt="Confusion matrix")
        if evaluation["residual_quantiles"]:
            st.header("Errors")
            st.caption("How far predictions were off, in the target's own unit.")
            st.altair_chart(charts.residuals(evaluation["residual_quantiles"]), alt="Spread of the errors")
        if interval := card["interval"]:
            st.info(
                f"Each prediction comes with an interval of ± {short(interval['half_width'])}. It is made to hold the true value for "
                f"{interval['coverage']:.0%} of rows; on held-out rows it held {interval['measured']:.0%}.",
                icon=":material/straighten:",
            )
        if evaluation["reliability"]:
            st.header("Reliability")
            st.caption("A probability of 80 % should come true in 80 % of cases.")
            st.altair_chart(
                charts.reliability(evaluation["reliability"]), alt="Predicted probability against frequency"
            )


def _score_table(evaluation: Json) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "Score": score.label,
                "Model (95 % interval)": score.text,
                "Baseline": precise(score.baseline),
                "Better": score.better,
            }
            for score in scores(evaluation["metrics"], evaluation["baseline"])
        ]
    )


def show_inputs(card: Json) -> None:
    """What does it look at, and what did training see there?"""
    left, right = st.columns(2, gap="large")
    with left:
        st.header("Importance")
        if not card["evaluation"]["importance"]:
            st.caption("Not known: this version was made elsewhere, and there are no labelled rows to shuffle.")
        else:
            st.caption("How much the score suffers on held-out rows when one column is shuffled.")
            st.altair_chart(charts.importance(card["evaluation"]["importance"]), alt="Importance of each column")
    with right:
        st.header("Columns")
        st.caption("What a row must or may carry.")
        column = st.column_config
        st.dataframe(
            pd.DataFrame([_feature_row(each) for each in card["features"]]),
            hide_index=True,
            column_config={
                "Missing": column.ProgressColumn(format="percent", min_value=0, max_value=1),
                "Required": column.CheckboxColumn(help="The key must be there; null still says 'unknown'"),
            },
        )
        if card["ignored_columns"]:
            st.caption("Put aside in training, may ride along: " + plain(", ".join(card["ignored_columns"])))


def _feature_row(feature: Json) -> Json:
    if feature["kind"] == "category":
        values = ", ".join(each["value"] for each in feature["categories"][:6])
        more = feature["category_count"] - min(len(feature["categories"]), 6)
        seen = f"{values}{f' and {more} more' if more > 0 else ''}" or "any text"
    elif feature["kind"] == "boolean":
        seen = "true, false"
    elif feature["minimum"] is None:
        seen = f"any {feature['kind']}"
    else:
        seen = f"{short(feature['minimum'])} to {short(feature['maximum'])}"
    return {
        "Column": feature["name"],
        "Kind": feature["kind"],
        "Seen in training": seen,
        "Missing": feature["missing_share"],
        "Required": feature["required"],
    }


def show_certificate(card: Json) -> None:
    """Is what is served what was trained?"""
    parity = card["parity"]
    verdict = "passed" if parity["passed"] else "failed"
    st.header("Parity certificate")
    other = "another runtime" if is_brought(card) else "the pipeline that was trained"
    st.write(
        f"The ONNX file that is served was compared with {other}, on {parity['rows']:,} rows: "
        f"**{parity['label_flips']} labels differ**, the largest difference is **{tiny(parity['max_error'])}** "
        f"(allowed: {tiny(parity['tolerance'])})."
    )
    st.badge(
        verdict,
        icon=":material/verified:" if parity["passed"] else ":material/error:",
        color="green" if parity["passed"] else "red",
    )
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "Rows of this kind": KINDS.get(each["kind"], each["kind"]),
                    "Compared": each["rows"],
                    "Labels that differ": each["label_flips"],
                    "Largest difference": tiny(each["max_error"]),
                }
                for each in parity["kinds"]
            ]
        ),
        hide_index=True,
    )
    st.caption("Engines: " + ", ".join(parity["engines"]))
    st.caption(_on_devices(parity))


def _on_devices(parity: Json) -> str:
    """Say what is known of the runtime that answers on visitors' devices."""
    if leg := parity.get("browser"):
        differ = f"{leg['label_flips']} labels differ, the largest difference is {tiny(leg['max_error'])}"
        return f"On devices: {leg['engine']} answered {leg['rows']:,} of these rows; {differ}."
    reason = parity.get("browser_missing")
    return "Not compared in a browser's runtime" + (f": {reason}." if reason else ".")


def is_brought(card: Json) -> bool:
    """Tell whether the file was made elsewhere: nobody here knows what its training saw, or has judged it."""
    return bool(card["parity"]["basis"] == "runtime to runtime")


def show_origin(card: Json) -> None:
    """Where does it come from?"""
    dataset = card["dataset"]
    file = {
        "File": f"{card['size_bytes'] / 1024:,.0f} KiB, SHA-256 {card['digest'][:16]}…",
        "Made with": ", ".join(f"{name} {version}" for name, version in card["libraries"].items()),
    }
    brought = {
        "Trained": "elsewhere, on data that nobody has told of",
        "Brought": f"{card['trained_at'][:16].replace('T', ' ')} UTC",
    }
    trained = {
        "Dataset": f"{dataset['name']}: {dataset['rows']:,} rows, {dataset['columns']} columns",
        "Source": dataset["source"] or "not stated",
        "Licence": dataset["licence"] or "not stated",
        "Recipe": recipe_label(card["recipe"]),
        "Optimised for": LABELS.get(next((m["name"] for m in card["evaluation"]["metrics"] if m["primary"]), ""), "–"),
        "Trained": f"{card['trained_at'][:16].replace('T', ' ')} UTC in {card['training_seconds']:.0f} s, seed {card['seed']}",
    }
    facts = (brought if is_brought(card) else trained) | file
    st.header("Origin")
    st.table(pd.DataFrame({"fact": list(facts), "value": list(facts.values())}), hide_index=True, hide_header=True)
    for warning in card["warnings"]:
        st.warning(plain(warning), icon=":material/report:")
