"""Writing a hook's mapping with a payload beside it: what each feature gets is shown while it is written."""

import json
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import pandas as pd
import streamlit as st

import hook_calls
import model_calls
import orders
from api_client import CallFailed, Json, SignInNeeded
from quality import plain

OUTCOMES = {
    "predicted": ("green", "check_circle", "It would be predicted"),
    "ignored": ("orange", "do_not_disturb_on", "It would be ignored"),
    "refused": ("red", "error", "It would be refused"),
}


@st.fragment
def show(hook: Json, token: str) -> None:
    """Let somebody edit the mapping and try it on a payload; each change is tried at once."""
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Mapping**")
        mapping, kept = _edit(hook)
        if mapping is not None:
            is_new = mapping != kept
            if st.button(
                "Save mapping", type="primary", icon=":material/save:", disabled=not is_new, key="mapping_save"
            ):
                orders.carry_out(lambda: hook_calls.change_hook(hook["id"], {"mapping": mapping}, token), "Saved.")
                st.rerun()
            if is_new:
                st.caption(":material/edit: Tried as it stands here; senders still meet the saved one.")
    with right:
        st.markdown("**Payload**")
        written = st.text_area(
            "What the sender would send",
            value=_example(hook, token),
            height=220,
            key=f"payload_{hook['id']}",
            max_chars=100_000,
        )
        payload, fault = _read(written)
        if fault:
            st.error(f"This is not JSON: {plain(fault)}", icon=":material/data_object:")
        elif mapping is not None:
            _try(hook["id"], payload, mapping, token)


def _edit(hook: Json) -> tuple[Json | None, Json]:
    """Return the mapping as it is written (None while it is not complete), and the one that is saved."""
    kept = {name: value for name, value in hook["mapping"].items() if value}
    rows = st.text_input(
        "Where the rows are",
        value=kept.get("rows", ""),
        placeholder="record, records, data or the payload itself",
        help="A path such as $.data.lines[*]; empty: found by itself",
        key=f"rows_{hook['id']}",
    )
    table = pd.DataFrame(_feature_rows(kept), columns=["Feature", "From", "Constant"])
    edited = st.data_editor(
        table.astype({"Feature": "string", "From": "string", "Constant": "bool"}),
        num_rows="dynamic",
        hide_index=True,
        key=f"features_{hook['id']}",
        column_config={
            "From": st.column_config.TextColumn(
                help="$ starts at the payload, @ at the row: @.age, $.record.person.age"
            ),
            "Constant": st.column_config.CheckboxColumn(help="The same value for every row, written as JSON"),
        },
    )
    st.caption("Features that are not named here come from the row's column of the same name.")
    features: dict[str, Any] = {}
    for name, source, is_constant in edited.itertuples(index=False):
        if pd.isna(name) or pd.isna(source) or not str(name).strip():
            continue
        features[str(name).strip()] = {"constant": _constant(source)} if is_constant is True else str(source).strip()
    mapping: Json = {"rows": rows.strip()} if rows.strip() else {}
    if features:
        mapping["features"] = features
    if kept.get("key"):
        mapping["key"] = kept["key"]
    return mapping, kept


def _feature_rows(mapping: Json) -> list[tuple[str, str, bool]]:
    features = mapping.get("features", {})
    return [
        (name, json.dumps(source["constant"]) if isinstance(source, dict) else source, isinstance(source, dict))
        for name, source in features.items()
    ]


def _constant(written: str) -> object:
    try:
        value = json.loads(written)
    except ValueError:
        return written
    return written if isinstance(value, dict | list) else value


def _example(hook: Json, token: str) -> str:
    """Write a payload that the model understands, made of what its card has seen."""
    row: Json = {}
    if hook["model"]:
        with suppress(CallFailed):
            card = model_calls.read_card(hook["model"], hook["alias"], token)
            row = {feature["name"]: _typical(feature) for feature in card["features"]}
    payload = {"type": "INSERT", "record": row} if hook["kind"] == "supabase" else {"data": row}
    return json.dumps(payload, indent=2, ensure_ascii=False)


def _typical(feature: Json) -> object:
    if feature["kind"] == "category":
        return feature["categories"][0]["value"] if feature["categories"] else None
    if feature["kind"] == "boolean":
        return True
    quantiles = feature["quantiles"]
    middle = quantiles[len(quantiles) // 2] if quantiles else feature["minimum"]
    if feature["kind"] == "date" and middle is not None:  # the card counts days
        return (date(1970, 1, 1) + timedelta(days=middle)).isoformat()
    return round(middle) if feature["kind"] == "integer" and middle is not None else middle


def _read(written: str) -> tuple[object, str]:
    try:
        return json.loads(written), ""
    except ValueError as error:
        return None, str(error)


def _try(hook_id: str, payload: object, mapping: Json, token: str) -> None:
    try:
        tried = hook_calls.try_payload(hook_id, payload, mapping, token)
    except SignInNeeded:
        raise
    except CallFailed as error:
        st.error(plain(error), icon=":material/error:")
        return
    colour, icon, said = OUTCOMES[tried["outcome"]]
    reason = f": {plain(tried['reason'])}" if tried["reason"] and not tried["errors"] else ""
    st.markdown(f":{colour}[:material/{icon}: **{said}**{reason}]")
    for each in [*tried["errors"], *tried["warnings"]]:
        st.markdown(f"- `{each['pointer'].replace('`', '')}` {plain(each['detail'])}")
    for row in tried["rows"][:5]:
        st.caption(f"Row at {plain(row['place'])}")
        facts = [
            {"Feature": name, "Gets": json.dumps(row["features"].get(name)), "From": source}
            for name, source in tried["sources"].items()
        ]
        st.dataframe(pd.DataFrame(facts, columns=["Feature", "Gets", "From"]), hide_index=True)
        if row["prediction"]:
            st.code(json.dumps(row["prediction"], indent=2), language="json")
    if len(tried["rows"]) > 5:  # noqa: PLR2004
        st.caption(f"… and {len(tried['rows']) - 5} more rows")
