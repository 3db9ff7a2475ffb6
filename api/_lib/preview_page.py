"""A model's page as finished HTML, for readers that run no script: link previews and search engines.

It says in words what the site's own page shows; people get that one.
"""

from collections.abc import Iterator
from html import escape

from api._lib.preview_image import HEIGHT, WIDTH, figure, headline, metric_name
from models.contract import Card

_SHOWN_FEATURES = 50
_DESCRIPTION_MAX = 300


def model_page(site: str, slug: str, title: str, description: str, card: Card) -> str:
    """Write the page of a model that is there."""
    address = f"{site}/models/{slug}"
    told = _summary(description, card)
    head = _head(f"{title} · Rowcast", told, address)
    image = f"{site}/api/models/{slug}/image.png?{card.digest[:12]}"
    pairs = {"og:image": image, "og:image:width": str(WIDTH), "og:image:height": str(HEIGHT), "og:image:alt": told}
    head += [f'<meta property="{name}" content="{escape(value)}">' for name, value in pairs.items()]
    head += ['<meta name="twitter:card" content="summary_large_image">']
    return _document(head, f"<h1>{escape(title)}</h1><p>{escape(told)}</p>{''.join(_body(slug, card))}")


def missing_page(site: str, path: str) -> str:
    """Write the page of a model that is not there, or not for everybody."""
    head = [
        *_head("Model not found · Rowcast", "No such model.", f"{site}{path}"),
        '<meta name="robots" content="noindex">',
    ]
    return _document(head, '<h1>No such model.</h1><p><a href="/">See the published models</a></p>')


def _summary(description: str, card: Card) -> str:
    kinds = f"one of {', '.join(card.classes[:6])}" if card.classes else "a number with its interval"
    facts = f"Predicts {card.target}, {kinds}, from {len(card.features)} inputs; trained on {card.dataset.rows:,} rows."
    told = " ".join(f"{description.strip()} {facts}".split())
    metric = headline(card)
    if metric:
        told += f" {metric_name(metric.name)} {figure(metric.value)} on rows it never saw."
    return told if len(told) <= _DESCRIPTION_MAX else f"{told[: _DESCRIPTION_MAX - 1].rstrip()}…"


def _head(title: str, description: str, address: str) -> list[str]:
    properties = {"og:type": "website", "og:site_name": "Rowcast", "og:title": title, "og:description": description}
    return [
        f"<title>{escape(title)}</title>",
        f'<meta name="description" content="{escape(description)}">',
        f'<link rel="canonical" href="{escape(address)}">',
        *(f'<meta property="{n}" content="{escape(v)}">' for n, v in (properties | {"og:url": address}).items()),
    ]


def _body(slug: str, card: Card) -> Iterator[str]:
    if card.evaluation.metrics:
        baseline = {each.name: each for each in card.evaluation.baseline}
        yield "<h2>Scores on rows it never saw</h2><table><tr><th>Score<th>Model<th>95 % interval<th>Baseline</tr>"
        for each in card.evaluation.metrics:
            trivial = figure(baseline[each.name].value) if each.name in baseline else ""
            interval = f"{figure(each.low)} to {figure(each.high)}"
            yield f"<tr><td>{escape(metric_name(each.name))}<td>{figure(each.value)}<td>{interval}<td>{trivial}</tr>"
        yield "</table>"
    yield "<h2>Inputs</h2><ul>"
    for feature in card.features[:_SHOWN_FEATURES]:
        yield f"<li>{escape(feature.name)} ({feature.kind})</li>"
    yield "</ul>"
    if card.warnings:
        yield f"<h2>What to know</h2><ul>{''.join(f'<li>{escape(each)}</li>' for each in card.warnings)}</ul>"
    yield f"<p>Certified on {card.parity.rows:,} rows: what was trained is what is served.</p>"
    links = {"/": "All models", "/docs": "Documentation", f"/api/models/{slug}/openapi.json": "API"}
    yield f"<p>{' · '.join(f'<a href={address!r}>{text}</a>' for address, text in links.items())}</p>"


def _document(head: list[str], body: str) -> str:
    fixed = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><link rel="icon" href="/favicon.svg">'
    )
    return (
        f'<!doctype html>\n<html lang="en"><head>{fixed}{"".join(head)}</head><body><main>{body}</main></body></html>\n'
    )
