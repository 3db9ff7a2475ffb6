"""One model: how good it is, what it looks at, its certificate, its versions."""

import streamlit as st

import api_client
import model_sections as sections
import promotion
import session
from api_client import Json
from model_choice import choose_model
from quality import TASKS, ago, plain


def show_head(model: Json) -> None:
    """Say what it is in one glance."""
    st.title(plain(model["title"] or model["slug"]), anchor=False)
    champion = model["champion"]
    badges = [
        f":green-badge[:material/target: {TASKS.get(model['task'], model['task'])}: {plain(model['target'])}]",
        f":gray-badge[:material/{'public' if model['visibility'] == 'public' else 'lock'}: {model['visibility']}]",
    ]
    if champion and champion["number"]:
        badges.append(f":blue-badge[:material/stars: champion v{champion['number']}, {ago(champion['created_at'])}]")
    st.markdown(" ".join(badges))
    if model["description"]:
        st.write(plain(model["description"]))


def show(model: Json, token: str | None) -> None:
    """Show everything that is known about a model."""
    show_head(model)
    if model["champion"] is None:
        st.info("This model has no champion yet. It gets one with the first version that passes its certificate.")
        promotion.show_versions(model["slug"])
        return
    with st.spinner("Reading the card …", show_time=True):
        card = api_client.read_card(model["slug"], model["champion"]["number"] or "champion", token)
    sections.show_headline(card)
    quality, inputs, certificate, versions = st.tabs(["Quality", "Inputs", "Certificate and origin", "Versions"])
    with quality:
        sections.show_quality(card)
    with inputs:
        sections.show_inputs(card)
    with certificate:
        sections.show_certificate(card)
        sections.show_origin(card)
    with versions:
        promotion.show_versions(model["slug"])


signed_in_as = session.token()
known = api_client.list_models(signed_in_as)
if not known:
    st.title("Model")
    st.info("There are no models yet.", icon=":material/inbox:")
elif chosen := choose_model(known):
    show(chosen, signed_in_as)
else:
    st.caption("Choose one of the models to see how good it is, what it looks at, and its versions.")
