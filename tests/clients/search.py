"""Looks through a data folder for what must not stand in it.

search.py FOLDER --marker TEXT --moduli FILE
search.py --self-test

The marker: as it is, and in base64, hex, gzip and deflate streams.
Private keys: what is known of a key of the vault is its modulus. Its private key cannot stand anywhere without one of
its prime factors (every format for RSA keys holds them), so every place of every file is tried as a factor: the bytes
as they are, in either order, and what base64 and hex texts in them say.
"""

import argparse
import base64
import binascii
import os
import re
import sys
import tempfile
import zlib

BASE64 = re.compile(rb"[A-Za-z0-9+/_-](?:[A-Za-z0-9+/_-]|\r?\n){63,}")
HEX = re.compile(rb"[0-9a-fA-F]{64,}")


def views(content):
    """The bytes of a file, and the bytes that texts and compressed streams in it stand for."""
    yield "as it is", content
    for found in BASE64.finditer(content):
        text = re.sub(rb"[\r\n]", b"", found.group()).replace(b"-", b"+").replace(b"_", b"/")
        for skip in range(4):
            part = text[skip:]
            part = part[:-1] if len(part) % 4 == 1 else part + b"=" * (-len(part) % 4)
            try:
                yield "in base64", base64.b64decode(part)
            except binascii.Error:
                pass
    for found in HEX.finditer(content):
        for skip in range(2):
            part = found.group()[skip:]
            yield "in hex", bytes.fromhex(part[: len(part) // 2 * 2].decode())
    for magic, bits in ((b"\x1f\x8b\x08", 31), (b"\x78\x01", 15), (b"\x78\x9c", 15), (b"\x78\xda", 15)):
        at = content.find(magic)
        while at >= 0:
            try:
                yield "compressed", zlib.decompressobj(bits).decompress(content[at:])
            except zlib.error:
                pass
            at = content.find(magic, at + 1)


def factor_in(content, moduli):
    for modulus in moduli:
        size = modulus.bit_length() // 16
        for order, first, last in (("big", 0, size - 1), ("little", size - 1, 0)):
            for at in range(len(content) - size + 1):
                # A prime of this size has its top bit set and is odd.
                if content[at + first] >= 0x80 and content[at + last] & 1:
                    if modulus % int.from_bytes(content[at : at + size], order) == 0:
                        return f"a prime factor of a private key at {at} ({order} endian)"
    return None


def search(folder, marker, moduli):
    found = []
    for path, _, names in os.walk(folder):
        for name in names:
            file = os.path.join(path, name)
            if not os.path.isfile(file):
                continue  # a socket
            with open(file, "rb") as opened:
                content = opened.read()
            for how, view in views(content):
                at = view.find(marker)
                if at >= 0:
                    found.append(f"{file}: {how}: {view[at : at + len(marker) + 30]!r}")
                factor = factor_in(view, moduli)
                if factor:
                    found.append(f"{file}: {how}: {factor}")
    return found


def self_test():
    p = int.from_bytes(b"\xf1" + b"acrite" * 21 + b"\x03", "big")
    modulus = p * int.from_bytes(b"\xe5" + os.urandom(126) + b"\x07", "big")
    prime = p.to_bytes(128, "big")
    hidden = {
        "raw": b"...marker-1...",
        "base64": b"x" + base64.b64encode(b"." * 60 + b"marker-1" + b"." * 60),
        "gzip": b"..." + zlib.compress(b"marker-1" * 10, wbits=31),
        "prime": b"..." + prime + b"...",
        "prime, little": prime[::-1],
        "prime in a JWK": b'{"p":"' + base64.urlsafe_b64encode(prime).rstrip(b"=") + b'"}',
        "prime in hex": prime.hex().encode(),
        "prime in PEM": b"-----BEGIN-----\n" + base64.encodebytes(b"." * 40 + prime + b"." * 40),
    }
    for how, content in hidden.items():
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "file"), "wb") as file:
                file.write(os.urandom(1000) + b"\0" + content + b"\0" + os.urandom(1000))
            if not search(folder, b"marker-1", [modulus]):
                sys.exit(f"search.py does not find what it looks for: {how}")
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "file"), "wb") as file:
            file.write(os.urandom(20000))
        if search(folder, b"marker-1", [modulus]):
            sys.exit("search.py finds what is not there")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--marker")
    parser.add_argument("--moduli")
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    if args.self_test:
        return self_test()
    moduli = []
    with open(args.moduli) as file:
        for line in file.read().split():
            text = line.replace("-", "+").replace("_", "/")
            moduli.append(int.from_bytes(base64.b64decode(text + "=" * (-len(text) % 4)), "big"))
    if not moduli or min(moduli).bit_length() < 2040:
        sys.exit("these are no moduli of RSA keys")
    found = search(args.folder, args.marker.encode(), moduli)
    if found:
        sys.exit("stands in the data folder:\n" + "\n".join(found))


main()
