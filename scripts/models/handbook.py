"""The text of a book in HTML pages as publican writes them: titles and paragraphs, in order.

Blocks are joined by an empty line and their white space is collapsed. A paragraph ends where a
block inside it ends (a list of links, say), so that what follows such a block is left out; so are
tables, program listings and the navigation. Standard library only.
"""
from html.parser import HTMLParser
from pathlib import Path

HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}


class Page(HTMLParser):
    """blocks: the page's titles and paragraphs; next: the page that follows, or None."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.blocks, self.next, self._open = [], None, None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        classes = (attrs.get("class") or "").split()
        if tag == "link" and attrs.get("rel") == "next":
            self.next = attrs.get("href")
        if self._open is None and (tag in HEADINGS or (tag == "p" and "title" in classes) or
                                   (tag == "div" and "para" in classes)):
            self._open = []

    def handle_endtag(self, tag):
        if self._open is not None and (tag in HEADINGS or tag in ("p", "div")):
            block = " ".join("".join(self._open).split())
            if block:
                self.blocks.append(block)
            self._open = None

    def handle_data(self, data):
        if self._open is not None:
            self._open.append(data)


def book_text(folder, first):
    """From the page `first` on, following the links to the next page to the end."""
    blocks, name, seen = [], first, set()
    while name is not None and name not in seen:
        seen.add(name)
        page = Page((Path(folder) / name).read_text(encoding="utf-8"))
        blocks += page.blocks
        name = page.next
    return "\n\n".join(blocks)
