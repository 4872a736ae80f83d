//! The dashboard of `template.yaml`: read from there, and drawn as a picture.
//!
//! The picture has the real layout, titles, labels and colours; its values are invented.

use std::fmt::Write;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::template;

/// The columns of CloudWatch's grid.
pub const COLUMNS: u64 = 24;

const COLUMN: u64 = 56;
const ROW: u64 = 44;
const GAP: u64 = 4;
/// CloudWatch's own colours, in its order.
const COLOURS: [&str; 8] = [
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f",
];

/// The body of the dashboard as written in the template, without substitution of `${…}`.
///
/// # Errors
/// If the template has no dashboard, or its body is not JSON.
pub fn load() -> Result<Value> {
    let template = template::load()?;
    let body = &template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"][0];
    let text = body.as_str().context("template.yaml: no Dashboard")?;
    serde_json::from_str(text).context("template.yaml: the dashboard's body")
}

/// Draws a dashboard's body as SVG.
pub fn draw(body: &Value) -> String {
    let widgets = body["widgets"].as_array().map_or(&[][..], Vec::as_slice);
    let bottom = |widget: &Value| number(&widget["y"]) + number(&widget["height"]);
    let height = widgets.iter().map(bottom).max().unwrap_or(0) * ROW;
    let width = COLUMNS * COLUMN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#f2f3f3\"/>\n"
    );
    for widget in widgets {
        draw_widget(&mut svg, widget);
    }
    svg.push_str("</svg>\n");
    svg
}

/// A rectangle in the picture, in pixels.
#[derive(Clone, Copy)]
struct Frame {
    x: u64,
    y: u64,
    width: u64,
    height: u64,
}

fn draw_widget(svg: &mut String, widget: &Value) {
    let properties = &widget["properties"];
    let frame = Frame {
        x: number(&widget["x"]) * COLUMN + GAP,
        y: number(&widget["y"]) * ROW + GAP,
        width: number(&widget["width"]) * COLUMN - 2 * GAP,
        height: number(&widget["height"]) * ROW - 2 * GAP,
    };
    if let Some(markdown) = properties["markdown"].as_str() {
        let heading = markdown.trim_start_matches(['#', ' ']);
        put_text(svg, frame.x + 4, frame.y + 24, "font-size=\"18\"", heading);
        return;
    }
    let Frame {
        x,
        y,
        width,
        height,
    } = frame;
    line(
        svg,
        &format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\" fill=\"#fff\" stroke=\"#d5dbdb\"/>"
        ),
    );
    let title = properties["title"].as_str().unwrap_or_default();
    put_text(svg, x + 10, y + 20, "font-weight=\"bold\"", title);
    match (&widget["type"], &properties["view"]) {
        (kind, _) if kind == "alarm" => alarms(svg, frame, properties),
        (kind, _) if kind == "log" => table(svg, frame),
        (_, view) if view == "singleValue" => values(svg, frame, properties),
        _ => chart(svg, frame, properties),
    }
}

/// The distance between one alarm and the next one below it.
const ALARM_HEIGHT: u64 = 14;

fn alarms(svg: &mut String, frame: Frame, properties: &Value) {
    let alarms = properties["alarms"].as_array();
    for (index, alarm) in alarms.into_iter().flatten().enumerate() {
        let rows = (frame.height - 40) / ALARM_HEIGHT;
        let (column, row) = (index as u64 / rows, index as u64 % rows);
        let (x, y) = (
            frame.x + 10 + column * (frame.width / 2),
            frame.y + 38 + row * ALARM_HEIGHT,
        );
        let name = alarm.as_str().unwrap_or_default();
        let name = name.trim_start_matches("${").trim_end_matches(".Arn}");
        let name = name.trim_end_matches("Alarm");
        line(
            svg,
            &format!(
                "<rect x=\"{x}\" y=\"{}\" width=\"9\" height=\"9\" fill=\"#2ca02c\"/>",
                y - 8
            ),
        );
        put_text(svg, x + 13, y, "font-size=\"8.5\"", name);
    }
}

fn table(svg: &mut String, frame: Frame) {
    for (row, cells) in [["id", "failures"], ["sub_71c2…", "412"], ["sub_09ab…", "7"]]
        .iter()
        .enumerate()
    {
        let y = frame.y + 46 + row as u64 * 22;
        put_text(svg, frame.x + 14, y, "", cells[0]);
        put_text(svg, frame.x + frame.width - 80, y, "", cells[1]);
    }
}

fn values(svg: &mut String, frame: Frame, properties: &Value) {
    for (index, (label, colour)) in series(properties).into_iter().enumerate() {
        let y = frame.y + 70 + index as u64 * 60;
        put_text(
            svg,
            frame.x + 16,
            y,
            &format!("font-size=\"30\" fill=\"{colour}\""),
            "0",
        );
        put_text(svg, frame.x + 50, y, "", &label);
    }
}

fn chart(svg: &mut String, frame: Frame, properties: &Value) {
    let series = series(properties);
    let legend = series.len().div_ceil(2) as u64 * 16;
    let (left, right) = (frame.x + 30, frame.x + frame.width - 12);
    let (top, bottom) = (frame.y + 34, frame.y + frame.height - legend - 14);
    for step in 0..=3 {
        let y = top + (bottom - top) * step / 3;
        line(
            svg,
            &format!(
                "<line x1=\"{left}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\" stroke=\"#eaeded\"/>"
            ),
        );
    }
    for (index, (label, colour)) in series.iter().enumerate() {
        let points: Vec<String> = (0..=24)
            .map(|step| {
                let x = left + (right - left) * step / 24;
                let y = bottom - (bottom - top) * height_at(index as u64, step) / 100;
                format!("{x},{y}")
            })
            .collect();
        line(
            svg,
            &format!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
                points.join(" ")
            ),
        );
        let x = frame.x + 12 + (index as u64 % 2) * (frame.width / 2);
        let y = bottom + 20 + (index as u64 / 2) * 16;
        line(
            svg,
            &format!(
                "<rect x=\"{x}\" y=\"{}\" width=\"9\" height=\"9\" fill=\"{colour}\"/>",
                y - 9
            ),
        );
        put_text(svg, x + 14, y, "font-size=\"10\"", label);
    }
}

/// An invented value in percent of the chart's height. It is the same each time.
fn height_at(series: u64, step: u64) -> u64 {
    let base = 80_u64.saturating_sub(series * 11).max(6);
    let wobble = (step * 37 + series * 53 + (step * step * 11) % 29) % 13;
    (base + wobble).min(100)
}

/// The labels of the metrics, with their colours.
fn series(properties: &Value) -> Vec<(String, String)> {
    let metrics = properties["metrics"].as_array();
    metrics
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, metric)| {
            let options = metric.as_array().and_then(|parts| parts.last());
            let option = |name: &str| options?.get(name)?.as_str().map(str::to_owned);
            let name = metric[1].as_str().unwrap_or_default();
            (
                option("label").unwrap_or_else(|| name.to_owned()),
                option("color").unwrap_or_else(|| COLOURS[index % COLOURS.len()].to_owned()),
            )
        })
        .collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn put_text(svg: &mut String, x: u64, y: u64, style: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    line(
        svg,
        &format!("<text x=\"{x}\" y=\"{y}\" {style}>{text}</text>"),
    );
}

fn line(svg: &mut String, text: &str) {
    writeln!(svg, "{text}").expect("writing to a string does not fail");
}
