//! Text for people: aligned tables, and colours on a terminal only.
//!
//! Output for programs is JSON, which this module does not produce.

mod clean;
mod style;
mod table;

pub use clean::{clean, clean_lines, clean_styled, escape_json, is_harmful};
pub use style::{Style, Tone};
pub use table::{Cell, Table};
