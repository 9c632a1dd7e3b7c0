#!/usr/bin/env python3
"""Finds dead links in built documentation: missing files, anchors and images.

Usage: tests/docs/links.py FOLDER    checks all pages in the folder, for example target/doc/sockless
       tests/docs/links.py           checks this program with pages that have one fault each

It does not follow links to other sites. A link may leave FOLDER for another file that exists.
"""

import re
import sys
import tempfile
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# The attribute of each element that names a file.
LINKS = {"a": "href", "img": "src", "link": "href", "script": "src", "iframe": "src", "source": "src"}

# Links to items in the docs of other crates, which rustdoc copies to our pages and does not resolve. It reports our own.
COPIED = re.compile(r"[a-z_]+(::\w+)+|dispatcher#setting-the-default-subscriber")


class Page(HTMLParser):
    """The anchors of a page, and its links with their lines."""

    def __init__(self, path):
        super().__init__()
        self.anchors = set()
        self.links = []
        self.redirect = None
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors |= {attrs.get("id"), attrs.get("name") if tag == "a" else None}
        link = attrs.get(LINKS.get(tag))
        # A page at an old address redirects to the new one.
        if tag == "meta" and (attrs.get("http-equiv") or "").lower() == "refresh":
            link = self.redirect = (attrs.get("content") or "").partition("URL=")[2]
        if link is not None:
            self.links.append((self.getpos()[0], link))


page_at = cache(Page)


def fault(link, path):
    """What is wrong with a link of the page at the path, or None."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or COPIED.fullmatch(link):
        return None
    if parts.path.startswith("/"):
        return "leads to the root of the site"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return "no such file"
    if not parts.fragment or target.suffix != ".html":
        return None
    # The script of a redirect keeps the anchor.
    while target != path and (redirect := page_at(target).redirect):
        target = (target.parent / unquote(urlsplit(redirect).path)).resolve()
        if not target.is_file():
            return "no such file after a redirect"
    # A script selects a range of lines in a page of source code.
    lines = re.fullmatch(r"(\d+)-(\d+)", parts.fragment)
    # Browsers try the anchor as it is, and then decoded.
    anchors = page_at(target).anchors
    if all(anchor in anchors or unquote(anchor) in anchors for anchor in (lines.groups() if lines else [parts.fragment])):
        return None
    return "no such anchor"


def check(folder):
    """All faults of all pages in the folder, and the number of links."""
    page_at.cache_clear()
    links = [(path, *link) for path in sorted(folder.resolve().rglob("*.html")) for link in page_at(path).links]
    faults = [f"{path}:{line}: {what}: {link}" for path, line, link in links if (what := fault(link, path))]
    return faults, len(links)


def check_itself():
    good = (
        "<h1 id='top'>x</h1><a name='old'>x</a><a href='#top'></a><a href='#old'></a>"
        "<a href='other.html'></a><a href='sub/page.html#%C3%A9'></a><a href='?search=x'></a>"
        "<a href='https://example.com/none'></a><a href='mailto:a@example.com'></a>"
        "<img src='data:image/svg+xml,x'><img src='sub/a%20picture.svg'>"
        "<a href='other.html#2-3'></a><a href='../beside.txt#anything'></a>"
        "<b id='as%3Cis'></b><a href='#as%3Cis'></a>"
        "<a href='moved.html#2'></a><a href='futures_core::stream::Stream'></a>"
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
        "<a href='moved.html#4'>": "no such anchor",
        "<a href='/other.html'>": "leads to the root of the site",
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "doc"
        (folder / "sub").mkdir(parents=True)
        (folder.parent / "beside.txt").touch()
        (folder / "sub" / "a picture.svg").touch()
        (folder / "sub" / "page.html").write_text("<p id='\u00e9'>", encoding="utf-8")
        (folder / "other.html").write_text("<a id=2></a><a id=3></a>")
        (folder / "moved.html").write_text("<meta http-equiv='refresh' content='0;URL=other.html'>")
        index = folder / "index.html"
        index.write_text(good)
        assert check(folder) == ([], 15), check(folder)
        for html, what in bad.items():
            index.write_text(f"{good}\n{html}")
            [found] = check(folder)[0]
            assert f"index.html:2: {what}: " in found, (html, found)
    print(f"finds each of {len(bad)} faults, and none in good pages")


def main():
    if len(sys.argv) == 1:
        return check_itself()
    folder = Path(sys.argv[1])
    faults, count = check(folder)
    for found in faults:
        print(found)
    print(f"{count} links in {folder}, {len(faults)} of them dead")
    # Documentation without a link was not built.
    sys.exit(1 if faults or count == 0 else 0)


if __name__ == "__main__":
    main()
