//! A minimal scraper of the metrics page.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One sample of the page.
pub struct Sample {
    /// Without the prefix `runtime_health_`.
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

impl Sample {
    pub fn label(&self, name: &str) -> &str {
        let label = self.labels.iter().find(|(label, _)| label == name);
        label.map_or("", |(_, value)| value)
    }
}

pub fn scrape(metrics: SocketAddr) -> std::io::Result<Vec<Sample>> {
    let mut stream = TcpStream::connect(metrics)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: {metrics}\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    let body = page.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(body.lines().filter_map(parse).collect())
}

/// Parses `name{label="value",…} 1.5`. It handles no quotes, backslashes or commas in label
/// values, because this service has none.
fn parse(line: &str) -> Option<Sample> {
    let line = line.strip_prefix("runtime_health_")?;
    let (key, value) = line.rsplit_once(' ')?;
    let (name, labels) = key.split_once('{').unwrap_or((key, ""));
    let labels = labels.trim_end_matches('}').split(',').filter_map(|label| {
        let (name, value) = label.split_once('=')?;
        Some((name.to_owned(), value.trim_matches('"').to_owned()))
    });
    Some(Sample {
        name: name.to_owned(),
        labels: labels.collect(),
        value: value.parse().ok()?,
    })
}
