"""Where the words of a picture stand once it is drawn."""

import itertools

from matplotlib.axis import Axis
from matplotlib.legend import Legend
from matplotlib.text import Text


def shown_texts(figure):
    """Every word that is drawn; ticks outside a panel's limits are not."""
    figure.draw_without_rendering()
    hidden = set()
    for axis in figure.findobj(Axis):
        low, high = sorted(axis.get_view_interval())
        room = 1e-6 * (high - low)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low - room <= tick.get_loc() <= high + room:
                hidden.update({tick.label1, tick.label2})
        if not axis.get_visible() or not axis.axes.axison:
            hidden.update(axis.findobj(Text))
    found = [text for text in figure.findobj(Text) if text.get_text().strip()]
    return [text for text in found if text.get_visible() and text not in hidden]


def boxes(figure):
    """The name and the box of each, in pixels."""
    texts = shown_texts(figure)
    renderer = figure.canvas.get_renderer()
    return [(text.get_text(), text.get_window_extent(renderer)) for text in texts]


def overlapping(words, room=0.5):
    """Pairs of words that share a pixel."""
    return [
        (first, second)
        for (first, a), (second, b) in itertools.combinations(words, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > room and min(a.y1, b.y1) - max(a.y0, b.y0) > room
    ]


def cut(words, figure, room=1.0):
    """Words that are not wholly within the picture."""
    width, height = figure.bbox.size
    return [
        name
        for name, box in words
        if box.x0 < -room or box.y0 < -room or box.x1 > width + room or box.y1 > height + room
    ]


def covering(figure):
    """Legends that lie on a panel of a picture that is drawn."""
    renderer = figure.canvas.get_renderer()
    legends = [legend.get_window_extent(renderer) for legend in figure.findobj(Legend)]
    panels = [axes.get_window_extent(renderer) for axes in figure.axes]
    return [(a, b) for a in legends for b in panels if a.shrunk(0.99, 0.99).overlaps(b)]
