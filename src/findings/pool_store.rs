use std::collections::VecDeque;
use std::sync::Mutex;

use super::PoolFinding;
use crate::sync::lock;

/// Findings on blocking pools, oldest first and bounded in number.
#[derive(Debug)]
pub(crate) struct PoolFindingStore {
    max: usize,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    findings: VecDeque<(u64, PoolFinding)>,
    next: u64,
}

impl PoolFindingStore {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            entries: Mutex::default(),
        }
    }

    /// Adds a finding. Returns its number, and how many were evicted to make room.
    pub(crate) fn add(&self, finding: PoolFinding) -> (u64, u64) {
        let mut entries = lock(&self.entries);
        let number = entries.next;
        entries.next += 1;
        entries.findings.push_back((number, finding));
        let mut dropped = 0;
        while entries.findings.len() > self.max {
            entries.findings.pop_front();
            dropped += 1;
        }
        (number, dropped)
    }

    /// Replaces a finding, unless it has been evicted.
    pub(crate) fn update(&self, number: u64, finding: &PoolFinding) {
        let mut entries = lock(&self.entries);
        let mut findings = entries.findings.iter_mut();
        if let Some((_, old)) = findings.find(|(of, _)| *of == number) {
            old.clone_from(finding);
        }
    }

    /// Returns all findings, newest first.
    pub(crate) fn list(&self) -> Vec<PoolFinding> {
        let entries = lock(&self.entries);
        let findings = entries.findings.iter().rev();
        findings.map(|(_, finding)| finding.clone()).collect()
    }
}
