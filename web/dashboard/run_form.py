"""What a training run is asked: every option, checked before anything is sent."""

from dataclasses import dataclass, field

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from api_client import Json
from quality import plain
from upload import is_slug

BUDGETS = {
    10: "10 seconds",
    30: "30 seconds",
    60: "1 minute",
    300: "5 minutes",
    900: "15 minutes",
    1800: "30 minutes",
    3600: "1 hour",
}
FOUND = "as found"
TASKS = {FOUND: "as found", "binary": "yes or no", "multiclass": "one of several", "regression": "an amount"}
METRICS = {
    FOUND: "as usual: log loss or R²",
    "log_loss": "log loss",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "r2": "R²",
    "rmse": "root mean squared error",
    "mae": "mean absolute error",
}
OF_NUMBERS = {"r2", "rmse", "mae"}
HOLDOUTS = {"random": "a random fifth", "time": "the newest rows", "group": "whole groups"}


@dataclass(frozen=True)
class Source:
    """A table to learn from, as far as the form must know it."""

    name: str
    slug: str
    columns: list[str]
    dropped: list[str] = field(default_factory=list)


def ask(source: Source) -> Json | None:
    """Ask what to predict and how; return the run to start, without its data set, once everything fits."""
    with st.form("train"):
        left, right = st.columns(2, gap="large")
        target = left.selectbox(
            "Column to predict", source.columns, index=None, placeholder="Choose the answer", key="target"
        )
        title = left.text_input("Title", value=source.name, max_chars=120, key="title")
        slug = left.text_input(
            "Name in addresses",
            value=source.slug,
            max_chars=63,
            key="slug",
            help="A new model, or the next version of one",
        )
        budget = right.select_slider(
            "Time to search", list(BUDGETS), value=30, format_func=BUDGETS.__getitem__, key="budget"
        )
        drop = _ask_drop(right, source)
        is_public = right.toggle(
            "Publish it for everybody", key="public", help="Anybody may then read its card and predict"
        )
        with st.expander("More options", icon=":material/tune:"):
            options = _ask_more(source.columns)
        is_sent = st.form_submit_button("Train", type="primary", icon=":material/model_training:")
    if not is_sent:
        return None
    if objection := _objection(target, slug, drop, options):
        st.warning(objection, icon=":material/edit:")
        return None
    return {
        "model": slug,
        "title": title.strip() or slug,
        "description": options.pop("description", ""),
        "target": target,
        "visibility": "public" if is_public else "private",
        "options": {"time_budget_seconds": budget, "drop": drop, **options},
    }


def _ask_drop(place: DeltaGenerator, source: Source) -> list[str]:
    return place.multiselect(
        "Columns to leave out",
        source.columns,
        default=[name for name in source.dropped if name in source.columns],
        key="drop",
        help="Ids, names, anything known only afterwards",
    )


def _ask_more(columns: list[str]) -> Json:
    """Ask what is rarely asked; leave out of the answer what is as found."""
    left, right = st.columns(2, gap="large")
    task = left.selectbox("The answer is", list(TASKS), format_func=TASKS.__getitem__, key="task")
    metric = left.selectbox("Search for the best", list(METRICS), format_func=METRICS.__getitem__, key="metric")
    is_balanced = left.toggle("Rare classes count as much as frequent ones", key="balanced")
    description = left.text_area("Description", max_chars=2000, height=100, key="description", help="Of a new model")
    by = right.selectbox("Judge on", list(HOLDOUTS), format_func=HOLDOUTS.__getitem__, key="holdout")
    column = right.selectbox(
        "Time or group column", columns, index=None, placeholder="Not needed", key="holdout_column"
    )
    share = right.slider("Share of rows kept for judging", 5, 50, 20, step=5, format="%d %%", key="holdout_share")
    seed = right.number_input("Seed", 0, 999_999_999, 0, key="seed", help="Same data and seed, same model")
    workers = right.number_input("Workers that search together", 1, 8, 1, key="workers")
    options: Json = {name: value for name, value in (("task", task), ("metric", metric)) if value != FOUND}
    if is_balanced:
        options["class_weights"] = "balanced"
    if by != "random":
        options["holdout"] = {"by": by, "column": column, "share": share / 100}
    if seed:
        options["seed"] = int(seed)
    if workers > 1:
        options["workers"] = int(workers)
    if description.strip():
        options["description"] = description.strip()
    return options


def _objection(target: str | None, slug: str, drop: list[str], options: Json) -> str | None:
    """Say what is wrong with the form, if anything is."""
    if target is None:
        return "Choose the column to predict."
    if not is_slug(slug):
        return "The name in addresses needs 2 to 63 of a-z, 0-9 and inner dashes, such as `house-prices`."
    if target in drop:
        return f"“{plain(target)}” cannot be predicted and left out."
    task, metric = options.get("task"), options.get("metric")
    if task and metric and (metric in OF_NUMBERS) != (task == "regression"):
        return f"{METRICS[metric].capitalize()} does not judge {TASKS[task]}: choose another score or another kind of answer."
    if options.get("class_weights") and (task == "regression" or metric in OF_NUMBERS):
        return "Amounts have no classes that could count alike."
    holdout = options.get("holdout")
    if holdout and holdout["column"] is None:
        return "Choose the column that tells the time or the group."
    if holdout and holdout["column"] == target:
        return "The column to predict cannot decide which rows are kept for judging."
    return None
