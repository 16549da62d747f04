"""What kind of file this is: by its content first, and by its name where content can't tell."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ragkit.parsing.encoding import decode, mark_of

SNIFF_BYTES = 65_536
CONTROL_SHARE = 0.02  # of a text's bytes may be controls; of random bytes 10 % are
NUL_SHARE = 0.2

_BY_SUFFIX = {
    "text/markdown": "md markdown mdown mkd mdx qmd rmd",
    "text/html": "html htm xhtml xht shtml",
    "application/pdf": "pdf",
    "text/plain": "txt text log org nfo",
    "text/x-rst": "rst rest",
    "text/asciidoc": "adoc asciidoc",
    "text/x-tex": "tex latex ltx",
    "text/vtt": "vtt",
    "application/x-subrip": "srt",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv tab",
    "text/x-python": "py pyi pyw",
    "text/javascript": "js mjs cjs jsx",
    "text/x-typescript": "ts tsx mts cts",
    "text/x-java": "java",
    "text/x-go": "go",
    "text/x-rust": "rs",
    "text/x-c": "c h",
    "text/x-c++": "cc cpp cxx hh hpp hxx",
    "text/x-csharp": "cs",
    "text/x-ruby": "rb",
    "text/x-php": "php",
    "text/x-shellscript": "sh bash zsh ksh fish",
    "text/x-perl": "pl pm",
    "text/x-lua": "lua",
    "text/x-swift": "swift",
    "text/x-kotlin": "kt kts",
    "text/x-scala": "scala",
    "text/x-r": "r",
    "text/x-julia": "jl",
    "text/x-haskell": "hs",
    "text/x-elixir": "ex exs",
    "text/x-powershell": "ps1 psm1",
    "text/x-makefile": "mk",
    "text/x-diff": "diff patch",
    "text/x-ini": "ini cfg conf properties env",
    "text/css": "css scss sass less",
    "application/sql": "sql",
    "application/toml": "toml",
    "application/yaml": "yaml yml",
    "application/json": "json geojson",
    "application/x-ndjson": "jsonl ndjson",
    "application/json5": "json5 jsonc",
    "application/xml": "xml xsd xsl xslt",
    "image/svg+xml": "svg",
    "application/x-ipynb+json": "ipynb",
    "message/rfc822": "eml mht mhtml",
    "application/mbox": "mbox mbx",
    "application/vnd.ms-outlook": "msg",
    "application/rtf": "rtf",
    "application/vnd.ms-publisher": "pub",
    "application/vnd.visio": "vsd vss",
    "application/vnd.ms-project": "mpp",
    "application/vnd.apple.iwork": "pages numbers keynote",
    "application/x-mobipocket-ebook": "mobi azw azw3 prc",
    "application/postscript": "ps eps",
    "image/vnd.djvu": "djvu djv",
    "application/msword": "doc dot",
    "application/vnd.ms-powerpoint": "ppt pps",
    "application/vnd.ms-excel": "xls xlt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx docm"
    " dotx dotm",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx pptm"
    " ppsx potx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx xlsm xltx",
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": "xlsb",
    "application/vnd.oasis.opendocument.text": "odt ott",
    "application/vnd.oasis.opendocument.presentation": "odp otp",
    "application/vnd.oasis.opendocument.spreadsheet": "ods ots",
    "application/epub+zip": "epub",
    "application/zip": "zip",
    "application/gzip": "gz tgz",
}
SUFFIXES = {suffix: kind for kind, suffixes in _BY_SUFFIX.items() for suffix in suffixes.split()}

_BY_NAME = {
    "makefile": "text/x-makefile",
    "gnumakefile": "text/x-makefile",
    "dockerfile": "text/x-dockerfile",
    "containerfile": "text/x-dockerfile",
    "rakefile": "text/x-ruby",
    "gemfile": "text/x-ruby",
    "jenkinsfile": "text/x-groovy",
}

# What the first bytes say.
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"
_MAGIC = (
    (b"\x1f\x8b", "application/gzip"),
    (b"{\\rtf", "application/rtf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x7fELF", "application/x-executable"),
    (b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"%!PS", "application/postscript"),
    (b"AT&TFORM", "image/vnd.djvu"),
)
BINARY = "application/octet-stream"
ENCRYPTED_OFFICE = "application/x-encrypted-office"

_INTERPRETERS = {
    "python": "text/x-python",
    "sh": "text/x-shellscript",
    "bash": "text/x-shellscript",
    "zsh": "text/x-shellscript",
    "node": "text/javascript",
    "ruby": "text/x-ruby",
    "perl": "text/x-perl",
    "php": "text/x-php",
    "lua": "text/x-lua",
}
_SHEBANG = re.compile(rb"#![^\r\n]*?/(?:env[ \t]+(?:-S[ \t]+)?)?([A-Za-z]+)[\d.]*(?:[ \t\r\n]|$)")
# Comments are atomic: a run of them must not be tried in every possible way.
_HTML = re.compile(
    r"\s*+(?:<\?xml[^>]*+>\s*+)?(?:<!--(?>.*?-->)\s*+)*+"
    r"<(?:!doctype\s+html|html|head|body|title|meta)\b",
    re.IGNORECASE | re.DOTALL,
)
_MBOX = re.compile(rb"From [^\r\n]{1,200} \d{4}(?: [+-]\d{4})?\r?\n[A-Za-z-]{2,40}:")
_MAIL = re.compile(rb"(?:Return-Path|Received|Delivered-To|MIME-Version|X-[A-Za-z-]{2,40}): ")
_SVG = re.compile(
    r"\s*+(?:<\?xml[^>]*+>\s*+)?(?:<!--(?>.*?-->)\s*+|<!(?!--)[^>]*+>\s*+)*+<svg\b",
    re.IGNORECASE | re.DOTALL,
)
_CONTROLS = bytes(c for c in (*range(32), 127) if c not in b"\0\t\n\v\f\r\b\x1b\x1c\x1d\x1e\x1f")


def media_type(data: bytes, name: str) -> str:
    """Say what kind of file this is; "application/octet-stream" for a binary of no known kind.

    Content that has a signature is believed over the name, and a name over mere text.
    """
    named = _named(name)
    sample = data[:SNIFF_BYTES]
    if _is_pdf(sample, named):
        return "application/pdf"
    if sample.startswith(_OLE):
        return _ole_type(data, named)
    if sample.startswith(_ZIP):
        return _zip_type(data, named)
    for magic, kind in _MAGIC:
        if sample.startswith(magic):
            return kind
    if sample[60:68] == b"BOOKMOBI":
        return "application/x-mobipocket-ebook"
    if _is_binary(sample):
        return BINARY
    return _text_type(sample, named)


# --- containers ---------------------------------------------------------------------------------

# The streams of an OLE file that tell what it is: names in UTF-16, in its directory.
_OLE_STREAMS = (
    ("EncryptedPackage", ENCRYPTED_OFFICE),
    ("WordDocument", "application/msword"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("Workbook", "application/vnd.ms-excel"),
    ("Book", "application/vnd.ms-excel"),
    ("__properties_version1.0", "application/vnd.ms-outlook"),
    ("VisioDocument", "application/vnd.visio"),
    ("Quill", "application/vnd.ms-publisher"),
)
_OLE_NAME_BYTES = 64  # an entry of the directory begins with so many, filled up with zeros
_OOXML = "application/vnd.openxmlformats-officedocument."
# The members of a zip file that tell what it is, where it doesn't say so itself.
_ZIP_MEMBERS = (
    (b"word/document", _OOXML + "wordprocessingml.document"),
    (b"ppt/presentation", _OOXML + "presentationml.presentation"),
    (b"xl/workbook.bin", "application/vnd.ms-excel.sheet.binary.macroenabled.12"),
    (b"xl/workbook", _OOXML + "spreadsheetml.sheet"),
    (b"META-INF/container.xml", "application/epub+zip"),
    (b"Index/Document.iwa", "application/vnd.apple.iwork"),
)
_MIMETYPE = re.compile(rb"mimetype(application/[a-z0-9.+-]{1,80}?)(?:-template)?(?:PK|$)")
_DIRECTORY_BYTES = 2_000_000  # of a zip file's end, where its table of contents is


def _ole_type(data: bytes, named: str) -> str:
    """Tell an OLE file by the names of its streams, then by its own name."""
    for stream, kind in _OLE_STREAMS:
        if stream.encode("utf-16-le").ljust(_OLE_NAME_BYTES, b"\0") in data:
            return kind
    return named if named in _OLE_KINDS else "application/x-ole-storage"


def _zip_type(data: bytes, named: str) -> str:
    """Tell a zip file by what it says of itself (ODF, EPUB), its members, then its name."""
    if match := _MIMETYPE.match(data[30:130]):
        kind = match[1].decode("ascii")
        if kind in _ZIP_KINDS:
            return kind
    directory = data[-_DIRECTORY_BYTES:]
    for member, kind in _ZIP_MEMBERS:
        if member in directory:
            return kind
    return named if named in _ZIP_KINDS else "application/zip"


_OLE_KINDS = frozenset(kind for _, kind in _OLE_STREAMS) - {ENCRYPTED_OFFICE}
_ZIP_KINDS = frozenset(kind for _, kind in _ZIP_MEMBERS) | frozenset(
    kind for kind in _BY_SUFFIX if ".opendocument." in kind
)


def _is_pdf(sample: bytes, named: str) -> bool:
    """Whether this is a PDF, perhaps behind some bytes of junk; mail and pages may quote one."""
    if named in ("", "application/pdf") and sample.lstrip()[:1] != b"<":
        return b"%PDF-" in sample[:1024]
    return sample.lstrip().startswith(b"%PDF-")


def _named(name: str) -> str:
    path = PurePosixPath(name.lower())
    return SUFFIXES.get(path.suffix[1:], "") or _BY_NAME.get(path.name, "")


def _text_type(sample: bytes, named: str) -> str:
    if named.startswith("text/") and named != "text/plain":
        return named
    head = decode(sample[:4096]).text
    if _HTML.match(head):
        return "text/html"
    if _SVG.match(head):
        return "image/svg+xml"
    if named == "application/pdf":
        return "text/plain"  # without the signature it is none
    if named:
        return named
    if _MBOX.match(sample):
        return "application/mbox"
    if _MAIL.match(sample):
        return "message/rfc822"
    if shebang := _SHEBANG.match(sample):
        return _INTERPRETERS.get(shebang[1].decode().lower(), "text/plain")
    return "text/plain"


def _is_binary(sample: bytes) -> bool:
    if not sample or mark_of(sample):
        return False
    if decode(sample).encoding.startswith("utf-16"):
        return False
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    return controls > CONTROL_SHARE * len(sample) + 1 or sample.count(0) > NUL_SHARE * len(sample)
