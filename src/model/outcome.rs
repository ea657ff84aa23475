closed_set! {
    /// How a request ended: the values of the label `outcome`.
    pub(crate) enum Outcome {
        /// The response was handed over completely.
        Completed = "completed",
        /// The service or the body returned an error, or a poll panicked.
        Error = "error",
        /// Dropped before its end.
        Cancelled = "cancelled",
    }
}
