#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts the page of `report --html` together: pack.py page.html page.css SCRIPT... FOLDER

Writes FOLDER/page.head.html and page.tail.html, what comes before the data and behind it. Style and script
go into the page with their check sums in its Content-Security-Policy: a browser runs these and nothing else,
whatever should get into the page with the data.
"""
import base64
import hashlib
import os
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def checksum(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def main():
    page, css, *scripts, folder = sys.argv[1:]
    css = read(css)
    script = '(() => {\n"use strict";\n' + "".join(map(read, scripts)) + "})();\n"
    if "</" in css or "</script" in script.lower() or "<!--" in script:
        sys.exit("pack.py: style or script would end its element")
    policy = (f"default-src 'none'; style-src {checksum(css)}; script-src {checksum(script)}; "
              "base-uri 'none'; form-action 'none'")
    parts = read(page).replace("@policy@", policy).replace("@style@", css).replace("@script@", script).split("@data@")
    if len(parts) != 2:
        sys.exit("pack.py: the page has not one place for its data")
    for name, part in zip(("head", "tail"), parts):
        with open(os.path.join(folder, f"page.{name}.html"), "w", encoding="utf-8") as file:
            file.write(part)


if __name__ == "__main__":
    main()
