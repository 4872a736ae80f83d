//! Reads a function's processor architecture from the start of its archive.

use std::fmt;
use std::io::Read;

use flate2::read::DeflateDecoder;

/// The number of bytes of the archive to read. Its first entry is the program.
pub(crate) const START_BYTES: usize = 64 * 1024;

/// The processor for which a program is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    Arm64,
    X86_64,
    /// Any other processor, by its number in the ELF header.
    Other(u16),
}

impl Machine {
    /// Parses Lambda's name of an architecture.
    pub(crate) fn of_architecture(name: &str) -> Option<Self> {
        match name {
            "arm64" => Some(Self::Arm64),
            "x86_64" => Some(Self::X86_64),
            _ => None,
        }
    }

    /// Reads the header of an ELF file (System V ABI, `e_ident` and `e_machine`).
    fn of_elf(program: &[u8]) -> Option<Self> {
        let machine = program
            .starts_with(b"\x7fELF")
            .then(|| program.get(18..20))??;
        Some(match u16::from_le_bytes(machine.try_into().ok()?) {
            0xb7 => Self::Arm64,
            0x3e => Self::X86_64,
            other => Self::Other(other),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arm64 => f.write_str("arm64"),
            Self::X86_64 => f.write_str("x86_64"),
            Self::Other(number) => write!(f, "the processor with ELF number {number}"),
        }
    }
}

/// The reason why the processor cannot be determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// The bytes that were read contain no `bootstrap`.
    NoBootstrap,
    /// `bootstrap` is not an ELF program. It may be a script.
    NotElf,
}

/// Reads the processor of `bootstrap` from the start of a ZIP archive (APPNOTE.TXT, 4.3.7).
///
/// The `zip` crate needs the whole archive, which the check does not download.
pub(crate) fn machine(archive: &[u8]) -> Result<Machine, Unknown> {
    const HEADER: usize = 30;
    let mut rest = archive;
    loop {
        let number = |at: usize, bytes: usize| {
            let field = rest.get(at..at + bytes)?;
            let number = field.iter().rev();
            Some(number.fold(0_usize, |number, &byte| number << 8 | usize::from(byte)))
        };
        let fields = || {
            Some((
                number(8, 2)?,
                number(18, 4)?,
                number(26, 2)?,
                number(28, 2)?,
            ))
        };
        if !rest.starts_with(b"PK\x03\x04") {
            return Err(Unknown::NoBootstrap);
        }
        let (method, packed, name, extra) = fields().ok_or(Unknown::NoBootstrap)?;
        let data = HEADER + name + extra;
        let (Some(name), Some(content)) = (rest.get(HEADER..HEADER + name), rest.get(data..))
        else {
            return Err(Unknown::NoBootstrap);
        };
        if name == b"bootstrap" {
            let mut start = Vec::new();
            let read = match method {
                0 => content.take(64).read_to_end(&mut start),
                8 => DeflateDecoder::new(content)
                    .take(64)
                    .read_to_end(&mut start),
                _ => return Err(Unknown::NotElf),
            };
            // The archive is truncated, so we use the bytes inflated before the error.
            let _ = read;
            return Machine::of_elf(&start).ok_or(Unknown::NotElf);
        }
        rest = content.get(packed..).ok_or(Unknown::NoBootstrap)?;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use super::*;

    fn elf(machine: u16) -> Vec<u8> {
        let mut program = b"\x7fELF\x02\x01\x01".to_vec();
        program.resize(18, 0);
        program.extend(machine.to_le_bytes());
        // Bytes that hardly compress.
        let noise = (0..4096_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]);
        program.extend(noise);
        program
    }

    /// Builds an archive entry, deflated or stored.
    fn entry(name: &str, content: &[u8], deflated: bool) -> Vec<u8> {
        let mut packed = content.to_vec();
        if deflated {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(content).unwrap();
            packed = encoder.finish().unwrap();
        }
        let mut entry = b"PK\x03\x04".to_vec();
        entry.extend([20, 0, 0, 0, if deflated { 8 } else { 0 }, 0]);
        entry.extend([0; 8]);
        entry.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
        entry.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        entry.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        entry.extend([4, 0]);
        entry.extend(name.bytes());
        entry.extend([9; 4]);
        entry.extend(packed);
        entry
    }

    #[test]
    fn a_program_says_what_it_is_built_for() {
        for deflated in [false, true] {
            let arm = entry("bootstrap", &elf(0xb7), deflated);
            assert_eq!(machine(&arm), Ok(Machine::Arm64));
            // The archive is longer than the part that is read.
            assert_eq!(machine(&arm[..arm.len() / 2]), Ok(Machine::Arm64));
            let intel = [
                entry("README", b"x", deflated),
                entry("bootstrap", &elf(0x3e), deflated),
            ];
            assert_eq!(machine(&intel.concat()), Ok(Machine::X86_64));
        }
        let other = entry("bootstrap", &elf(0xf3), false);
        assert_eq!(machine(&other), Ok(Machine::Other(0xf3)));
    }

    #[test]
    fn an_invalid_program_is_distinguished_from_a_missing_one() {
        let script = entry("bootstrap", b"#!/bin/sh\n", true);
        assert_eq!(machine(&script), Err(Unknown::NotElf));
        for nothing in [
            Vec::new(),
            b"not a ZIP archive, but of some length".to_vec(),
            entry("index.js", b"x", true),
            b"PK\x03\x04".to_vec(),
        ] {
            assert_eq!(machine(&nothing), Err(Unknown::NoBootstrap));
        }
    }
}
