//! The look of a panel's fields: colours, columns and links.

use serde_json::{Value, json};

use super::panel::{Kind, Panel, Unit};
use crate::thresholds::Threshold;

/// A column of a table.
pub struct Column {
    /// The label, or `Value`; with several queries, `Value #A` for the first.
    pub field: &'static str,
    pub title: &'static str,
    pub unit: Option<Unit>,
    pub thresholds: Option<Threshold>,
    /// Title and URL.
    pub link: Option<(&'static str, String)>,
    pub width: Option<u64>,
    /// Colours of the column's values.
    pub value_colors: &'static [(&'static str, &'static str)],
}

impl Column {
    pub fn label(field: &'static str, title: &'static str) -> Self {
        Self {
            field,
            title,
            unit: None,
            thresholds: None,
            link: None,
            width: None,
            value_colors: &[],
        }
    }

    pub fn value(field: &'static str, title: &'static str, unit: Unit) -> Self {
        Self {
            unit: Some(unit),
            ..Self::label(field, title)
        }
    }

    /// The severity of an alert. In alphabetical order, `critical` comes first.
    pub fn severity() -> Self {
        Self {
            width: Some(90),
            value_colors: &[("critical", "red"), ("warning", "orange"), ("info", "blue")],
            ..Self::label("severity", "Severity")
        }
    }

    pub fn thresholds(mut self, threshold: Threshold) -> Self {
        self.thresholds = Some(threshold);
        self
    }

    pub fn link(mut self, title: &'static str, url: String) -> Self {
        self.link = Some((title, url));
        self
    }

    pub fn width(mut self, width: u64) -> Self {
        self.width = Some(width);
        self
    }

    fn overrides(&self) -> Value {
        let mut properties = Vec::new();
        let mut set = |id: &str, value: Value| properties.push(json!({"id": id, "value": value}));
        if let Some(unit) = self.unit {
            set("unit", json!(unit.name()));
            let whole = matches!(unit, Unit::Count);
            set("decimals", json!(if whole { 0 } else { 1 }));
        }
        if let Some(threshold) = self.thresholds {
            set("thresholds", steps(Some(threshold)));
            set(
                "custom.cellOptions",
                json!({"type": "color-background", "mode": "basic"}),
            );
        }
        if let Some((title, url)) = &self.link {
            set(
                "links",
                json!([{"title": title, "url": url, "targetBlank": false}]),
            );
        }
        if !self.value_colors.is_empty() {
            let mut colors = json!({});
            for (at, (value, color)) in self.value_colors.iter().enumerate() {
                colors[*value] = json!({"text": value, "color": color, "index": at});
            }
            set("mappings", json!([{"type": "value", "options": colors}]));
            set("custom.cellOptions", json!({"type": "color-text"}));
        }
        if let Some(width) = self.width {
            set("custom.width", json!(width));
        }
        json!({"matcher": {"id": "byName", "options": self.title}, "properties": properties})
    }
}

/// Colours: green, from the first threshold orange, from the second red.
fn steps(threshold: Option<Threshold>) -> Value {
    let mut steps = vec![json!({"color": "green", "value": null})];
    if let Some(threshold) = threshold {
        if threshold.critical != Some(threshold.warning) {
            steps.push(json!({"color": "orange", "value": threshold.warning}));
        }
        if let Some(critical) = threshold.critical {
            steps.push(json!({"color": "red", "value": critical}));
        }
    }
    json!({"mode": "absolute", "steps": steps})
}

pub fn config(panel: &Panel) -> Value {
    let custom = match panel.kind {
        Kind::Lines | Kind::Stack => {
            let stack = panel.kind == Kind::Stack;
            json!({
                "drawStyle": "line",
                "lineWidth": 1,
                "fillOpacity": if stack { 40 } else { 8 },
                "showPoints": "auto",
                "pointSize": 4,
                "spanNulls": false,
                "stacking": {"mode": if stack { "normal" } else { "none" }, "group": "A"},
                // A line at each threshold.
                "thresholdsStyle": {"mode": if panel.thresholds.is_some() { "line" } else { "off" }},
            })
        }
        Kind::Table => {
            json!({"align": "auto", "filterable": false, "inspect": false})
        }
        _ => json!({}),
    };
    let colors = match panel.kind {
        Kind::Lines | Kind::Stack => "palette-classic",
        _ => "thresholds",
    };
    let mut defaults = json!({
        "mappings": [],
        "color": {"mode": colors},
        "thresholds": steps(panel.thresholds),
        "custom": custom,
        "unit": panel.unit.name(),
    });
    if matches!(panel.kind, Kind::Lines | Kind::Stack) {
        defaults["min"] = json!(0);
        if let Some(max) = panel.max {
            defaults["max"] = json!(max);
        }
    }
    if panel.kind == Kind::Stat {
        let default = match panel.unit {
            Unit::Count => 0,
            _ => 1,
        };
        defaults["decimals"] = json!(panel.decimals.unwrap_or(default));
        defaults["noValue"] = json!("–");
    }
    let overrides: Vec<Value> = panel.columns.iter().map(Column::overrides).collect();
    json!({"defaults": defaults, "overrides": overrides})
}

pub fn options(panel: &Panel) -> Value {
    match panel.kind {
        Kind::Stat => json!({
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
            "graphMode": "area",
            "colorMode": if panel.thresholds.is_some() { "background" } else { "value" },
            "textMode": "auto",
            "orientation": "auto",
            "justifyMode": "auto",
            "wideLayout": true,
            "showPercentChange": false,
            "percentChangeColorMode": "standard",
        }),
        Kind::Lines | Kind::Stack => json!({
            "legend": {
                "showLegend": true,
                "displayMode": "table",
                "placement": "bottom",
                "calcs": ["lastNotNull", "max"],
                "sortBy": "Max",
                "sortDesc": true,
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        }),
        Kind::Heatmap => json!({
            "calculate": false,
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "fill": "dark-orange", "exponent": 0.5, "reverse": false},
            "yAxis": {"unit": panel.unit.name()},
            "cellGap": 1,
            "showValue": "never",
            "legend": {"show": true},
            "tooltip": {"mode": "single", "showColorScale": false, "yHistogram": true},
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
        }),
        Kind::Table => json!({
            "showHeader": true,
            "cellHeight": "sm",
            "footer": {"show": false, "reducer": ["sum"], "countRows": false, "fields": []},
            "frameIndex": 0,
            "sortBy": panel.sort.map_or(json!([]), |column| json!([{"displayName": column, "desc": sorts_descending(panel, column)}])),
        }),
        _ => json!({
            "mode": "markdown",
            "content": panel.text,
            "code": {"language": "plaintext", "showLineNumbers": false, "showMiniMap": false},
        }),
    }
}

fn sorts_descending(panel: &Panel, title: &str) -> bool {
    panel
        .columns
        .iter()
        .any(|column| column.title == title && column.unit.is_some())
}

/// Merges the queries into one row for each set of labels, and keeps the panel's
/// columns in their order.
pub fn transformations(panel: &Panel) -> Value {
    let names: Vec<_> = panel.columns.iter().map(|column| column.field).collect();
    let mut order = json!({});
    let mut titles = json!({});
    for (at, column) in panel.columns.iter().enumerate() {
        order[column.field] = json!(at);
        titles[column.field] = json!(column.title);
    }
    json!([
        {"id": "merge", "options": {}},
        {"id": "filterFieldsByName", "options": {"include": {"names": names}}},
        {"id": "organize", "options": {"excludeByName": {}, "includeByName": {}, "indexByName": order, "renameByName": titles}},
    ])
}
