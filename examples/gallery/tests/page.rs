//! The page at `/` in a real browser: every button and the outcome it shows.

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use gallery::table::rows;
use serde_json::{Value, json};
use support::Gallery;

const WORK: Duration = Duration::from_millis(250);
/// The width of a small phone.
const PHONE: u32 = 360;

/// chromedriver, on a port of its choice. Dropping this ends the process.
struct Driver(Child);

impl Driver {
    fn start() -> (Self, String) {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromedriver: ci/setup.sh installs it");
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let url = format!("http://127.0.0.1:{}", port.expect("a port"));
        (Self(process), url)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn browser(driver: &str) -> Client {
    let arguments = [
        "--headless=new",
        // Chromium's sandbox does not work as root or in a container.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--no-first-run",
        "--window-size=1100,900",
    ];
    let options = json!({ "args": arguments });
    let mut capabilities = Capabilities::new();
    capabilities.insert("goog:chromeOptions".to_owned(), options);
    capabilities.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }));
    ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
        .capabilities(capabilities)
        .connect(driver)
        .await
        .expect("a browser")
}

#[tokio::test]
async fn every_button_shows_the_verdict_of_the_table() {
    let gallery = Gallery::start(WORK);
    gallery.until_places_are_named();
    let (_driver, url) = Driver::start();
    let page = browser(&url).await;
    let result = tokio::spawn(try_all_rows(page.clone(), gallery.app.clone())).await;
    // The browser does not end when its driver does.
    page.close().await.unwrap();
    result.unwrap();
}

async fn try_all_rows(page: Client, app: String) {
    page.goto(&app).await.unwrap();
    let mut wrong = Vec::new();
    for row in rows() {
        let selector = format!("button[data-row=\"{}\"]", row.id);
        let button = page.find(Locator::Css(&selector)).await.unwrap();
        button.click().await.unwrap();
        // The button is enabled again once the outcome of this click is shown.
        let ready = format!("{selector}:enabled");
        let deadline = Instant::now() + Duration::from_secs(90);
        while page.find(Locator::Css(&ready)).await.is_err() {
            assert!(Instant::now() < deadline, "row {} has no outcome", row.id);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let article = page
            .find(Locator::Id(&format!("row-{}", row.id)))
            .await
            .unwrap();
        let shown = article.find(Locator::Css(".outcome")).await.unwrap();
        assert!(shown.is_displayed().await.unwrap(), "row {}", row.id);
        let text = shown.text().await.unwrap();
        if let Some(needs) = row.needs
            && let Ok(hint) = shown.find(Locator::Css(".unavailable")).await
        {
            assert_eq!(hint.text().await.unwrap(), needs.hint().trim());
            continue;
        }
        let verdict = shown.find(Locator::Css(".verdict")).await.unwrap();
        let verdict = verdict.text().await.unwrap();
        if verdict != row.verdict.as_str() || text.contains("not as expected") {
            wrong.push(format!("row {}: {text}", row.id));
        }
        if row.verdict.blocks() {
            let report = shown.find(Locator::Css("pre.report")).await.unwrap();
            let report = report.text().await.unwrap();
            assert!(
                report.contains("\n  at   ") && report.contains("\n  fix  "),
                "{report}"
            );
        }
        assert!(text.contains("GET /hello meanwhile"), "{text}");
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));

    loads_only_from(&page, &app).await;
    fits_a_phone(&page).await;
}

/// All resources of the page come from the service.
async fn loads_only_from(page: &Client, app: &str) {
    let names = "return performance.getEntriesByType('resource').map((entry) => entry.name)";
    let loaded = page.execute(names, Vec::new()).await.unwrap();
    let loaded = loaded.as_array().unwrap();
    assert!(loaded.len() > 2, "{loaded:?}");
    for name in loaded.iter().filter_map(Value::as_str) {
        assert!(name.starts_with(app), "{name}");
    }
}

/// On a phone the page needs no horizontal scrolling, and its buttons and text are large enough.
async fn fits_a_phone(page: &Client) {
    page.set_window_size(PHONE, 740).await.unwrap();
    let sizes = "const all = [...document.querySelectorAll('body *')].filter((e) => e.offsetParent);
        return {
            window: document.documentElement.clientWidth,
            page: document.documentElement.scrollWidth,
            outside: all.filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
                .map((e) => e.outerHTML.slice(0, 80)),
            buttons: Math.min(...[...document.querySelectorAll('button')].map((b) => b.offsetHeight)),
            font: Math.min(...all.map((e) => parseFloat(getComputedStyle(e).fontSize))),
        }";
    let sizes = page.execute(sizes, Vec::new()).await.unwrap();
    assert_eq!(sizes["page"], sizes["window"], "{sizes}");
    assert_eq!(sizes["outside"], json!([]), "{sizes}");
    assert!(sizes["buttons"].as_f64().unwrap() >= 40.0, "{sizes}");
    assert!(sizes["font"].as_f64().unwrap() >= 12.0, "{sizes}");
    if let Ok(folder) = std::env::var("GALLERY_PICTURES") {
        let picture = page.screenshot().await.unwrap();
        std::fs::write(format!("{folder}/phone.png"), picture).unwrap();
        page.set_window_size(1100, 1400).await.unwrap();
        let picture = page.screenshot().await.unwrap();
        std::fs::write(format!("{folder}/desk.png"), picture).unwrap();
    }
}
