"""The page: table, facts and plots in one file that needs no network."""

from __future__ import annotations

from html import escape
from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from .table import HEADINGS, cells

mpl.rcParams.update({"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9, "svg.hashsalt": "rp-signing"})

_OURS, _FLOOR, _PEER = "#1f6f5c", "#c9c2b0", "#8fa6b8"
_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1180px; margin: 2rem auto; padding: 0 1rem; color: #1c2421;
       background: #fff; }
table { border-collapse: collapse; font-size: 13px; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #dde2df; }
td { white-space: pre-line; font-variant-numeric: tabular-nums; }
td.missed { color: #a33a12; font-weight: 600; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; } .plots svg { max-width: 100%; height: auto; }
.note { color: #59655f; font-size: 12px; }
"""


def page_of(result: dict[str, Any], before: dict[str, Any]) -> str:
    """Give the page as HTML."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
    body = "".join(_line(row, before) for row in result["rows"])
    facts = "".join(
        f'<tr><td>{escape(fact["text"])}</td><td class="{"" if fact["holds"] else "missed"}">'
        f"{'holds' if fact['holds'] else 'NO LONGER'}</td><td>{escape(fact['detail'])}</td></tr>"
        for fact in result["facts"]
    )
    bars = "".join(_bars(row) for row in result["rows"])
    curves = "".join(_curve(curve) for curve in result["growth"])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>rp-signing: what it costs</title>'
        f"<style>{_STYLE}</style></head><body><h1>What rp-signing costs</h1>"
        "<p>Medians of one run, everything in a row measured in turn. The ratio is ours to the floor; a peer’s factor "
        f"is its figure to ours. {escape(result['machine'])}.</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<h2>Facts the design rests on</h2><table><tbody>{facts}</tbody></table>"
        f'<h2>Row by row</h2><div class="plots">{bars}</div>'
        f'<h2>Growth</h2><div class="plots">{curves}</div></body></html>\n'
    )


def _line(row: dict[str, Any], before: dict[str, Any]) -> str:
    texts = cells(row, before)
    missed = "" if all(goal["reached"] for goal in row["goals"]) else ' class="missed"'
    columns = "".join(f"<td>{escape(text)}</td>" for text in texts[1:-1])
    note = f'<div class="note">{escape(row["note"])}</div>'
    return f"<tr><td>{escape(texts[0])}{note}</td>{columns}<td{missed}>{escape(texts[-1])}</td></tr>\n"


_SCALES = {"s": (1e6, "µs"), "/s": (1, "a second"), "B": (1, "bytes")}


def _bars(row: dict[str, Any]) -> str:
    scale, unit = _SCALES[row["unit"]]
    named = {"floor": row["floor"], "rp-signing": row["ours"], **row["peers"]}
    names = sorted(named, key=lambda name: named[name], reverse=True)
    figure = Figure(figsize=(5.4, 1.1 + 0.26 * len(names)), layout="constrained")
    axes = figure.subplots()
    colours = [{"floor": _FLOOR, "rp-signing": _OURS}.get(name, _PEER) for name in names]
    values = [named[name] * scale for name in names]
    axes.bar_label(axes.barh(names, values, color=colours), fmt="%.3g", padding=3)
    axes.margins(x=0.15)
    axes.set_title(row["work"], loc="left")
    axes.set_xlabel(unit)
    axes.spines[["top", "right"]].set_visible(False)
    return _svg(figure)


def _curve(curve: dict[str, Any]) -> str:
    figure = Figure(figsize=(5.4, 3.6), layout="constrained")
    axes = figure.subplots()
    wide = max(curve["points"]) > 100
    for name, line in curve["lines"].items():
        axes.plot(curve["points"], [seconds * 1e6 for seconds in line], marker="o", markersize=3, label=name)
    if wide:
        axes.set_xscale("log")
    else:
        axes.set_xticks(curve["points"])
    highest, lowest = (choose(map(choose, curve["lines"].values())) for choose in (max, min))
    if highest > 30 * lowest:
        axes.set_yscale("log")
    else:
        axes.set_ylim(0, highest * 1.25e6)
    axes.set_title(curve["title"], loc="left")
    axes.set_xlabel(curve["axis"])
    axes.set_ylabel("µs")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return _svg(figure)


def _svg(figure: Figure) -> str:
    out = StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]
