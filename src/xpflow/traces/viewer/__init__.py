"""The decode viewer: traces as plain JSON, and the page, script and style that show them, without a network.

For other pages: `viewer_data` makes the JSON, `embedded` writes it into a page, `viewer_style` and
`viewer_script` are put inline, and `XpflowViewer.mount(element, [data, ...])` shows it.
"""

from xpflow.traces.viewer.data import texts_of, viewer_data
from xpflow.traces.viewer.page import embedded, viewer_page, viewer_script, viewer_style

__all__ = ["embedded", "texts_of", "viewer_data", "viewer_page", "viewer_script", "viewer_style"]
