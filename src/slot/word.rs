use crate::model::{ClosedSet, Phase, Series};

/// Packs a series and a phase into one word.
#[inline]
pub(super) fn pack(series: Series, phase: Phase) -> u64 {
    u64::from(series.to_bits()) << 8 | phase as u64
}

/// Unpacks a word. Returns `None` for a word that `pack` cannot have produced.
pub(super) fn unpack(word: u64) -> Option<(Series, Phase)> {
    let phase = Phase::from_index((word & 0xff) as usize)?;
    Some((Series::from_bits((word >> 8) as u32), phase))
}
