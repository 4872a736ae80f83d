//! The processor architecture for which functions are built and deployed.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

/// A processor architecture, with Lambda's name for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Architecture {
    /// AWS Graviton. It is cheaper.
    #[value(name = "arm64")]
    Arm64,
    /// Intel and AMD.
    #[value(name = "x86_64")]
    X86_64,
}

impl Architecture {
    /// All architectures for which functions can be built.
    pub(crate) const ALL: [Self; 2] = [Self::Arm64, Self::X86_64];

    /// Returns the value of the template's parameter `Architecture`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    /// Returns Rust's name of the processor.
    pub(crate) fn processor(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64",
            Self::X86_64 => "x86_64",
        }
    }

    /// Returns `e_machine` of its programs' ELF header (System V ABI, processor supplements).
    fn machine(self) -> u16 {
        match self {
            Self::Arm64 => 0xB7,
            Self::X86_64 => 0x3E,
        }
    }

    /// Reads the architecture of a program from its ELF header.
    pub(crate) fn of_program(program: &Path) -> Result<Self> {
        let mut header = [0; 20];
        File::open(program)
            .and_then(|mut file| file.read_exact(&mut header))
            .with_context(|| format!("reading the ELF header of `{}`", program.display()))?;
        // The magic number, and the fields for 64-bit and little-endian.
        ensure!(
            header.starts_with(b"\x7fELF\x02\x01"),
            "`{}` is not a 64-bit ELF program",
            program.display()
        );
        let machine = u16::from_le_bytes([header[18], header[19]]);
        match Self::ALL.iter().find(|one| one.machine() == machine) {
            Some(architecture) => Ok(*architecture),
            None => bail!("`{}` is for the machine {machine:#x}", program.display()),
        }
    }
}

/// Restricts the template's parameter `Architecture` to one value. A deployment with another
/// value, given or kept from before, is then refused instead of starting programs that cannot
/// run.
pub(crate) fn fixed_in(template: &str, architecture: Architecture) -> Result<String> {
    let name = architecture.name();
    let parameter = format!(
        "  Architecture:\n    Type: String\n    Default: {name}\n    AllowedValues: [{name}]\n    \
         ConstraintDescription: {name}, which the functions were built for\n    \
         Description: The processor that the functions were built for.\n"
    );
    let mut lines = template.split_inclusive('\n');
    let mut fixed = String::with_capacity(template.len());
    for line in lines.by_ref() {
        if line.trim_end() == "  Architecture:" {
            fixed.push_str(&parameter);
            break;
        }
        fixed.push_str(line);
    }
    let mut rest = lines.skip_while(|line| line.starts_with("    ")).peekable();
    ensure!(
        rest.peek().is_some(),
        "the built template has no parameter `Architecture`"
    );
    fixed.extend(rest);
    Ok(fixed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_programs_architecture_is_in_its_elf_header() {
        let program = std::env::temp_dir().join(format!("xtask-elf-{}", std::process::id()));
        let of = |start: &[u8], machine: u16| {
            let mut bytes = start.to_vec();
            bytes.resize(18, 0);
            bytes.extend(machine.to_le_bytes());
            fs::write(&program, bytes).unwrap();
            Architecture::of_program(&program).map_err(|error| error.to_string())
        };
        let elf = b"\x7fELF\x02\x01";
        assert_eq!(of(elf, 183), Ok(Architecture::Arm64));
        assert_eq!(of(elf, 62), Ok(Architecture::X86_64));
        assert!(of(elf, 3).unwrap_err().ends_with("is for the machine 0x3"));
        assert!(of(b"\x7fELF\x01\x01", 183).is_err());
        assert!(of(b"#!/bin/sh", 183).is_err());
        fs::write(&program, "").unwrap();
        assert!(Architecture::of_program(&program).is_err());
        fs::remove_file(&program).unwrap();
    }

    #[test]
    fn this_program_is_for_this_machine() {
        let mine = Architecture::of_program(&std::env::current_exe().unwrap());
        if cfg!(target_os = "linux") {
            assert_eq!(mine.unwrap().processor(), std::env::consts::ARCH);
        }
    }

    #[test]
    fn a_built_template_takes_no_other_architecture_than_that_of_its_programs() {
        let built = "\
Parameters:
  Tracing:
    Type: String
  Architecture:
    Type: String
    Default: arm64
    AllowedValues:
    - arm64
    - x86_64
    Description: The processor
      that the functions are built for.
  EnableArchive:
    Default: 'true'
";
        assert_eq!(
            fixed_in(built, Architecture::X86_64).unwrap(),
            "\
Parameters:
  Tracing:
    Type: String
  Architecture:
    Type: String
    Default: x86_64
    AllowedValues: [x86_64]
    ConstraintDescription: x86_64, which the functions were built for
    Description: The processor that the functions were built for.
  EnableArchive:
    Default: 'true'
"
        );
        assert!(fixed_in("Parameters:\n", Architecture::Arm64).is_err());
    }
}
