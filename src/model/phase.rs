closed_set! {
    /// Which part of a request a poll belongs to.
    #[non_exhaustive]
    pub enum Phase {
        /// The synchronous part of `Service::call`, before it returns a future.
        Call = "call",
        /// `Future::poll` of the response future.
        Poll = "poll",
        /// `Body::poll_frame` of the response body.
        Body = "body",
    }
}
