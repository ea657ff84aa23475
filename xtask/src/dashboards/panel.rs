//! One panel.

use serde_json::{Value, json};

use super::fields::{self, Column};
use crate::config::Config;
use crate::expr::expand;
use crate::thresholds::Threshold;

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Stat,
    Lines,
    /// Stacked lines: parts of a whole.
    Stack,
    Heatmap,
    Table,
    Text,
    Row,
}

/// Grafana's names for units.
#[derive(Clone, Copy)]
pub enum Unit {
    Count,
    Seconds,
    Share,
    RequestsPerSecond,
    PerSecond,
}

impl Unit {
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "short",
            Self::Seconds => "s",
            Self::Share => "percentunit",
            Self::RequestsPerSecond => "reqps",
            Self::PerSecond => "ops",
        }
    }
}

pub struct Panel {
    pub kind: Kind,
    pub title: &'static str,
    pub description: String,
    pub unit: Unit,
    pub thresholds: Option<Threshold>,
    pub queries: Vec<(String, String)>,
    pub columns: Vec<Column>,
    pub sort: Option<&'static str>,
    pub width: u64,
    pub height: u64,
    pub text: String,
    /// Upper limit of the axis, for shares.
    pub max: Option<f64>,
    pub decimals: Option<u64>,
}

impl Panel {
    fn new(kind: Kind, title: &'static str, description: &str, width: u64, height: u64) -> Self {
        Self {
            kind,
            title,
            description: description.into(),
            unit: Unit::Count,
            thresholds: None,
            queries: Vec::new(),
            columns: Vec::new(),
            sort: None,
            width,
            height,
            text: String::new(),
            max: None,
            decimals: None,
        }
    }

    pub fn stat(title: &'static str, description: &str) -> Self {
        Self::new(Kind::Stat, title, description, 4, 4)
    }

    pub fn lines(title: &'static str, description: &str) -> Self {
        Self::new(Kind::Lines, title, description, 12, 8)
    }

    pub fn stack(title: &'static str, description: &str) -> Self {
        Self::new(Kind::Stack, title, description, 12, 8)
    }

    pub fn heatmap(title: &'static str, description: &str) -> Self {
        Self::new(Kind::Heatmap, title, description, 12, 8)
    }

    pub fn table(title: &'static str, description: &str) -> Self {
        Self::new(Kind::Table, title, description, 24, 8)
    }

    pub fn row(title: &'static str) -> Self {
        Self::new(Kind::Row, title, "", 24, 1)
    }

    pub fn text(title: &'static str, description: &str, text: String) -> Self {
        let mut panel = Self::new(Kind::Text, title, description, 8, 8);
        panel.text = text;
        panel
    }

    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    pub fn thresholds(mut self, threshold: Threshold) -> Self {
        self.thresholds = Some(threshold);
        self
    }

    /// Adds an expression in the shorthand of `expr`, and its legend.
    pub fn query(mut self, expr: impl Into<String>, legend: &str) -> Self {
        self.queries.push((expr.into(), legend.into()));
        self
    }

    pub fn columns(mut self, columns: Vec<Column>) -> Self {
        self.columns = columns;
        self
    }

    /// Sets a table's sort column: numbers descending, text in alphabetical order.
    pub fn sort(mut self, column: &'static str) -> Self {
        self.sort = Some(column);
        self
    }

    pub fn size(mut self, width: u64, height: u64) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    pub fn decimals(mut self, decimals: u64) -> Self {
        self.decimals = Some(decimals);
        self
    }

    pub fn up_to_one(mut self) -> Self {
        self.max = Some(1.0);
        self
    }

    pub fn json(&self, config: &Config, id: usize, x: u64, y: u64) -> Value {
        let position = json!({"x": x, "y": y, "w": self.width, "h": self.height});
        let mut panel = json!({"id": id, "type": self.type_name(), "title": self.title});
        if self.kind == Kind::Row {
            panel["gridPos"] = position;
            panel["collapsed"] = json!(false);
            panel["panels"] = json!([]);
            return panel;
        }
        panel["description"] = json!(self.description);
        panel["gridPos"] = position;
        panel["options"] = fields::options(self);
        if self.kind == Kind::Text {
            return panel;
        }
        panel["datasource"] = data_source();
        panel["targets"] = self.targets(config);
        panel["fieldConfig"] = fields::config(self);
        if self.kind == Kind::Table {
            panel["transformations"] = fields::transformations(self);
        }
        panel
    }

    fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Stat => "stat",
            Kind::Lines | Kind::Stack => "timeseries",
            Kind::Heatmap => "heatmap",
            Kind::Table => "table",
            Kind::Text => "text",
            Kind::Row => "row",
        }
    }

    fn targets(&self, config: &Config) -> Value {
        let format = match self.kind {
            Kind::Table => "table",
            Kind::Heatmap => "heatmap",
            _ => "time_series",
        };
        let instant = self.kind == Kind::Table;
        self.queries
            .iter()
            .zip('A'..)
            .map(|((expr, legend), id)| {
                json!({
                    "datasource": data_source(),
                    "refId": id.to_string(),
                    "expr": expand(config, expr),
                    "legendFormat": legend,
                    "format": format,
                    "instant": instant,
                    "range": !instant,
                    "exemplar": false,
                    "editorMode": "code",
                })
            })
            .collect()
    }
}

pub fn data_source() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}
