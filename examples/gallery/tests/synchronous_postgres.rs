//! The reason why row 9 uses diesel: `postgres` panics in an async handler.

#[tokio::test]
async fn postgres_panics_inside_a_runtime() {
    let call = || {
        // Nothing listens on this port, but the panic comes before the connection.
        postgres::Client::connect("postgres://nobody@127.0.0.1:1/none", postgres::NoTls).map(drop)
    };
    let panic = std::panic::catch_unwind(call).unwrap_err();
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_default();
    assert!(
        text.contains("Cannot start a runtime from within a runtime"),
        "{text}"
    );
    // On the pool it returns the connection error.
    let result = tokio::task::spawn_blocking(call).await.unwrap();
    assert!(result.is_err());
}
