#!/usr/bin/env python3
"""Finds dead links in built documentation: missing files, anchors and images.

Usage: tests/docs/links.py FOLDER    every page below it, for example target/doc/sockless
       tests/docs/links.py           checks itself: pages of its own with one fault each

Links to other sites are not followed. Links may leave FOLDER for what is built beside it.
"""

import re
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# The attributes that name a file, by element.
LINKS = {
    "a": "href",
    "img": "src",
    "link": "href",
    "script": "src",
    "iframe": "src",
    "source": "src",
}
# A range of lines in a page of source code, which a script selects.
LINES = re.compile(r"(\d+)-(\d+)")


class Page(HTMLParser):
    """The anchors of a page, and what it refers to with the line of each."""

    def __init__(self, path):
        super().__init__()
        self.anchors = set()
        self.links = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        for name in ("id", "name"):
            if attrs.get(name) and (name == "id" or tag == "a"):
                self.anchors.add(attrs[name])
        link = attrs.get(LINKS.get(tag))
        if link is not None:
            self.links.append((self.getpos()[0], link))
        # The page that a page of an old address goes to.
        if tag == "meta" and (attrs.get("http-equiv") or "").lower() == "refresh":
            _, _, link = (attrs.get("content") or "").partition("URL=")
            self.links.append((self.getpos()[0], link))


def fault(link, page, pages):
    """What is wrong with a link of the page, or None."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    if parts.path.startswith("/"):
        return "leads to the root of the site"
    target = page
    if parts.path:
        target = (page.parent / unquote(parts.path)).resolve()
        if not target.is_file():
            return "no such file"
    anchor = parts.fragment
    if not anchor or target.suffix != ".html":
        return None
    if target not in pages:
        pages[target] = Page(target)
    lines = LINES.fullmatch(anchor)
    wanted = lines.groups() if lines else (anchor,)
    # As browsers do it: as it is written, or else decoded.
    anchors = pages[target].anchors
    if all(one in anchors or unquote(one) in anchors for one in wanted):
        return None
    return "no such anchor"


def faults(folder):
    """All faults of all pages below the folder, and how many links there are."""
    pages = {}
    found = []
    count = 0
    paths = sorted(path.resolve() for path in folder.rglob("*.html"))
    for path in paths:
        if path not in pages:
            pages[path] = Page(path)
        for line, link in pages[path].links:
            count += 1
            what = fault(link, path, pages)
            if what:
                found.append(f"{path}:{line}: {what}: {link}")
    return found, count


def check_itself():
    good = (
        "<h1 id='top'>x</h1><a name='old'>x</a><a href='#top'></a><a href='#old'></a>"
        "<a href='other.html'></a><a href='sub/page.html#%C3%A9'></a><a href='?search=x'></a>"
        "<a href='https://example.com/none'></a><a href='mailto:a@example.com'></a>"
        "<img src='data:image/svg+xml,x'><img src='sub/a%20picture.svg'>"
        "<a href='other.html#2-3'></a><a href='../beside.txt#anything'></a>"
        "<b id='as%3Cis'></b><a href='#as%3Cis'></a>"
    )
    bad = {
        "<a href='none.html'>": "no such file",
        "<a href='sub'>": "no such file",
        "<a href='src/guide/event_loop.md'>": "no such file",
        "<img src='benches/results.svg'>": "no such file",
        "<script src='none.js'></script>": "no such file",
        "<link href='none.css'>": "no such file",
        "<meta http-equiv='refresh' content='0;URL=none.html'>": "no such file",
        "<a href='#none'>": "no such anchor",
        "<a href='other.html#top'>": "no such anchor",
        "<a href='other.html#2-4'>": "no such anchor",
        "<a href='sub/page.html#e'>": "no such anchor",
        "<a href='/other.html'>": "leads to the root of the site",
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "doc"
        (folder / "sub").mkdir(parents=True)
        (folder.parent / "beside.txt").write_text("x")
        (folder / "sub" / "a picture.svg").write_text("x")
        (folder / "sub" / "page.html").write_text("<p id='\u00e9'>", encoding="utf-8")
        (folder / "other.html").write_text("<a id=2></a><a id=3></a>")
        index = folder / "index.html"
        index.write_text(good)
        assert faults(folder) == ([], 12), faults(folder)
        for html, what in bad.items():
            index.write_text(good + "\n" + html)
            found, _ = faults(folder)
            assert len(found) == 1, (html, found)
            assert f"index.html:2: {what}: " in found[0], (html, found)
    print(f"finds each of {len(bad)} faults, and none where there is none")


def main():
    if len(sys.argv) == 1:
        return check_itself()
    folder = Path(sys.argv[1])
    found, count = faults(folder)
    for line in found:
        print(line)
    print(f"{count} links in {folder}, {len(found)} of them dead")
    # Documentation without a link was not built.
    sys.exit(1 if found or count == 0 else 0)


if __name__ == "__main__":
    main()
