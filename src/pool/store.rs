use std::collections::VecDeque;
use std::sync::Mutex;

use super::PoolFinding;
use crate::primitive::lock;

/// Findings on pools, the oldest first; bounded.
#[derive(Debug)]
pub(crate) struct PoolFindings {
    max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    findings: VecDeque<(u64, PoolFinding)>,
    next: u64,
}

impl PoolFindings {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            state: Mutex::default(),
        }
    }

    /// Takes in a new one. Gives its number, and how many have made room.
    pub(super) fn add(&self, finding: PoolFinding) -> (u64, u64) {
        let mut state = lock(&self.state);
        let number = state.next;
        state.next += 1;
        state.findings.push_back((number, finding));
        let mut dropped = 0;
        while state.findings.len() > self.max {
            state.findings.pop_front();
            dropped += 1;
        }
        (number, dropped)
    }

    /// Says what has become of one; of none if it has made room.
    pub(super) fn update(&self, number: u64, finding: &PoolFinding) {
        let mut state = lock(&self.state);
        let mut findings = state.findings.iter_mut();
        if let Some((_, old)) = findings.find(|(of, _)| *of == number) {
            old.clone_from(finding);
        }
    }

    /// All of them, the newest first.
    pub(crate) fn list(&self) -> Vec<PoolFinding> {
        let state = lock(&self.state);
        let findings = state.findings.iter().rev();
        findings.map(|(_, finding)| finding.clone()).collect()
    }
}
