use crate::capture::{Blocked, RunState, ThreadFiles, return_addresses};
use crate::sys::memory;

/// How much of a stack is compared, in bytes. In a debug build the frames of an idle thread
/// take 3.5 KiB.
pub(super) const WINDOW: usize = 6 * 1024;
pub(super) const WORD: usize = 8;

/// A signature with fewer words than this proves nothing.
const MIN_WORDS: usize = 4;

/// Recognises idle pool threads.
///
/// An idle pool thread waits in one place of tokio's code. The instruction there, the return
/// addresses down to the thread's start and their distances from the stack pointer are the
/// same for all idle threads: they are the signature. An equal return address proves that
/// the frame below it belongs to the same function. So a thread that has all of them waits
/// for work. If it ran a task, the frames of the task would lie in between.
#[derive(Clone, Debug)]
pub(super) struct Signature {
    /// The instruction that an idle thread is blocked at.
    pub(super) code: u64,
    /// Offsets from the stack pointer, in words, and the word at each.
    pub(super) words: Vec<(usize, u64)>,
}

/// A blocked thread, and the words on its stack.
pub(super) struct StackView {
    pub(super) blocked: Blocked,
    pub(super) words: Vec<u64>,
}

impl StackView {
    /// Reads the stack of a thread. Returns `None` if the thread runs, or moved meanwhile.
    pub(super) fn of(files: &ThreadFiles) -> Option<Self> {
        let Some(RunState::Blocked(blocked)) = files.state() else {
            return None;
        };
        let mut bytes = vec![0; WINDOW];
        let length = memory::read(blocked.stack, &mut bytes);
        let words = bytes
            .get(..length)?
            .chunks_exact(WORD)
            .filter_map(|word| Some(u64::from_le_bytes(word.try_into().ok()?)));
        let words = words.collect();
        (files.state() == Some(RunState::Blocked(blocked))).then_some(Self { blocked, words })
    }

    /// Returns the return addresses and their offsets. Other words that look like return
    /// addresses remain from functions that have returned.
    fn return_addresses(&self) -> Vec<(usize, u64)> {
        let bytes = self.words.iter().flat_map(|word| word.to_le_bytes());
        let mut words = self.words.iter().copied().enumerate();
        let addresses = return_addresses(self.blocked, bytes.collect());
        let found = addresses
            .into_iter()
            .map_while(|address| words.find(|(_, word)| *word == address));
        found.collect()
    }
}

impl Signature {
    /// Returns a signature that matches every thread blocked at an instruction.
    #[cfg(test)]
    pub(super) fn of_code(code: u64) -> Self {
        let words = Vec::new();
        Self { code, words }
    }

    /// Returns whether a thread is idle. `None` if it has ended or cannot be read.
    pub(super) fn is_idle(&self, files: &ThreadFiles) -> Option<bool> {
        let blocked = match files.state()? {
            RunState::Blocked(blocked) if blocked.code == self.code => blocked,
            _ => return Some(false),
        };
        let count = self.words.last().map_or(0, |(offset, _)| offset + 1);
        let mut bytes = vec![0; count * WORD];
        let length = memory::read(blocked.stack, &mut bytes);
        let matches = |(offset, word): &(usize, u64)| {
            let from = offset * WORD;
            let bytes = bytes.get(..length).and_then(|b| b.get(from..from + WORD));
            bytes == Some(word.to_le_bytes().as_slice())
        };
        Some(self.words.iter().all(matches))
    }

    /// Removes the words that another view of an idle thread does not have. The first view makes
    /// the signature.
    pub(super) fn narrow(signature: &mut Option<Self>, view: &StackView) {
        match signature {
            None => {
                *signature = Some(Self {
                    code: view.blocked.code,
                    words: view.return_addresses(),
                });
            }
            Some(known) => {
                if known.code != view.blocked.code {
                    known.words.clear();
                }
                known
                    .words
                    .retain(|(offset, word)| view.words.get(*offset) == Some(word));
            }
        }
    }

    /// Returns whether a view has all words of the signature.
    pub(super) fn matches(&self, view: &StackView) -> bool {
        let matches = |(offset, word): &(usize, u64)| view.words.get(*offset) == Some(word);
        self.code == view.blocked.code && self.words.iter().all(matches)
    }

    /// Returns whether it has enough words to prove anything.
    pub(super) fn is_conclusive(&self) -> bool {
        self.words.len() >= MIN_WORDS
    }
}
