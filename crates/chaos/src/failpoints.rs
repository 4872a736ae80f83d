//! The directory that a delivery function with failpoints shares with a chaos run.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::PathBuf,
};

use anyhow::{Context, Result};

/// The number of crashes in a million failpoints. A crash ends all execution environments of the
/// function, each with up to 10 deliveries in progress.
const CRASHES: u32 = 1_000;

/// The directory named in `FAILPOINTS_FOLDER`.
pub(crate) struct Failpoints {
    folder: PathBuf,
}

/// The functions' journal.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Journal {
    /// The number of crashes by failpoint.
    pub(crate) crashes: BTreeMap<String, usize>,
    /// The number of runs that a crash or a kill ended early, by delivery id.
    pub(crate) cut_off: HashMap<String, usize>,
    /// The number of finished runs whose invocation was ended early, so that their message comes
    /// again, by delivery id.
    pub(crate) returned: HashMap<String, usize>,
}

impl Failpoints {
    /// Uses an existing directory.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// From now on functions crash, at random points that this seed and each process id
    /// determine.
    pub(crate) fn start(&self, seed: u64) -> Result<()> {
        // The file is renamed when it is complete, because functions read it at any time.
        let partial = self.folder.join("crashes.partial");
        fs::write(&partial, format!("{seed} {CRASHES}\n"))
            .and_then(|()| fs::rename(&partial, self.folder.join("crashes")))
            .context("writing how often to crash")
    }

    /// From now on no function crashes.
    pub(crate) fn stop(&self) -> Result<()> {
        fs::remove_file(self.folder.join("crashes")).context("ending the crashes")
    }

    /// Reads the functions' journal so far.
    pub(crate) fn journal(&self) -> Result<Journal> {
        let text = fs::read_to_string(self.folder.join("journal"))
            .context("reading the functions' journal: were they built with failpoints?")?;
        Ok(Journal::read(&text))
    }
}

impl Journal {
    fn read(text: &str) -> Self {
        let mut journal = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("begin", delivery)) => {
                    *journal.cut_off.entry(delivery.to_owned()).or_default() += 1;
                }
                Some(("end", delivery)) => {
                    decrease(&mut journal.cut_off, delivery);
                    *journal.returned.entry(delivery.to_owned()).or_default() += 1;
                }
                Some(("answered", delivery)) => decrease(&mut journal.returned, delivery),
                Some(("crash", boundary)) => {
                    *journal.crashes.entry(boundary.to_owned()).or_default() += 1;
                }
                _ => {}
            }
        }
        journal.cut_off.retain(|_, runs| *runs > 0);
        journal.returned.retain(|_, runs| *runs > 0);
        journal
    }
}

fn decrease(runs: &mut HashMap<String, usize>, delivery: &str) {
    if let Some(runs) = runs.get_mut(delivery) {
        *runs -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_an_end_was_cut_off_and_a_message_without_an_answer_comes_again() {
        let text = "begin a\nbegin b\nend a\nanswered a\nbegin a\nbegin c\nend c\n\
                    crash before the request\nbegin b\nend b\nanswered b\n";
        let once = |ids: &[&str]| ids.iter().map(|id| ((*id).to_owned(), 1)).collect();
        let expected = Journal {
            crashes: BTreeMap::from([("before the request".to_owned(), 1)]),
            cut_off: once(&["a", "b"]),
            returned: once(&["c"]),
        };
        assert_eq!(Journal::read(text), expected);
    }
}
