//! Pool findings as JSON. Durations are in seconds and times in RFC 3339, as in all JSON of the
//! exporter.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::format::rfc3339;
use super::pool_finding::{PoolExample, PoolFinding, PoolHolder};

impl Serialize for PoolFinding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("PoolFinding", 17)?;
        out.serialize_field("kind", &self.kind)?;
        out.serialize_field("runtime", &*self.runtime)?;
        out.serialize_field("since", &rfc3339(self.since))?;
        out.serialize_field("lasted_seconds", &self.lasted.as_secs_f64())?;
        out.serialize_field("is_over", &self.is_over)?;
        out.serialize_field("limit", &self.limit)?;
        out.serialize_field("threads", &self.threads)?;
        out.serialize_field("running", &self.running)?;
        out.serialize_field("not_wrapped", &self.not_wrapped)?;
        out.serialize_field("queued", &self.queued)?;
        out.serialize_field("most_queued", &self.most_queued)?;
        out.serialize_field("longest_wait_seconds", &self.longest_wait.as_secs_f64())?;
        let stuck = self.no_progress.map(|time| time.as_secs_f64());
        out.serialize_field("no_progress_seconds", &stuck)?;
        out.serialize_field("is_deadlock", &self.is_deadlock)?;
        out.serialize_field("holders", &self.holders)?;
        out.serialize_field("examples", &self.examples)?;
        out.serialize_field("advice", self.advice())?;
        out.end()
    }
}

impl Serialize for PoolHolder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("PoolHolder", 4)?;
        out.serialize_field("route", &*self.route)?;
        out.serialize_field("site", &*self.site)?;
        out.serialize_field("tasks", &self.tasks)?;
        out.serialize_field("oldest_seconds", &self.oldest.as_secs_f64())?;
        out.end()
    }
}

impl Serialize for PoolExample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("PoolExample", 8)?;
        out.serialize_field("route", &*self.route)?;
        out.serialize_field("site", &*self.site)?;
        out.serialize_field("age_seconds", &self.age.as_secs_f64())?;
        out.serialize_field("cause", self.cause.as_str())?;
        out.serialize_field("call", &self.call.as_deref())?;
        out.serialize_field("place", &self.place)?;
        out.serialize_field("confidence", &self.confidence.map(|c| c.as_str()))?;
        out.serialize_field("stack", &*self.stack)?;
        out.end()
    }
}
