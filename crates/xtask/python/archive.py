"""Writes SHA256SUMS into a folder, and the folder into a .tar.gz that depends on its files alone.

Usage: archive.py FOLDER ARCHIVE

Entries are sorted; times, owners and modes are fixed. Prints the archive's size and checksum,
and writes the checksum beside it.
"""

import gzip
import hashlib
import sys
import tarfile
from pathlib import Path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def write_sums(folder):
    sums = folder / "SHA256SUMS"
    sums.unlink(missing_ok=True)
    lines = [f"{digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files(folder)]
    sums.write_text("".join(lines), encoding="utf-8")


def entry(path, folder):
    info = tarfile.TarInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}")
    info.size = path.stat().st_size
    info.mode = 0o755 if path.name == "bootstrap" or path.parent.name == "bin" else 0o644
    # 1980, the first day that a ZIP can hold: SAM puts these files into one.
    info.mtime = 315532800
    return info


def write_archive(folder, archive):
    with open(archive, "wb") as raw:
        with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=9, mtime=0) as zipped:
            with tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar:
                for path in files(folder):
                    with open(path, "rb") as file:
                        tar.addfile(entry(path, folder), file)


def main():
    folder, archive = (Path(argument) for argument in sys.argv[1:])
    write_sums(folder)
    write_archive(folder, archive)
    checksum = digest(archive)
    line = f"{checksum}  {archive.name}\n"
    archive.with_name(f"{archive.name}.sha256").write_text(line, encoding="utf-8")
    print(f"{archive}\n{archive.stat().st_size} bytes, SHA-256 {checksum}")


if __name__ == "__main__":
    main()
